//! What a user writes: typed, with defaults, unknown keys refused.

use amago_agent::{AgentConfig, OptimConfig};
use amago_env::exploration::ExplorationConfig;
use toml::Table;

mod replay;
mod tasks;
pub use replay::{DatasetConfig, ReplayConfig};
pub use tasks::{EvalTaskConfig, Reference, TaskConfig};

/// A whole run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// The loop.
    pub train: TrainConfig,
    /// The task.
    pub env: EnvConfig,
    /// Several tasks instead of `env`: each episode is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskConfig>,
    /// Noise on the actions of the training environments.
    pub exploration: ExplorationConfig,
    /// Stored trajectories.
    pub replay: ReplayConfig,
    /// Evaluation.
    pub eval: EvalConfig,
    /// AdamW.
    pub optim: OptimConfig,
    /// Networks and losses.
    pub agent: AgentConfig,
}

/// The task.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvConfig {
    /// Name of a built-in environment, `amago envs` lists them; or `gym:` and what Gymnasium calls one of Python. May be
    /// left out where `train.mode` is `learn`.
    pub id: String,
    /// Its options, and `k_shot`: how many of its episodes on the same task make one.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub options: Table,
}

/// The loop.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Rounds of collecting and learning.
    pub epochs: usize,
    /// Training environments stepped together.
    pub parallel_actors: usize,
    /// Steps per environment and epoch; 0 to learn from `replay.datasets` alone, in the environments' spaces.
    pub timesteps_per_epoch: usize,
    /// Updates per epoch.
    pub batches_per_epoch: usize,
    /// Sequences per update.
    pub batch_size: usize,
    /// Longest sequence in transitions; also the window of the rollout's memory.
    pub max_seq_len: usize,
    /// Learning waits until this many trajectories are stored.
    pub min_trajectories: usize,
    /// Epochs at the beginning that only collect.
    pub start_learning_at_epoch: usize,
    /// Epochs at the beginning that only learn, from `replay.datasets`: from offline to online.
    pub start_collecting_at_epoch: usize,
    /// Sample actions while collecting, instead of taking the most likely.
    pub sample_actions: bool,
    /// What happens to the memory of running episodes when the weights change.
    pub context_refresh: ContextRefresh,
    /// Epochs between checkpoints; one is written at the end in any case.
    pub checkpoint_interval: usize,
    /// Checkpoints kept, besides the one that did best in evaluation.
    pub keep_checkpoints: usize,
    /// How collecting and learning take turns.
    pub mode: Mode,
    /// Largest share of environment steps that may fail. An environment that fails is replaced and its
    /// episode dropped; beyond this share, the first one forgiven, the run ends. At 0 the first ends it.
    pub max_fault_rate: f64,
    /// Seconds after which an environment that does not answer has failed; 0 for never.
    pub env_timeout: f64,
    /// What happens when a loss or its gradient is no number, or above `loss_limit`.
    pub bad_update: BadUpdate,
    /// A loss, or a norm of its gradient, above this is unusable.
    pub loss_limit: f32,
    /// What the factors of matrix products are rounded to.
    pub precision: Precision,
    /// Pads tasks (`tasks`, `eval.tasks`) to the widest where their observations or actions differ: numbers with zeros,
    /// choices with options that an action mask forbids. Without it such tasks are refused.
    pub pad_tasks: bool,
}

/// What the factors of matrix products are rounded to; everything else is computed in f32.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Nothing.
    #[default]
    F32,
    /// bfloat16: mixed precision, on GPUs that have it.
    Bf16,
}

/// How collecting and learning take turns. Both ways are repeatable, and make the same number of updates per
/// environment step.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// An epoch collects, then learns.
    #[default]
    Alternate,
    /// An epoch collects and learns at the same time, so it learns from what the epochs before it have
    /// collected. The faster side waits for the other at the epoch's end.
    Both,
    /// Learns only, from the trajectories of `replay.datasets`. The task is for evaluation; without `env.id` there is
    /// none, and the spaces are those that the datasets name.
    Learn,
}

/// What happens when an update cannot be used. The weights stay as they were in either case.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BadUpdate {
    /// Ends the run, with the batch saved for inspection.
    #[default]
    Stop,
    /// Saves the first such batch, counts, and goes on with the next.
    Skip,
}

/// What happens to cached keys and values when the weights change between epochs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ContextRefresh {
    /// Encode the running episodes again with the new weights.
    #[default]
    Reencode,
    /// Keep what the old weights made, as the original does. A resumed run encodes them again once.
    Keep,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            parallel_actors: 12,
            timesteps_per_epoch: 1000,
            batches_per_epoch: 1000,
            batch_size: 24,
            max_seq_len: 128,
            min_trajectories: 1,
            start_learning_at_epoch: 0,
            start_collecting_at_epoch: 0,
            sample_actions: true,
            context_refresh: ContextRefresh::Reencode,
            checkpoint_interval: 50,
            keep_checkpoints: 3,
            mode: Mode::Alternate,
            max_fault_rate: 0.001,
            env_timeout: 0.0,
            bad_update: BadUpdate::Stop,
            loss_limit: f32::INFINITY,
            precision: Precision::F32,
            pad_tasks: false,
        }
    }
}

/// Evaluation.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvalConfig {
    /// Epochs between evaluations; one is done at the end in any case.
    pub interval: usize,
    /// Episodes per evaluation. The same ones every time.
    pub episodes: usize,
    /// How the policy acts in evaluations, and in whatever plays a run unless told otherwise.
    pub actions: ActionChoice,
    /// Steps after which an episode of an evaluation is truncated; how many were is told. 0 for the environment's
    /// horizon, or 10,000 where that is unknown.
    pub max_episode_steps: usize,
    /// Whether the episodes of evaluations are stored, in the folder `eval_replay` of the run, so that others can
    /// learn from them (`replay.datasets`).
    pub save_trajectories: bool,
    /// Most of those that are kept; the oldest go first. 0 for no limit.
    pub max_trajectories: usize,
    /// Tasks of evaluations, each played as often; left out, those of training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<EvalTaskConfig>,
}

/// How a policy acts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActionChoice {
    /// Draws from its distribution, as the original does. The draws of an episode depend on the run's seed, the
    /// environment's number and the episode's alone.
    #[default]
    Sampled,
    /// Takes the most likely action, or the mean.
    Greedy,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            interval: 20,
            episodes: 48,
            actions: ActionChoice::Sampled,
            max_episode_steps: 0,
            save_trajectories: false,
            max_trajectories: 2000,
            tasks: Vec::new(),
        }
    }
}

impl RunConfig {
    /// The defaults around an agent.
    pub fn with_agent(agent: AgentConfig) -> Self {
        Self {
            seed: 0,
            train: TrainConfig::default(),
            env: EnvConfig { id: String::new(), options: Table::new() },
            tasks: Vec::new(),
            exploration: ExplorationConfig::default(),
            replay: ReplayConfig::default(),
            eval: EvalConfig::default(),
            optim: OptimConfig::default(),
            agent,
        }
    }
}
