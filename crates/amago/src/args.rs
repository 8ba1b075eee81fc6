//! The command line.

use std::path::PathBuf;

use amago_trainer::{ActionChoice, RunConfig};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::dataset::DatasetArgs;
use crate::settings::ConfigArgs;
use crate::view_args::{CompareArgs, CompletionsArgs, ExportArgs, FilmArgs, ReportArgs, WatchArgs};

/// In-context reinforcement learning: train a Transformer policy that remembers and adapts.
#[derive(Debug, Parser)]
#[command(version, about)]
#[command(after_help = "Examples:
  amago train                                       the quick start: learns within five minutes
  amago train configs/tmaze.toml --set seed=1       train from a file, one setting changed
  amago train --resume runs/tmaze-001               go on after a crash or Ctrl-C
  amago eval runs/tmaze-001                         play the newest checkpoint
  amago inspect runs/tmaze-001 -o values.jsonl      what its critics think of stored trajectories
  amago config explain agent.gamma                  what a setting means; `check` for a file of them
  amago envs                                        every environment and its options
  amago rollout tmaze-passive --episodes 100 --json play a random policy
  amago rollout dark-key-to-door --render text      watch one episode
  amago watch runs/tmaze-001                        a live view in the terminal
  amago film runs/tmaze-001 -o maze.gif             an episode as a film
  amago report runs/tmaze-001 -o report.html        everything on one page
  amago compare runs/*                              the same metric of several runs
  amago export runs/* --csv table.csv               metrics as a table; --tensorboard DIR for TensorBoard
  amago dataset info minari/cartpole/expert-v0       what somebody has recorded; `convert` for a replay folder
  amago import policy.pt --config c.toml --run-dir d a policy of the PyTorch original

Results go to stdout, messages to stderr. Colours are for terminals, and NO_COLOR=1 turns them off.

Exit codes: 0 success, 1 error, 2 wrong usage, 128 + N stopped by signal N (130 by Ctrl-C): the first one saves
everything, a second Ctrl-C or SIGTERM ends at once.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say nothing on stderr but warnings and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a policy.
    Train(TrainArgs),
    /// Play the newest checkpoint of a run and print the result.
    Eval(EvalArgs),
    /// Write what the critics of a run think of its stored trajectories, as JSON lines.
    Inspect(InspectArgs),
    /// Say what settings there are and what they mean, or check a file of them.
    Config(ConfigArgs),
    /// List the built-in environments with their spaces and options.
    Envs(EnvsArgs),
    /// Play episodes of an environment and print returns, lengths and speed.
    Rollout(RolloutArgs),
    /// Look at datasets that others have recorded, or make replay folders of them.
    Dataset(DatasetArgs),
    /// Make a run folder from weights of the original PyTorch implementation.
    Import(ImportArgs),
    /// Show runs live in a terminal.
    Watch(WatchArgs),
    /// Write metrics as a CSV table or as TensorBoard event files.
    Export(ExportArgs),
    /// Film episodes of a run as a GIF.
    Film(FilmArgs),
    /// Compare runs: a table and a plot of the same metric, over seeds.
    Compare(CompareArgs),
    /// Write a report of runs as one HTML page.
    Report(ReportArgs),
    /// Print a script that completes commands in a shell.
    Completions(CompletionsArgs),
}

/// `amago envs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  amago envs
  amago envs --json")]
#[command(after_help = "Examples:
  amago envs
  amago envs meta-frozen-lake --set size=4
  amago envs gym:CartPole-v1 --set python=venv/bin/python")]
pub struct EnvsArgs {
    /// One environment: a built-in one, or `gym:` and what Gymnasium calls it. All built-in ones without it.
    pub id: Option<String>,
    /// An option of that environment, which may change its spaces. May be repeated.
    #[arg(long = "set", value_name = "OPTION=VALUE", requires = "id")]
    pub overrides: Vec<String>,
    /// Print one JSON list instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `amago train`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  amago train
  amago train configs/tmaze.toml --set seed=1 --set train.epochs=20
  amago train configs/frozen-lake.toml --dashboard
  amago train --resume runs/tmaze-001 --set train.epochs=200
  amago train configs/tmaze.toml --set env.options.corridor_length=200 --init-from runs/tmaze-001/best
  amago train configs/tmaze.toml --run-dir runs/maze --tensorboard --quiet")]
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
    /// Go on with a run that was interrupted, from its newest whole checkpoint. Its own config is used;
    /// `--set train.epochs=200` makes a finished run longer.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "run_dir"])]
    pub resume: Option<PathBuf>,
    /// Begin with the networks of another run, from its newest whole checkpoint, or of RUN/best from the one that did best
    /// in evaluation. Optimiser and counters begin anew.
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub init_from: Option<PathBuf>,
    /// Show the run live in the terminal, as `amago watch` does; q stops and saves.
    #[arg(long, conflicts_with = "quiet")]
    pub dashboard: bool,
    /// Also write TensorBoard event files, into the folder `tensorboard` of the run.
    #[arg(long)]
    pub tensorboard: bool,
    /// Print the result as one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// How a trained policy acts.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ActionsName {
    /// Actions are drawn from the policy; the same ones for the same seed.
    Sampled,
    /// The most likely action, or the mean.
    Greedy,
}

/// How a run's policy plays, for every command that plays one.
#[derive(Debug, Clone, Args)]
pub struct PlayArgs {
    /// How the policy acts; default: the run's setting `eval.actions`.
    #[arg(long, value_enum, value_name = "HOW")]
    pub actions: Option<ActionsName>,
    /// `--actions sampled`, as it was called before.
    #[arg(long, hide = true, conflicts_with = "actions")]
    pub sample: bool,
    /// Steps after which an episode is truncated; default: the run's setting `eval.max_episode_steps`, without a run
    /// or at 0 the environment's horizon, or 10,000 where that is unknown.
    #[arg(long, value_name = "STEPS")]
    pub max_episode_steps: Option<usize>,
}

impl PlayArgs {
    /// Puts what was given in the place of a run's settings.
    pub fn apply(&self, config: &mut RunConfig) {
        let eval = &mut config.eval;
        eval.max_episode_steps = self.max_episode_steps.unwrap_or(eval.max_episode_steps);
        eval.actions = match self.actions {
            Some(ActionsName::Greedy) => ActionChoice::Greedy,
            Some(ActionsName::Sampled) => ActionChoice::Sampled,
            None if self.sample => ActionChoice::Sampled,
            None => eval.actions,
        };
    }
}

/// `amago eval`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  amago eval runs/tmaze-001
  amago eval runs/tmaze-001/best                    the checkpoint that did best in evaluation
  amago eval runs/tmaze-001 --episodes 1000 --seed 5 --json
  amago eval runs/tmaze-001 --actions greedy
  amago eval runs/tmaze-001 --save expert           for replay.datasets = [{ path = \"expert\" }]")]
pub struct EvalArgs {
    /// Folder of a run.
    pub run_dir: PathBuf,
    /// Episodes to play; default: the run's setting.
    #[arg(long)]
    pub episodes: Option<usize>,
    /// Seed of the episodes; default: the run's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How to play.
    #[command(flatten)]
    pub play: PlayArgs,
    /// Store the episodes in this folder, beside those that are there, so that another run can learn from them.
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `amago inspect`.
#[derive(Debug, Args)]
#[command(after_help = "The first line names every field with its shape and unit; then there is one line per
trajectory and timestep with Q, V, advantage and filter weight for every discount, and their
standard deviations over the critics. A summary goes to stderr.

Example:
  amago inspect runs/tmaze-001 --trajectories 100 -o values.jsonl")]
pub struct InspectArgs {
    /// Folder of a run with a checkpoint and a replay.
    pub run_dir: PathBuf,
    /// Stored trajectories to look at, drawn at random; all when there are fewer.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub trajectories: usize,
    /// Seed of the draws; default: the run's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// File for the lines, replaced if it exists; `-` is stdout.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
}

/// `amago rollout`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  amago rollout tmaze-passive --episodes 100 --json
  amago rollout meta-frozen-lake --set size=4 --render text
  amago rollout meta-frozen-lake --set size=3 --policy runs/quickstart-001 --render text")]
pub struct RolloutArgs {
    /// Name of a built-in environment; `amago envs` lists them. Or `gym:` and what Gymnasium calls one of Python.
    pub env: String,
    /// Override one option of the environment, for example `--set size=4`. May be repeated.
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    pub overrides: Vec<String>,
    /// `random`, or the folder of a run whose newest checkpoint plays.
    #[arg(long, default_value = "random", value_name = "random|RUN_DIR")]
    pub policy: String,
    /// Episodes to play; default: 100, or 1 with --render.
    #[arg(long)]
    pub episodes: Option<usize>,
    /// Seed of the episodes.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How to play.
    #[command(flatten)]
    pub play: PlayArgs,
    /// Draw every state: `text` prints it, anything else is a folder for PNG files, new or empty.
    #[arg(long, value_name = "text|DIR", conflicts_with = "json")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub render: Option<String>,
    /// Where a trained policy computes.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `amago import`.
#[derive(Debug, Args)]
#[command(
    after_help = "The config says what the weights cannot: activations, norms without weights, discounts,
attention window, dropout and the environment. What the weights do show must fit the config exactly;
every tensor that is missing, left over or of another shape is named, and then nothing is written.

Example:
  amago import policy.pt --config configs/tmaze.toml --run-dir runs/original"
)]
pub struct ImportArgs {
    /// What `torch.save(policy.state_dict())` wrote, or the same as .safetensors.
    pub weights: PathBuf,
    /// TOML file of the environment and the agent that the weights belong to.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Override one setting, for example `--set agent.gamma=0.99`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Folder of the run that is made; must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub run_dir: PathBuf,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
}
