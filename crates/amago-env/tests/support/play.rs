//! Plays a built-in environment action by action.

use amago_env::{Action, Column, Env, EnvError, Observation, Step};

/// An environment and its last observation.
#[allow(dead_code)] // each test binary uses some of the methods
pub struct Play<E> {
    pub env: E,
    obs: Observation,
}

#[allow(dead_code)]
impl<E: Env> Play<E> {
    pub fn new(env: E) -> Self {
        let obs = Observation::new(&env.spec().observation_space);
        Self { env, obs }
    }

    /// All columns, one after the other.
    pub fn seen(&self) -> Vec<f32> {
        let values = self.obs.columns().iter().map(|column| match column {
            Column::F32(values) => values.as_slice(),
            Column::U8(_) => panic!("no built-in environment has images"),
        });
        values.collect::<Vec<_>>().concat()
    }

    /// Starts with a given hidden part.
    pub fn reset_to(
        &mut self,
        reset: impl FnOnce(&mut E, &mut Observation) -> Result<(), EnvError>,
    ) -> Vec<f32> {
        reset(&mut self.env, &mut self.obs).expect("a legal hidden part");
        self.seen()
    }

    pub fn reset(&mut self, seed: u64) -> Vec<f32> {
        self.env.reset(seed, &mut self.obs).expect("a built-in environment resets");
        self.seen()
    }

    pub fn step(&mut self, action: usize) -> (Vec<f32>, Step) {
        self.act(&Action::Discrete(action))
    }

    pub fn act(&mut self, action: &Action) -> (Vec<f32>, Step) {
        let step = self.env.step(action, &mut self.obs).expect("a legal action");
        (self.seen(), step)
    }

    #[allow(dead_code)] // each test binary uses some
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let mut out = Vec::new();
        self.env.metrics(&mut |name, value| out.push((name.to_owned(), value)));
        out
    }
}
