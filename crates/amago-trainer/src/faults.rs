//! Environments that fail: what a run puts up with.

use std::collections::VecDeque;
use std::sync::Arc;

use amago_env::vector::{Phase, VecEnv, VecEnvError, WorkerFault};

use crate::{EnvFactory, TrainError};

/// Puts fresh environments in the place of those that failed, as long as failures are rare.
pub(crate) struct Faults {
    make: EnvFactory,
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
    pub fn new(make: EnvFactory, rate: f64) -> Self {
        Self { make, rate, steps: 0, count: 0, first: None, reported: 0 }
    }

    /// Forgives nothing.
    pub fn fatal() -> Self {
        Self::new(Arc::new(|| unreachable!("nothing is replaced")), 0.0)
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
            self.count += 1;
            self.first.get_or_insert_with(|| fault.to_string());
            if self.count as f64 > self.rate * self.steps as f64 + f64::from(u8::from(self.rate > 0.0)) {
                faults.push_front(fault);
                let faults = VecEnvError::Workers(faults.into());
                return Err(match self.rate > 0.0 {
                    true => TrainError::Faults {
                        count: self.count,
                        steps: self.steps,
                        rate: self.rate,
                        last: faults,
                    },
                    false => faults.into(),
                });
            }
            let worker = fault.worker;
            match (self.make)() {
                Err(cause) => faults.push_back(WorkerFault { phase: Phase::Reset, cause, ..fault }),
                Ok(env) => match envs.restart(worker, Some(env)) {
                    Ok(_) => revived.push(worker),
                    Err(VecEnvError::Workers(again)) => faults.extend(again),
                    Err(other) => return Err(other.into()),
                },
            }
        }
        Ok(revived)
    }
}

/// What to say when environments were replaced.
pub(crate) fn replaced(faults: u64, first: &str) -> String {
    format!("{faults} environments failed and were replaced; the first: {first}")
}
