//! Environments that fail in a chosen way, and plans whose second worker does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use amago_env::{Action, DictSpace, Env, EnvError, Observation, Space, Step, TaskSpec};
use amago_trainer::{Plan, RunConfig};

/// How to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    NanReward,
    HugeReward,
    NanObservation,
    WrongWidth,
    OtherBuffer,
    Panic,
    Reset,
}

/// Episodes before the fault.
pub const HEALTHY: usize = 4;
/// Steps of an episode.
pub const EPISODE: usize = 3;

/// Observation `[t / 10, 1]`, three steps. Fails in the second step of episode number four, or in
/// its reset.
pub struct Fragile {
    fault: Fault,
    spec: TaskSpec,
    time: usize,
    episodes: usize,
}

impl Fragile {
    pub fn new(fault: Fault) -> Self {
        let (observation, action) = (Space::box_f32(&[2], 0.0, 1.0), Space::Discrete { n: 2 });
        let spec = TaskSpec::new("fragile", observation, action).with_horizon(EPISODE);
        Self { fault, spec, time: 0, episodes: 0 }
    }

    fn observe(&self, obs: &mut Observation) -> Result<(), EnvError> {
        obs.write(DictSpace::SINGLE, &[self.time as f32 / 10.0, 1.0])
    }

    fn fail(&self, obs: &mut Observation) -> Result<f32, EnvError> {
        let key = DictSpace::SINGLE;
        match self.fault {
            Fault::NanReward => return Ok(f32::NAN),
            Fault::HugeReward => return Ok(1e30),
            Fault::NanObservation => obs.write(key, &[f32::NAN, 0.0])?,
            Fault::WrongWidth => obs.write(key, &[0.0; 3])?,
            Fault::OtherBuffer => *obs = Observation::new(&DictSpace::single(Space::box_f32(&[3], 0.0, 1.0))),
            Fault::Panic => panic!("broken on purpose"),
            Fault::None | Fault::Reset => {}
        }
        Ok(0.0)
    }
}

impl Env for Fragile {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.time = 0;
        self.episodes += 1;
        if self.fault == Fault::Reset && self.episodes > HEALTHY {
            return Err(EnvError::Failed("no more levels".to_owned()));
        }
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        action.choice(&self.spec.action_space)?;
        self.time += 1;
        self.observe(obs)?;
        let broken = self.episodes > HEALTHY && self.time == 2;
        let reward = if broken { self.fail(obs)? } else { 0.0 };
        Ok(Step { reward, terminated: self.time == EPISODE, truncated: false })
    }
}

/// A plan in which training worker 1 has the fault. Evaluations are healthy.
pub fn second_worker_fails(config: RunConfig, fault: Fault) -> Plan {
    let made = AtomicUsize::new(0);
    let make = move || -> Result<Box<dyn Env>, EnvError> {
        // The plan looks at number 0; the workers are numbers 1 and 2.
        let own = if made.fetch_add(1, Ordering::Relaxed) == 2 { fault } else { Fault::None };
        Ok(Box::new(Fragile::new(own)))
    };
    Plan::with_env(config, Arc::new(make)).expect("a legal plan")
}

/// A plan whose every environment has the fault.
pub fn all_fail(config: RunConfig, fault: Fault) -> Plan {
    Plan::with_env(config, Arc::new(move || Ok(Box::new(Fragile::new(fault))))).expect("a legal plan")
}
