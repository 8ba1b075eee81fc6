//! Plays a built-in environment action by action.

use amago_env::{Action, Column, Env, Observation, Step};

/// An environment and its last observation.
pub struct Play<E> {
    pub env: E,
    obs: Observation,
}

impl<E: Env> Play<E> {
    pub fn new(env: E) -> Self {
        let obs = Observation::new(env.observation_space());
        Self { env, obs }
    }

    pub fn seen(&self) -> Vec<f32> {
        match &self.obs.columns()[0] {
            Column::F32(values) => values.clone(),
            Column::U8(_) => panic!("no built-in environment has images"),
        }
    }

    pub fn reset(&mut self, seed: u64) -> Vec<f32> {
        self.env.reset(seed, &mut self.obs).expect("a built-in environment resets");
        self.seen()
    }

    pub fn step(&mut self, action: usize) -> (Vec<f32>, Step) {
        let step = self.env.step(&Action::Discrete(action), &mut self.obs).expect("a legal action");
        (self.seen(), step)
    }

    #[allow(dead_code)] // each test binary uses some
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let mut out = Vec::new();
        self.env.metrics(&mut |name, value| out.push((name.to_owned(), value)));
        out
    }
}
