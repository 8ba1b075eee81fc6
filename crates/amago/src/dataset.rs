//! `amago dataset`: what others have recorded.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use amago_dataset::{Dataset, Format, Info, Range};
use amago_trainer::StopFlag;
use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::commands::Ending;
use crate::output::{complain, is_quiet, print, tell};
use crate::stop;
use crate::summary::count;

/// `amago dataset`.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    #[command(subcommand)]
    task: DatasetTask,
}

#[derive(Debug, Subcommand)]
enum DatasetTask {
    /// Say what is in a dataset: format, spaces, episodes, returns, lengths.
    Info(InfoArgs),
    /// Make a replay folder of a dataset.
    Convert(ConvertArgs),
}

/// `amago dataset info`.
#[derive(Debug, Args)]
#[command(
    after_help = "PATH is a Minari dataset (the folder that holds `data`, in HDF5 or Arrow), a replay folder of
ours, or a folder of .npz files of the original. All episodes are read, one at a time.

Examples:
  amago dataset info datasets/D4RL/pen/human-v2
  amago dataset info runs/tmaze-001/replay --json"
)]
struct InfoArgs {
    /// The dataset.
    path: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// `amago dataset convert`.
#[derive(Debug, Args)]
#[command(
    after_help = "A conversion is not needed to learn from a dataset: replay.datasets takes every kind. It is for
those that are read often, over a slow file system, or without this program's readers. The new folder
appears when it is whole.

Example:
  amago dataset convert datasets/D4RL/pen/human-v2 pen"
)]
struct ConvertArgs {
    /// The dataset, as `amago dataset info` takes it.
    from: PathBuf,
    /// The replay folder that is made; must not exist.
    to: PathBuf,
}

impl DatasetArgs {
    /// Does it.
    pub fn run(&self) -> Result<Ending> {
        match &self.task {
            DatasetTask::Info(args) => info(args),
            DatasetTask::Convert(args) => convert(args),
        }
    }
}

fn info(args: &InfoArgs) -> Result<Ending> {
    // Every trajectory is looked at once.
    let config = amago_replay::StoreConfig { cache_bytes: 0, ..Default::default() };
    let dataset = amago_dataset::open(&args.path, config)?;
    let stop = stop::on_signals()?;
    let mut bar = Bar::new(&stop);
    let info = dataset.info(&mut |done, all| bar.go_on(done, all))?;
    bar.finish();
    warn_of(&info.damaged);
    if info.stopped {
        return Ok(Ending::Interrupted);
    }
    match args.json {
        true => print(format_args!("{}\n", as_json(&dataset, &info)))?,
        false => print(as_text(&dataset, &info))?,
    }
    Ok(Ending::Done)
}

fn convert(args: &ConvertArgs) -> Result<Ending> {
    let stop = stop::on_signals()?;
    let mut bar = Bar::new(&stop);
    let done = amago_dataset::convert(&args.from, &args.to, &mut |done, all| bar.go_on(done, all));
    bar.finish();
    let done = done?;
    warn_of(&done.damaged);
    if done.stopped {
        tell(format_args!("stopped: {} was not made", args.to.display()));
        return Ok(Ending::Interrupted);
    }
    print(format_args!(
        "{}: {}, {}, {:.1} MB\nlearn from it: replay.datasets = [{{ path = \"{}\" }}]\n",
        args.to.display(),
        count(done.episodes, "episode"),
        count(usize::try_from(done.steps).unwrap_or(usize::MAX), "step"),
        done.bytes as f64 / 1e6,
        args.to.display(),
    ))?;
    if done.clipped > 0 {
        tell(clipped(done.clipped));
    }
    Ok(Ending::Done)
}

fn warn_of(damaged: &[String]) {
    /// Most that are told one by one.
    const TOLD: usize = 10;
    for reason in damaged.iter().take(TOLD) {
        complain(format_args!("warning: left out {reason}"));
    }
    if damaged.len() > TOLD {
        complain(format_args!("warning: left out {} more", damaged.len() - TOLD));
    }
}

fn clipped(steps: u64) -> String {
    format!("the actions of {steps} steps were beyond the bounds of their space and were brought to them")
}

fn as_json(dataset: &Dataset, info: &Info) -> Value {
    let range = |r: Range| json!({ "mean": r.mean(), "min": r.min(), "max": r.max() });
    let format = match dataset.format {
        Format::Replay => "replay",
        Format::Npz => "npz",
        Format::MinariHdf5 => "minari-hdf5",
        Format::MinariArrow => "minari-arrow",
    };
    json!({
        "path": dataset.store.dir(),
        "format": format,
        "observation_space": dataset.spaces.as_ref().map(|s| s.observation().to_string()),
        "action_space": dataset.spaces.as_ref().map(|s| s.action().to_string()),
        "layout": dataset.store.layout().map(|layout| layout.to_string()),
        "episodes": info.episodes,
        "steps": info.steps,
        "return": range(info.returns),
        "length": range(info.lengths),
        "terminated": info.terminated,
        "truncated": info.truncated,
        "parts": info.parts,
        "clipped_actions": info.clipped,
        "damaged": info.damaged,
    })
}

fn as_text(dataset: &Dataset, info: &Info) -> String {
    let range = |r: Range, digits: usize| match (r.mean(), r.min(), r.max()) {
        (Some(mean), Some(min), Some(max)) => format!("{mean:.2} ({min:.digits$} to {max:.digits$})"),
        _ => "-".to_owned(),
    };
    let mut lines = vec![("format", dataset.format.to_string())];
    match &dataset.spaces {
        Some(spaces) => lines.extend([
            ("observation", spaces.observation().to_string()),
            ("action", spaces.action().to_string()),
        ]),
        None => lines.push(("columns", dataset.describe())),
    }
    lines.extend([
        ("episodes", info.episodes.to_string()),
        ("steps", info.steps.to_string()),
        ("return", range(info.returns, 2)),
        ("length", range(info.lengths, 0)),
        ("terminated", info.terminated.to_string()),
        ("truncated", info.truncated.to_string()),
    ]);
    if info.parts > 0 {
        lines.push(("parts", format!("{}, which begin within an episode", info.parts)));
    }
    if info.clipped > 0 {
        lines.push(("clipped", clipped(info.clipped)));
    }
    if !info.damaged.is_empty() {
        lines.push(("damaged", format!("{}, left out", info.damaged.len())));
    }
    lines.into_iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
}

/// Progress of what takes long, and whether it is to go on.
struct Bar<'a> {
    stop: &'a StopFlag,
    start: Instant,
    bar: Option<ProgressBar>,
}

impl<'a> Bar<'a> {
    /// Whatever is over sooner needs no bar.
    const PATIENCE: Duration = Duration::from_secs(2);

    fn new(stop: &'a StopFlag) -> Self {
        Self { stop, start: Instant::now(), bar: None }
    }

    fn go_on(&mut self, done: usize, all: usize) -> bool {
        if self.bar.is_none() && !is_quiet() && self.start.elapsed() > Self::PATIENCE {
            let style =
                ProgressStyle::with_template("{msg:>10} [{bar:30}] {pos}/{len} {per_sec:>9} eta {eta}")
                    .expect("the template is constant")
                    .progress_chars("=> ");
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(Some(all as u64), target).with_style(style);
            self.bar = Some(bar.with_message("reading"));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
        !self.stop.is_set()
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
