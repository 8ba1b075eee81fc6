//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::import::ImportArgs;

/// In-context reinforcement learning: train a Transformer policy that remembers and adapts.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
#[command(after_help = "Examples:
  amago train                                       the quick start: learns within five minutes
  amago train configs/tmaze.toml --set seed=1       train from a file, one setting changed
  amago eval runs/tmaze-001                         play the newest checkpoint
  amago envs                                        every environment and its options
  amago rollout tmaze-passive --episodes 100 --json play a random policy
  amago import policy.pt --config c.toml --run-dir d a policy of the PyTorch original

Exit codes: 0 success, 1 error, 2 wrong usage, 130 stopped by Ctrl-C (everything saved).")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a policy.
    Train(TrainArgs),
    /// Play the newest checkpoint of a run and print the result.
    Eval(EvalArgs),
    /// List the built-in environments with their spaces and options.
    Envs,
    /// Play episodes of an environment and print returns, lengths and speed.
    Rollout(RolloutArgs),
    /// Make a run folder from weights of the original PyTorch implementation.
    Import(ImportArgs),
}

/// `amago train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// TOML file; without one, the built-in quick start.
    pub config: Option<PathBuf>,
    /// Override one setting, for example `--set agent.gamma=0.99`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Folder of the run; must not exist or be empty. Default: runs/NAME-NNN.
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
}

/// `amago eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Folder of a run.
    pub run_dir: PathBuf,
    /// Episodes to play; default: the run's setting.
    #[arg(long)]
    pub episodes: Option<usize>,
    /// Seed of the episodes; default: the run's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Sample actions instead of taking the most likely ones.
    #[arg(long)]
    pub sample: bool,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `amago rollout`.
#[derive(Debug, Args)]
pub struct RolloutArgs {
    /// Name of an environment; `amago envs` lists them.
    pub env: String,
    /// Override one option of the environment, for example `--set size=4`. May be repeated.
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    pub overrides: Vec<String>,
    /// `random`, or the folder of a run whose newest checkpoint plays.
    #[arg(long, default_value = "random", value_name = "random|RUN_DIR")]
    pub policy: String,
    /// Episodes to play.
    #[arg(long, default_value_t = 100)]
    pub episodes: usize,
    /// Seed of the episodes.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where a trained policy computes.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}
