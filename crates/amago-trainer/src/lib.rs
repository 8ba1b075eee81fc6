//! From a config to a policy: collect, store, learn, evaluate, checkpoint.
//!
//! [`RunConfig`] is what a user writes, [`Plan`] what was checked and resolved, [`Trainer::run`] the
//! loop. This crate prints nothing: progress goes to an [`Observer`], numbers to
//! `metrics.jsonl`.
//!
//! ```
//! use amago_trainer::{ConfigSource, Plan, RunDir, Silent, StopFlag, Trainer, load_config};
//! use burn::tensor::Device;
//!
//! // A run of milliseconds.
//! let text = r#"
//!     env = { id = "tmaze-passive", options = { corridor_length = 3 } }
//!     eval = { episodes = 2 }
//!     [train]
//!     epochs = 1
//!     parallel_actors = 2
//!     timesteps_per_epoch = 8
//!     batches_per_epoch = 2
//!     batch_size = 2
//!     max_seq_len = 4
//!     [agent]
//!     multi_gammas = []
//!     tstep_encoder = { d_hidden = 8, d_output = 8 }
//!     traj_encoder = { kind = "identity" }
//!     actor = { d_hidden = 8 }
//!     critic = { d_hidden = 8 }
//! "#;
//! let config = load_config(&ConfigSource { name: "tiny.toml", text, overrides: &[] })?;
//! let plan = Plan::new(config)?;
//! # let folder = tempfile::tempdir()?;
//! # let runs = folder.path();
//! let run = RunDir::create(&runs.join("tiny"), &plan.config)?;
//! let outcome =
//!     Trainer::new(plan, run.clone(), &Device::flex())?.run(&StopFlag::default(), &mut Silent)?;
//! assert_eq!((outcome.meta.epoch, outcome.meta.updates), (1, 2));
//! assert!(outcome.eval.is_some() && run.metrics_file().is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod cast;
mod checkpoint;
mod checks;
mod collect;
mod config;
mod convert;
mod data;
mod driver;
mod error;
mod evaluate;
mod faults;
mod files;
mod histogram;
mod inspect;
mod learn;
mod load;
mod machine;
mod maker;
mod memory;
mod metrics;
mod observer;
mod plan;
mod player;
mod prefetch;
mod reach;
mod reference;
mod run_dir;
mod sizes;
mod task;
mod trainer;
mod weights;

pub use cast::TaskError;
pub use checkpoint::{Checkpoint, CheckpointMeta, RunState};
pub use collect::{CollectReport, Collector, CollectorState};
pub use config::{
    ActionChoice, BadUpdate, ContextRefresh, DatasetConfig, EnvConfig, EvalConfig, EvalTaskConfig, Mode,
    Precision, Reference, ReplayConfig, RunConfig, TaskConfig, TrainConfig,
};
pub use convert::{obs_layout, obs_spec, train_batch};
pub use driver::{DriverState, PolicyDriver};
pub use error::TrainError;
pub use evaluate::{
    Episodes, EvalReport, MAX_PARALLEL, TaskReport, UNKNOWN_HORIZON, cut_short, evaluate, play,
    saved_episodes, step_limit,
};
pub use inspect::{InspectSummary, Inspection, Recording, Shot, record};
pub use load::{ConfigSource, load_config, parse_overrides};
pub use maker::{Maker, PYTHON_PREFIX, describe_env};
pub use memory::MemoryEstimate;
pub use metrics::{EpochRecord, Field, MetricsLog, PolicyAge, ReplayRecord, TimeRecord};
pub use observer::{Event, Observer, Silent, StopFlag};
pub use plan::{EncoderFactory, EnvFactory, OwnParts, Plan};
pub use player::Play;
pub use reference::{Setting, config_schema, settings};
pub use run_dir::RunDir;
pub use sizes::MAX_EPISODES;
pub use trainer::{Outcome, Trainer};
pub use weights::{Imported, Misfits, StateDict, import, read_state_dict};
