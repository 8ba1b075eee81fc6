//! Several attempts at the same task as one episode.

use crate::render::{Frame, Grid};
use crate::{Action, Env, EnvError, Observation, Role, Space, Step, TaskSpec, stream_seed};

/// Any environment, played `k` times on the same task.
///
/// Where the environment's episode ends, the next attempt begins within the same step: its first
/// observation is the one that the step writes, and the last one of the attempt before is not
/// seen. Only the end of attempt `k` ends the episode, terminated or truncated as that attempt was.
///
/// The observation gets one more key, [`KShot::KEY`], with two numbers from 0 to 1: whether an
/// attempt just began, and the number of attempts that have ended, over `k`.
///
/// Metrics: `attempt {i} return` and, where the task defines success, `attempt {i} success`. The
/// episode is a success when its last attempt is.
///
/// In configuration files it is the option `k_shot` of any environment, see
/// [`crate::registry::make`].
pub struct KShot {
    env: Box<dyn Env>,
    spec: TaskSpec,
    k: usize,
    task: u64,
    /// Of the attempts that have ended.
    outcomes: Vec<(f64, Option<bool>)>,
    attempt_return: f64,
}

/// A running episode.
#[derive(serde::Serialize, serde::Deserialize)]
struct State {
    task: u64,
    outcomes: Vec<(f64, Option<bool>)>,
    attempt_return: f64,
    env: Vec<u8>,
}

impl KShot {
    /// Key of the reset signal in the observation.
    pub const KEY: &'static str = "attempt";

    /// Makes `k` attempts of an environment's episode.
    ///
    /// # Errors
    /// When `k` is zero, or the environment has an observation of that key.
    pub fn new(env: Box<dyn Env>, k: usize) -> Result<Self, EnvError> {
        let refuse = |message| Err(EnvError::Option { env: env.task().to_owned(), message });
        if k == 0 {
            return refuse("k_shot must be at least 1".to_owned());
        }
        let mut spec = env.spec().clone();
        spec.horizon = spec.horizon.map(|steps| steps.saturating_mul(k));
        let keys = &mut spec.observation_space.0;
        if keys.insert(Self::KEY.to_owned(), Space::box_f32(&[2], 0.0, 1.0)).is_some() {
            return refuse(format!("k_shot needs the observation key \"{}\", which is taken", Self::KEY));
        }
        let outcomes = Vec::with_capacity(k.min(1024));
        Ok(Self { env, spec, k, task: 0, outcomes, attempt_return: 0.0 })
    }

    fn signal(&self, begins: bool, obs: &mut Observation) -> Result<(), EnvError> {
        obs.write(Self::KEY, &[f32::from(begins), self.outcomes.len() as f32 / self.k as f32])
    }
}

impl Env for KShot {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn task(&self) -> &str {
        self.env.task()
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.task = seed;
        self.outcomes.clear();
        self.attempt_return = 0.0;
        self.env.reset(seed, obs)?;
        self.signal(true, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let mut step = self.env.step(action, obs)?;
        self.attempt_return += f64::from(step.reward);
        let ends = step.done();
        if ends {
            self.outcomes.push((self.attempt_return, self.env.success()));
            self.attempt_return = 0.0;
            let attempt = self.outcomes.len();
            if attempt < self.k {
                self.env.retry(self.task, stream_seed(self.task, Role::Attempt, 0, attempt as u64), obs)?;
                step = Step { terminated: false, truncated: false, ..step };
            }
        }
        self.signal(ends && !step.done(), obs)?;
        Ok(step)
    }

    fn start_step(&mut self, action: &Action, next_seed: u64) -> bool {
        // The default of `retry` resets to the task; the last attempt is followed by another one.
        let last = self.outcomes.len() + 1 >= self.k;
        self.env.start_step(action, if last { next_seed } else { self.task })
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        for (i, (attempt_return, success)) in self.outcomes.iter().enumerate() {
            report(&format!("attempt {i} return"), *attempt_return);
            if let Some(success) = success {
                report(&format!("attempt {i} success"), f64::from(u8::from(*success)));
            }
        }
    }

    fn success(&self) -> Option<bool> {
        self.outcomes.last()?.1
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        let env = self.env.save_state()?;
        let state = State {
            task: self.task,
            outcomes: self.outcomes.clone(),
            attempt_return: self.attempt_return,
            env,
        };
        rmp_serde::to_vec(&state).ok()
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let state: State = rmp_serde::from_slice(state).map_err(|e| EnvError::Failed(e.to_string()))?;
        self.env.load_state(&state.env)?;
        (self.task, self.outcomes, self.attempt_return) = (state.task, state.outcomes, state.attempt_return);
        Ok(())
    }

    fn attempt(&self) -> Option<usize> {
        Some(self.outcomes.len().min(self.k - 1))
    }

    fn draw(&self) -> Option<Grid> {
        self.env.draw()
    }

    fn render(&self) -> Option<Frame> {
        self.env.render()
    }

    fn render_text(&self) -> Option<String> {
        self.env.render_text()
    }
}
