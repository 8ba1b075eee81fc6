//! What a checkpoint says of a run, besides networks and optimiser.

use amago_replay::Snapshot;

use crate::learn::Learned;
use crate::{CollectorState, EpochRecord, PolicyAge};

/// Where a run stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointMeta {
    /// Epochs done.
    pub epoch: usize,
    /// Updates done.
    pub updates: u64,
    /// Updates that were skipped because the loss or its gradient was unusable.
    pub skipped: u64,
    /// Environment steps taken.
    pub env_steps: u64,
    /// Steps of each environment in the epoch that was interrupted.
    pub collected: usize,
    /// Updates, done or skipped, in the epoch that was interrupted.
    pub learned: usize,
}

/// What a run needs besides networks and optimiser to go on as if nothing had happened. Random streams need
/// nothing: they are made again from the counters of [`CheckpointMeta`].
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// Trajectories that were drawn from.
    pub replay: Snapshot,
    /// The epochs in which the run's own replay, and each dataset, became ready.
    pub ready_since: Vec<Option<usize>>,
    /// When the trajectories were collected, for the metrics.
    pub policy_age: PolicyAge,
    /// Running episodes; absent where nothing is collected.
    pub collector: Option<CollectorState>,
    /// What learning gave in the epoch in which the run was stopped.
    #[serde(default)]
    pub learned: Learned,
    /// An epoch that is done but for its evaluation, which was cut short.
    #[serde(default)]
    pub unevaluated: Option<EpochRecord>,
    /// Mean return of the best evaluation.
    pub best: Option<f64>,
    /// Seconds of training.
    pub seconds: f64,
}
