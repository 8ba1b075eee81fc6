//! The command line of what looks at runs.

use std::path::PathBuf;

use amago_view::Axis;
use clap::{Args, ValueEnum};

use crate::args::PlayArgs;

/// What curves are shown against.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum AxisName {
    /// Steps over all environments.
    Steps,
    /// Updates.
    Updates,
    /// Epochs.
    Epochs,
    /// Seconds since the start.
    Time,
}

impl From<AxisName> for Axis {
    fn from(name: AxisName) -> Self {
        match name {
            AxisName::Steps => Axis::EnvSteps,
            AxisName::Updates => Axis::Updates,
            AxisName::Epochs => Axis::Epochs,
            AxisName::Time => Axis::Time,
        }
    }
}

/// `amago watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "It reads the files of the runs, so it may start and end at any time, also over ssh, and shows
finished runs as well. 80 columns and 24 rows are enough. Keys: q quit, left and right choose the
chart, x the axis, up and down move the figures.

Examples:
  amago watch runs/quickstart-001
  amago watch runs/tmaze-001 runs/tmaze-002 --axis time"
)]
pub struct WatchArgs {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// What the chart is over.
    #[arg(long, value_enum, default_value = "steps")]
    pub axis: AxisName,
    /// Print one picture of 80 columns and 24 rows, without colours, and end.
    #[arg(long)]
    pub once: bool,
}

/// `amago export`.
#[derive(Debug, Args)]
#[command(
    after_help = "A table has a line per run and epoch; its first columns are run, seed, env_steps, updates,
epoch and time/wall, so that any metric can be drawn against any of them. A metric is named by its
path in metrics.jsonl with slashes: eval/return_mean, train/parts/entropy.

Examples:
  amago export runs/tmaze-001 --csv tmaze.csv
  amago export runs/* --csv - --metric 'eval/*' --metric train/loss
  amago export runs/* --tensorboard events --image film=film.gif
  tensorboard --logdir events"
)]
pub struct ExportArgs {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write a CSV table, replaced if it exists; `-` is stdout.
    #[arg(long, value_name = "FILE", required_unless_present = "tensorboard")]
    pub csv: Option<PathBuf>,
    /// Metrics of the table; a name may end in `*`. May be repeated. Default: all.
    #[arg(long = "metric", value_name = "NAME", requires = "csv")]
    pub metrics: Vec<String>,
    /// Write TensorBoard event files, a folder per run, into this folder.
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    /// What TensorBoard shows as the step.
    #[arg(long, value_enum, default_value = "steps")]
    pub axis: AxisName,
    /// Put a GIF or PNG file into the event files under a name. May be repeated.
    #[arg(long = "image", value_name = "NAME=FILE", requires = "tensorboard")]
    pub images: Vec<String>,
}

/// `amago film`.
#[derive(Debug, Args)]
#[command(
    after_help = "Attempt, step, return so far and the critics' value of each state are drawn in. The run's newest
checkpoint plays; its environment must be able to draw itself.

Examples:
  amago film runs/quickstart-001 -o lake.gif
  amago film runs/tmaze-001 --episodes 3 --seed 7 --fps 4 -o maze.gif
  amago film runs/quickstart-001 --random -o before.gif"
)]
pub struct FilmArgs {
    /// Folder of a run.
    pub run_dir: PathBuf,
    /// File of the film, replaced if it exists.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Episodes to play.
    #[arg(long, default_value_t = 1)]
    pub episodes: usize,
    /// Seed of the episodes; default: the run's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Pictures per second.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub fps: u16,
    /// How to play.
    #[command(flatten)]
    pub play: PlayArgs,
    /// Film the random policy on the task of the run.
    #[arg(long, conflicts_with = "actions")]
    pub random: bool,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
}

/// `amago compare`.
#[derive(Debug, Args)]
#[command(
    after_help = "Runs whose settings differ in nothing but the seed are one group: mean, standard deviation and
95 % confidence interval are over its seeds. Groups are compared at the last place of the axis that
all of them reach.

Examples:
  amago compare runs/*
  amago compare runs/a-00* runs/b-00* --metric eval/success --axis updates
  amago compare runs/* --metric eval/return_mean --json"
)]
pub struct CompareArgs {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Metric; may be repeated. Default: the return of evaluations.
    #[arg(long = "metric", value_name = "NAME", default_value = "eval/return_mean")]
    pub metrics: Vec<String>,
    /// What curves are over.
    #[arg(long, value_enum, default_value = "steps")]
    pub axis: AxisName,
    /// Print one JSON object per metric instead of tables and plots.
    #[arg(long)]
    pub json: bool,
}

/// `amago report`.
#[derive(Debug, Args)]
#[command(
    after_help = "One HTML page with everything inside: adaptation from attempt to attempt, learning curves with
confidence bands over seeds, results by task, films, value and attention over one episode, settings
and how they differ, machine, and the commands to repeat the runs. The newest checkpoint of the first
run plays the episode.

Examples:
  amago report runs/quickstart-001 -o report.html
  amago report runs/lake-00* -o report.html --seed 3"
)]
pub struct ReportArgs {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// File of the page, replaced if it exists.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Seed of the episode; default: the first run's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How to play it.
    #[command(flatten)]
    pub play: PlayArgs,
    /// Leave the episode out: only files of metrics are read.
    #[arg(long)]
    pub no_play: bool,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
}

/// `amago completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  amago completions bash > ~/.local/share/bash-completion/completions/amago
  amago completions zsh > ~/.zfunc/_amago
  amago completions fish > ~/.config/fish/completions/amago.fish")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
