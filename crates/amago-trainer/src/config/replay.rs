//! What is stored and what is learned from.

use std::path::PathBuf;

use amago_replay::{Padding, Relabeler, StoreConfig};

/// Stored trajectories.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayConfig {
    /// Most trajectories kept; the oldest go first. 0 for no limit.
    pub max_trajectories: usize,
    /// Most bytes kept on disk; the oldest go first. 0 for no limit.
    pub max_bytes: u64,
    /// Bytes of trajectories held in memory, whatever the buffer's size.
    pub cache_bytes: u64,
    /// Where slices of long trajectories start.
    pub padding: Padding,
    /// Longest stored trajectory in transitions; longer rollouts are cut into several. 0 for whole episodes, as long as
    /// they keep to the environment's horizon. One that goes on beyond it, so that nothing of it would ever be stored,
    /// is cut there; where the horizon is unknown after 10,000 transitions, or `train.max_seq_len` if that is more.
    pub traj_save_len: usize,
    /// Whether each of those is cut at another length, uniform in `traj_save_len` ± `train.max_seq_len`, so that
    /// no cuts fall on the same steps in all environments.
    pub traj_save_stagger: bool,
    /// Weight of the run's own trajectories among the datasets when a batch is drawn.
    pub weight: f64,
    /// Their weight in the epoch in which enough are stored; from there it goes to `weight` over `anneal_epochs`.
    /// Left out, it is `weight`, or grows from zero where other datasets were ready earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weight: Option<f64>,
    /// Other datasets, drawn from and never changed.
    pub datasets: Vec<DatasetConfig>,
    /// Epochs over which the weight of what becomes ready later than the rest, and of what has an
    /// `initial_weight`, comes to its full size.
    pub anneal_epochs: usize,
    /// How many goals that were not reached become places that the agent came to, in training alone.
    /// Needs a task whose observations are an instruction, see [`amago_replay::relabel`].
    pub relabel: Relabeler,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        Self {
            max_trajectories: 20_000,
            max_bytes: 0,
            cache_bytes: 256 << 20,
            padding: Padding::None,
            traj_save_len: 0,
            traj_save_stagger: false,
            weight: 1.0,
            initial_weight: None,
            datasets: Vec::new(),
            anneal_epochs: 0,
            relabel: Relabeler::None,
        }
    }
}

/// Trajectories that another run collected, that the original saved as `.npz`, or that Minari recorded.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// The folder; what kind of dataset it is is found out. A replay folder, for example `runs/expert-001/replay`; a folder
    /// of the original's `.npz` files, which are in the folder itself, or in `buffer`, `protected` or `fifo` in it; or a
    /// Minari dataset in HDF5 or Arrow, for example `datasets/D4RL/pen/human-v2` (the folder that holds
    /// `data`). `amago dataset info` tells what is in it.
    pub path: PathBuf,
    /// Its weight when a batch is drawn.
    #[serde(default = "one")]
    pub weight: f64,
    /// Its weight in the epoch in which it becomes ready; from there it goes to `weight` over
    /// `replay.anneal_epochs`. Left out, it is `weight`, or grows from zero where others were ready earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_weight: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl ReplayConfig {
    /// The limits of the store.
    pub(crate) fn store(&self) -> StoreConfig {
        StoreConfig {
            max_trajectories: (self.max_trajectories > 0).then_some(self.max_trajectories),
            max_bytes: (self.max_bytes > 0).then_some(self.max_bytes),
            cache_bytes: self.cache_bytes,
            relabel: self.relabel,
        }
    }
}
