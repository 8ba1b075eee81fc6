//! A task whose sensor fails once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amago_env::{Action, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};
use amago_trainer::{Plan, RunConfig};
use rand::{RngExt, SeedableRng};

/// Steps of an episode; each shows another sign.
pub const EPISODE: usize = 10;

/// The key `sign` is a number around plus or minus one: its sign is the answer, worth one. The key `clock` counts
/// steps.
pub struct Glitch {
    spec: TaskSpec,
    /// What the first episode of all shows instead, in its fourth step.
    value: Option<f32>,
    shown: Arc<AtomicBool>,
    draws: Rng,
    time: usize,
    answer: usize,
}

impl Glitch {
    fn observe(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.answer = self.draws.random_range(0..2);
        let mut sign = self.answer as f32 * 2.0 - 1.0 + self.draws.random_range(-0.5..0.5);
        if let Some(value) = self.value.filter(|_| self.time == 4)
            && !self.shown.swap(true, Ordering::Relaxed)
        {
            sign = value;
        }
        obs.write("sign", &[sign])?;
        obs.write("clock", &[self.time as f32 / EPISODE as f32])
    }
}

impl Env for Glitch {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.draws, self.time) = (Rng::seed_from_u64(seed), 0);
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let right = action.choice(&self.spec.action_space)? == self.answer;
        self.time += 1;
        self.observe(obs)?;
        Ok(Step { reward: f32::from(u8::from(right)), terminated: self.time == EPISODE, truncated: false })
    }
}

/// A plan of this task in which one observation of all training is `value`.
pub fn glitch(config: RunConfig, value: Option<f32>) -> Plan {
    let key = |low, high| Space::box_f32(&[1], low, high);
    let keys = [("sign", key(f32::NEG_INFINITY, f32::INFINITY)), ("clock", key(0.0, 1.0))];
    let spec = TaskSpec::new("glitch", keys, Space::Discrete { n: 2 }).with_horizon(EPISODE);
    let shown = Arc::new(AtomicBool::new(false));
    let make = move || -> Result<Box<dyn Env>, EnvError> {
        Ok(Box::new(Glitch {
            spec: spec.clone(),
            value,
            shown: shown.clone(),
            draws: Rng::seed_from_u64(0),
            time: 0,
            answer: 0,
        }))
    };
    Plan::with_env(config, Arc::new(make)).expect("a legal plan")
}
