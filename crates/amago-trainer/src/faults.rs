//! Environments that fail: what a run puts up with.

use std::collections::VecDeque;

use amago_env::guard::Guarded;
use amago_env::vector::{Phase, VecEnv, VecEnvError, WorkerFault};
use amago_env::{Env, Role};

use crate::TrainError;
use crate::maker::Crew;

/// Puts fresh environments in the place of those that failed, as long as failures are rare.
pub(crate) struct Faults {
    make: Crew,
    /// Faults per step that are too many.
    rate: f64,
    steps: u64,
    count: u64,
    /// What the first one since the last report was.
    first: Option<String>,
    reported: u64,
}

impl Faults {
    /// `rate` is the largest share of steps that may fail; beyond it, the first one is forgiven. At zero
    /// none is.
    pub fn new(make: Crew, rate: f64) -> Self {
        Self { make, rate, steps: 0, count: 0, first: None, reported: 0 }
    }

    /// Forgives nothing.
    pub fn fatal() -> Self {
        Self::new(Box::new(|_| unreachable!("nothing is replaced")), 0.0)
    }

    /// Counts steps or resets, over all environments.
    pub fn stepped(&mut self, steps: usize) {
        self.steps += steps as u64;
    }

    /// Faults since the last call, and what the first of them was.
    pub fn report(&mut self) -> (u64, Option<String>) {
        let new = self.count - self.reported;
        self.reported = self.count;
        (new, self.first.take())
    }

    /// Begins new episodes in environments of their own where workers failed, and tells where.
    ///
    /// # Errors
    /// When the failure is not that of single workers, or there were too many.
    pub fn revive(&mut self, envs: &mut VecEnv, error: VecEnvError) -> Result<Vec<usize>, TrainError> {
        let VecEnvError::Workers(faults) = error else { return Err(error.into()) };
        let mut faults = VecDeque::from(faults);
        let mut revived = Vec::new();
        while let Some(fault) = faults.pop_front() {
            if self.is_too_many(&fault) {
                faults.push_front(fault);
                return Err(self.too_many(faults.into()));
            }
            let worker = fault.worker;
            // The one that failed to drop has a successor already.
            if fault.phase == Phase::Drop {
                continue;
            }
            match (self.make)(worker) {
                // Counted as a fault like any other, and tried again: the cause may have passed.
                Err(cause) => faults.push_back(WorkerFault { phase: Phase::Make, cause, ..fault }),
                Ok(env) => {
                    match envs.restart(worker, Some(env)) {
                        Ok(_) => {}
                        Err(VecEnvError::Workers(again)) => faults.extend(again),
                        Err(other) => return Err(other.into()),
                    }
                    if !envs.results()[worker].faulted {
                        revived.push(worker);
                    }
                }
            }
        }
        Ok(revived)
    }

    /// Makes a vector of environments. One that cannot be made is a fault as any other.
    ///
    /// # Errors
    /// When there were too many, or the environments do not fit together.
    pub fn vector(&mut self, n: usize, run_seed: u64, role: Role) -> Result<VecEnv, TrainError> {
        self.stepped(n);
        loop {
            match VecEnv::new(self.make(n)?, run_seed, role) {
                Err(VecEnvError::Workers(faults)) => self.note(faults.into())?,
                made => return Ok(made?),
            }
        }
    }

    fn make(&mut self, n: usize) -> Result<Vec<Box<dyn Env>>, TrainError> {
        let mut made = Vec::with_capacity(n);
        while made.len() < n {
            match (self.make)(made.len()) {
                Ok(env) => made.push(env),
                Err(cause) => {
                    let (worker, env) = (made.len(), "not made yet".to_owned());
                    let fault = WorkerFault { worker, env, episode: 0, phase: Phase::Make, cause };
                    if let Err(error) = self.note(vec![fault].into()) {
                        // Behind a guard, because dropping may panic and the first error is the one to tell.
                        made.into_iter().for_each(|env| drop(Guarded::new(env)));
                        return Err(error);
                    }
                }
            }
        }
        Ok(made)
    }

    /// Drops environments, and counts those that fail to.
    ///
    /// # Errors
    /// When there were too many.
    pub fn close(&mut self, envs: VecEnv) -> Result<(), TrainError> {
        match envs.close() {
            Err(VecEnvError::Workers(faults)) => self.note(faults.into()),
            other => Ok(other?),
        }
    }

    /// Counts faults after which nothing is to be replaced.
    fn note(&mut self, mut faults: VecDeque<WorkerFault>) -> Result<(), TrainError> {
        while let Some(fault) = faults.pop_front() {
            if self.is_too_many(&fault) {
                faults.push_front(fault);
                return Err(self.too_many(faults.into()));
            }
        }
        Ok(())
    }

    /// Counts a fault.
    fn is_too_many(&mut self, fault: &WorkerFault) -> bool {
        self.count += 1;
        self.first.get_or_insert_with(|| fault.to_string());
        // At the start every fault is a large share of few steps, hence one more. A rate of zero forgives
        // nothing.
        self.count as f64 > self.rate * self.steps as f64 + f64::from(u8::from(self.rate > 0.0))
    }

    fn too_many(&self, faults: Vec<WorkerFault>) -> TrainError {
        let last = VecEnvError::Workers(faults);
        match self.rate > 0.0 {
            true => TrainError::Faults { count: self.count, steps: self.steps, rate: self.rate, last },
            false => last.into(),
        }
    }
}

/// What to say when environments were replaced.
pub(crate) fn replaced(faults: u64, first: &str) -> String {
    format!("{faults} environments failed and were replaced; the first: {first}")
}
