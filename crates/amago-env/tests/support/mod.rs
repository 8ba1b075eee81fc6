//! An environment that counts to five and breaks in a chosen way.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use amago_env::{Action, DictSpace, Env, EnvError, Observation, Space, Step, TaskSpec};

/// What a seed cannot know.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// How to break: in the third step unless the name says otherwise.
#[allow(dead_code)] // each test binary uses some
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    NanReward,
    InfiniteObs,
    OutOfSpace,
    WrongWidth,
    OtherBuffer,
    PanicInStep,
    PanicInMetrics,
    PanicInSecondReset,
    EmptySpace,
    NanMetric,
    AcceptsEverything,
    UntypedRefusal,
    TooLong,
    LeaksBetweenEpisodes,
    GlobalState,
    ForgetsToWrite,
    SpaceChanges,
    NameChanges,
    /// Does not answer for a minute.
    Hangs,
}

/// Observation `[t / 10, 0]`, reward 1 per step, ends after five steps.
pub struct Scripted {
    fault: Fault,
    spec: TaskSpec,
    pub time: usize,
    resets: usize,
}

impl Scripted {
    pub fn new(fault: Fault) -> Self {
        let width = if fault == Fault::EmptySpace { 0 } else { 2 };
        let horizon = if fault == Fault::TooLong { 4 } else { 5 };
        let (observation, action) = (Space::box_f32(&[width], 0.0, 1.0), Space::Discrete { n: 2 });
        let spec = TaskSpec::new("scripted", observation, action).with_horizon(horizon);
        Self { fault, spec, time: 0, resets: 0 }
    }

    fn observe(&self, second: f32, obs: &mut Observation) -> Result<(), EnvError> {
        obs.write(DictSpace::SINGLE, &[self.time as f32 / 10.0, second])
    }

    fn break_step(&mut self, obs: &mut Observation) -> Result<f32, EnvError> {
        let key = DictSpace::SINGLE;
        match self.fault {
            Fault::NanReward => return Ok(f32::NAN),
            Fault::InfiniteObs => obs.write(key, &[f32::INFINITY, 0.0])?,
            Fault::OutOfSpace => obs.write(key, &[0.0, 1.5])?,
            Fault::WrongWidth => obs.write(key, &[0.0])?,
            Fault::OtherBuffer => {
                *obs = Observation::new(&DictSpace::single(Space::box_f32(&[3], 0.0, 1.0)));
            }
            Fault::PanicInStep => panic!("broken on purpose"),
            Fault::Hangs => thread::sleep(Duration::from_secs(60)),
            Fault::SpaceChanges => self.spec.action_space = Space::Discrete { n: 3 },
            Fault::NameChanges => self.spec.name.push_str(", again"),
            _ => {}
        }
        Ok(1.0)
    }
}

impl Env for Scripted {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, _seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.time = 0;
        self.resets += 1;
        assert!(self.fault != Fault::PanicInSecondReset || self.resets < 2, "broken on purpose");
        let leak = if self.fault == Fault::LeaksBetweenEpisodes { self.resets as f32 / 100.0 } else { 0.0 };
        self.observe(leak, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        match (self.fault, action.choice(&self.spec.action_space)) {
            (Fault::AcceptsEverything, _) | (_, Ok(_)) => {}
            (Fault::UntypedRefusal, Err(e)) => return Err(EnvError::Failed(e.to_string())),
            (_, Err(e)) => return Err(e.into()),
        }
        self.time += 1;
        let second = match self.fault {
            Fault::GlobalState => (CALLS.fetch_add(1, Ordering::Relaxed) % 1000) as f32 / 1000.0,
            _ => 0.0,
        };
        if self.fault != Fault::ForgetsToWrite || self.time != 3 {
            self.observe(second, obs)?;
        }
        let reward = if self.time == 3 { self.break_step(obs)? } else { 1.0 };
        Ok(Step { reward, terminated: self.time >= 5, truncated: false })
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        assert!(self.fault != Fault::PanicInMetrics, "broken on purpose");
        report("steps", if self.fault == Fault::NanMetric { f64::NAN } else { self.time as f64 });
    }

    fn success(&self) -> Option<bool> {
        Some(true)
    }
}
