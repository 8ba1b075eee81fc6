//! What can stop a run.

use std::path::PathBuf;

use amago_agent::ConfigError;
use amago_dataset::DatasetError;
use amago_env::exploration::ExplorationError;
use amago_env::vector::VecEnvError;
use amago_env::{EnvError, SpaceError};
use amago_replay::{RelabelError, ReplayError};

use crate::cast::{TaskError, of_config};
use crate::memory::gigabytes;
use crate::{MemoryEstimate, Misfits};

/// A run that cannot start or go on. A message is whole: it ends with the cause, which is therefore not told
/// again as a `source`.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A config that cannot be read.
    #[error("{source_name}: {message}")]
    Config {
        /// File or origin.
        source_name: String,
        /// What is wrong, with the key.
        message: String,
    },
    /// Agent settings that clash.
    #[error("agent.{0}")]
    Agent(ConfigError),
    /// Optimiser settings that cannot train.
    #[error("optim.{0}")]
    Optim(ConfigError),
    /// A size that nobody means.
    #[error("{name} = {value} is too large: at most {most}")]
    TooLarge {
        /// Setting.
        name: String,
        /// Its value.
        value: i64,
        /// The largest.
        most: u64,
    },
    /// More memory than there is.
    #[error(
        "the run needs at least {} of memory, this machine has {}: {} for weights and optimiser ([agent]), {} for a \
         batch (train.batch_size, train.max_seq_len, optim.micro_batches), {} for running episodes \
         (train.parallel_actors, train.max_seq_len)",
        gigabytes(&need.total()), gigabytes(have), gigabytes(&need.weights), gigabytes(&need.batch),
        gigabytes(&need.rollouts)
    )]
    Memory {
        /// What is needed at least.
        need: MemoryEstimate,
        /// What there is, in bytes.
        have: f64,
    },
    /// A loop setting that is out of range.
    #[error("{name} = {value} must be {rule}")]
    Setting {
        /// Setting.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A setting that is out of range.
    #[error("{name} = {value} must be {rule}")]
    Number {
        /// Setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A device that does not compute in bfloat16.
    #[error(
        "train.precision = \"bf16\" needs a GPU with bfloat16: the CPU computes in f32 (train.precision = \"f32\")"
    )]
    NoBf16,
    /// Learning alone, without data.
    #[error("train.mode = \"learn\" needs replay.datasets with a weight above 0: it collects nothing itself")]
    NothingToLearnFrom,
    /// Datasets that do not say what they hold.
    #[error(
        "env.id is missing, and none of replay.datasets names its spaces: Minari datasets and folders that `amago \
         dataset convert` makes of them do; for others name the environment"
    )]
    NoSpaces,
    /// A dataset that cannot be learned from.
    #[error(transparent)]
    Dataset(DatasetError),
    /// Learning waits for more trajectories than are kept.
    #[error(
        "train.min_trajectories = {min} is above replay.max_trajectories = {max}: learning would never begin"
    )]
    NeverReady {
        /// Trajectories waited for.
        min: usize,
        /// Trajectories kept.
        max: usize,
    },
    /// More parts than a batch has sequences.
    #[error("optim.micro_batches = {parts} is above train.batch_size = {size}")]
    MicroBatches {
        /// Parts of a batch.
        parts: usize,
        /// Sequences of a batch.
        size: usize,
    },
    /// Losses that a mask wants to see, but that are never there at once.
    #[error(
        "optim.micro_batches = {parts} excludes a loss mask that sees the losses (LossMask::sees_losses): they are needed \
         all at once, so set optim.micro_batches = 1"
    )]
    MaskSeesLosses {
        /// Parts of a batch.
        parts: usize,
    },
    /// The encoder is not one of ours.
    #[error(
        "agent.traj_encoder.kind = \"own\": the encoder \"{name}\" exists only in the program that brings it \
         along (OwnParts::encoder of Plan::with_parts)"
    )]
    NoOwnEncoder {
        /// Its name.
        name: String,
    },
    /// An encoder that would not be used.
    #[error("the program brings an encoder (OwnParts::encoder), but agent.traj_encoder.kind is not \"own\"")]
    UnusedOwnEncoder,
    /// Timesteps without a position of their own.
    #[error(
        "agent.traj_encoder.max_time = {max_time} must be above {name}, {len}: with pos_emb = \"learned\" every timestep \
         from 0 to {len} needs a vector"
    )]
    Positions {
        /// Vectors that there are.
        max_time: usize,
        /// What is as long or longer.
        name: String,
        /// How long that is.
        len: usize,
    },
    /// Relabelling of a task without an instruction.
    #[error("replay.relabel does not fit {task}: {cause}")]
    Relabel {
        /// The task.
        task: String,
        /// What it lacks.
        cause: RelabelError,
    },
    /// Relabelling of several attempts in one episode.
    #[error(
        "replay.relabel and env.options.k_shot exclude each other: every attempt begins the instruction anew"
    )]
    RelabelAttempts,
    /// Unusable exploration.
    #[error(transparent)]
    Exploration(#[from] ExplorationError),
    /// The environment cannot be made.
    #[error("{}", of_config(.0))]
    Env(EnvError),
    /// Tasks of a run that cannot be played.
    #[error(transparent)]
    Tasks(#[from] TaskError),
    /// The environment's spaces cannot be used.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Environments failed while stepping.
    #[error(transparent)]
    VecEnv(#[from] VecEnvError),
    /// Environments failed too often.
    #[error(
        "{count} faults of environments in {steps} steps are above train.max_fault_rate = {rate}; the last: {last}"
    )]
    Faults {
        /// Faults since the run began or was resumed.
        count: u64,
        /// Steps since then.
        steps: u64,
        /// The limit.
        rate: f64,
        /// The fault that was one too many.
        last: VecEnvError,
    },
    /// The state of a checkpoint is not that of the run.
    #[error("the checkpoint is that of another run: {reason}")]
    OtherRun {
        /// What differs.
        reason: String,
    },
    /// Replay failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The run folder is taken.
    #[error("{0} exists and is not empty: choose another --run-dir or remove it")]
    RunDirExists(PathBuf),
    /// Not a run folder.
    #[error("{path} is not a run folder: {reason}")]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A folder that trajectories are not put into.
    #[error("{0} holds something else than trajectories: choose an empty or a new folder")]
    NoReplayFolder(PathBuf),
    /// A run without stored trajectories.
    #[error("{0} is missing: the run has no stored trajectories")]
    NoReplay(PathBuf),
    /// Values of an agent that imitates without critics.
    #[error(
        "agent.fake_filter = true with agent.online_coeff = 0 trains no critics: there are no values to \
         inspect"
    )]
    NoCritics,
    /// A result could not be written.
    #[error("cannot write the values: {0}")]
    Output(std::io::Error),
    /// A file could not be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// A checkpoint is damaged.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// File or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of weights that cannot be read.
    #[error("{path}: not a file of weights that can be read: {reason}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Weights of another agent than the config's.
    #[error("{path}: {misfits}")]
    Misfits {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        misfits: Misfits,
    },
    /// The loss or its gradient is no number any more, or above the limit.
    #[error(
        "update {update}: the loss is {loss}, its gradient norm {grad_norm}; the weights of the update before \
         it were kept and saved, its batch is in {batch}"
    )]
    BadUpdate {
        /// Number of the update, from 1.
        update: u64,
        /// Its loss.
        loss: f32,
        /// Norm of its gradient.
        grad_norm: f32,
        /// File of its batch.
        batch: PathBuf,
    },
}

impl From<DatasetError> for TrainError {
    fn from(error: DatasetError) -> Self {
        match error {
            DatasetError::Replay(error) => Self::Replay(error),
            other => Self::Dataset(other),
        }
    }
}

/// No `source`: the message tells it already.
impl From<EnvError> for TrainError {
    fn from(error: EnvError) -> Self {
        TrainError::Env(error)
    }
}

impl TrainError {
    /// Wraps an I/O error with the path it happened at.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |cause| TrainError::Io { path, cause }
    }
}
