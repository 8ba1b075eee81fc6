//! From a config to a policy: collect, store, learn, evaluate, checkpoint.
//!
//! [`RunConfig`] is what a user writes, [`Plan`] what was checked and resolved, [`Trainer::run`] the
//! loop. This crate prints nothing: progress goes to an [`Observer`], numbers to
//! `metrics.jsonl`.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod checkpoint;
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
mod trainer;
mod weights;

pub use checkpoint::{Checkpoint, CheckpointMeta, RunState};
pub use collect::{CollectReport, Collector, CollectorState};
pub use config::{
    ActionChoice, BadUpdate, ContextRefresh, DatasetConfig, EnvConfig, EvalConfig, Mode, Precision,
    ReplayConfig, RunConfig, TrainConfig,
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
