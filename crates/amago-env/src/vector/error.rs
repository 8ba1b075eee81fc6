//! What can go wrong in a vector of environments.

use std::fmt;

use crate::guard::{self, Guarded};
use crate::{EnvError, SpaceError};

/// What a worker was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Starting an episode.
    Reset,
    /// Taking a step.
    Step,
    /// Being made, and telling its spaces.
    Make,
    /// Saving its state for a checkpoint.
    Save,
    /// Being dropped, after another one took its place or nobody needs it any more.
    Drop,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Reset => "reset",
            Phase::Step => "step",
            Phase::Make => "make",
            Phase::Save => "save",
            Phase::Drop => "drop",
        })
    }
}

/// The failure of one worker.
#[derive(Debug, thiserror::Error)]
#[error("worker {worker} ({env}) failed in episode {episode}, {phase}: {cause}")]
pub struct WorkerFault {
    /// Its number.
    pub worker: usize,
    /// Name of its task.
    pub env: String,
    /// Number of the episode.
    pub episode: u64,
    /// What it was doing.
    pub phase: Phase,
    /// What went wrong.
    pub cause: EnvError,
}

impl WorkerFault {
    /// An environment that failed before its first episode.
    pub(super) fn making(worker: usize, env: &Guarded, cause: EnvError) -> Self {
        Self { worker, env: guard::task(&**env), episode: 0, phase: Phase::Make, cause }
    }
}

impl From<WorkerFault> for VecEnvError {
    fn from(fault: WorkerFault) -> Self {
        Self::Workers(vec![fault])
    }
}

/// A failure of a vector of environments.
#[derive(Debug, thiserror::Error)]
pub enum VecEnvError {
    /// No environments were given.
    #[error("a vector needs at least one environment")]
    Empty,
    /// A space cannot be used.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Environments of one vector have different spaces.
    #[error("worker {worker} ({env}) has the {which} space {got}, worker 0 has {expected}")]
    SpacesDiffer {
        /// The worker that differs from the first.
        worker: usize,
        /// Name of its task.
        env: String,
        /// `observation` or `action`.
        which: &'static str,
        /// The first worker's space.
        expected: String,
        /// Its space.
        got: String,
    },
    /// Another number of actions or saved states than workers.
    #[error("got {got} {what} for {expected} workers")]
    Count {
        /// What was counted.
        what: &'static str,
        /// Number given.
        got: usize,
        /// Number of workers.
        expected: usize,
    },
    /// No worker has this number.
    #[error("there is no worker {worker}: the vector has {workers}")]
    NoWorker {
        /// Number asked for.
        worker: usize,
        /// Number of workers.
        workers: usize,
    },
    /// A worker was never reset, or failed and was not restarted.
    #[error("worker {worker} is not ready: reset it, or restart it after its fault")]
    NotReady {
        /// Its number.
        worker: usize,
    },
    /// At least one worker failed, in the order of their numbers.
    #[error("{}", list(.0))]
    Workers(Vec<WorkerFault>),
}

impl VecEnvError {
    /// The workers that failed; empty for other errors.
    pub fn faults(&self) -> &[WorkerFault] {
        match self {
            VecEnvError::Workers(faults) => faults,
            _ => &[],
        }
    }
}

/// The first fault in full: the others are often the same.
fn list(faults: &[WorkerFault]) -> String {
    match faults {
        [] => "no worker failed".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more workers failed)", rest.len()),
    }
}
