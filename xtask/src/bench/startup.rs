//! How long a user waits: for the program, its first update, its build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::median::Spread;

/// How often the metrics are looked at.
const POLL: Duration = Duration::from_millis(1);
/// One update per epoch, and no evaluation, from the first epoch that has enough trajectories on.
const ONE_UPDATE: [&str; 3] = ["train.batches_per_epoch=1", "train.epochs=1000000", "eval.interval=1000000"];
/// As little collecting as a config allows.
const LEAST_COLLECTING: [&str; 2] = ["train.parallel_actors=1", "train.min_trajectories=1"];
/// A short run that leaves a checkpoint.
const SHORT: [&str; 4] =
    ["train.batches_per_epoch=1", "train.epochs=1", "train.timesteps_per_epoch=1", "eval.episodes=1"];

/// Options of `bench startup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// TOML file of the run; without one, the built-in quick start.
    config: Option<PathBuf>,
    /// The program to measure.
    #[arg(long, default_value = "target/release/amago")]
    binary: PathBuf,
    /// Measurements of each kind, after one that warms up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Threads of each run; all cores when absent.
    #[arg(long)]
    threads: Option<u32>,
    /// Measure a release build of the default binary into an empty folder too.
    #[arg(long)]
    clean_build: bool,
}

/// Measures with a warm binary: one that the system has read before.
pub fn run(args: &Args) -> Result<Value> {
    let size =
        fs::metadata(&args.binary).with_context(|| format!("{} (build it first)", args.binary.display()))?;
    let folder = std::env::temp_dir().join(format!("amago-bench-startup-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = measure(args, &folder);
    // The runs themselves are of no interest; a failure to remove them must not hide the measurement.
    let _ = fs::remove_dir_all(&folder);
    let [version, first, least, eval] = measured?;
    Ok(json!({
        "bench": "startup",
        "binary": args.binary,
        "config": args.config,
        "threads": args.threads,
        "version_seconds": version,
        "first_update_seconds": first,
        "first_update_least_collecting_seconds": least,
        "eval_one_episode_seconds": eval,
        "binary_mb": size.len() as f64 / 1e6,
        "clean_build_seconds": args.clean_build.then(clean_build).transpose()?,
    }))
}

/// Seconds of `--version`, of the first update as configured and with the least collecting, and of an
/// evaluation.
fn measure(args: &Args, folder: &Path) -> Result<[Spread; 4]> {
    let run = folder.join("short");
    whole(train(args, &run, &SHORT))?;
    let mut seconds = [const { Vec::new() }; 4];
    for repetition in 0..=args.repetitions {
        eprintln!("repetition {repetition} of {}", args.repetitions);
        let mut eval = program(args);
        eval.arg("eval").arg(&run).args(["--episodes", "1", "--json"]);
        let mut version = program(args);
        version.arg("--version");
        let least = [&ONE_UPDATE[..], &LEAST_COLLECTING].concat();
        let found = [
            whole(version)?,
            first_update(args, &folder.join("first"), &ONE_UPDATE)?,
            first_update(args, &folder.join("least"), &least)?,
            whole(eval)?,
        ];
        if repetition > 0 {
            seconds.iter_mut().zip(found).for_each(|(all, one)| all.push(one));
        }
    }
    Ok(seconds.map(|all| Spread::of(all).expect("there is at least one repetition")))
}

fn program(args: &Args) -> Command {
    let mut command = Command::new(&args.binary);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    if let Some(threads) = args.threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    command
}

fn train(args: &Args, folder: &Path, settings: &[&str]) -> Command {
    let mut command = program(args);
    command.arg("train").args(&args.config).arg("--quiet").arg("--run-dir").arg(folder);
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    command
}

/// Seconds from start to end of a program.
fn whole(mut command: Command) -> Result<f64> {
    let start = Instant::now();
    let output = command.output()?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(seconds)
}

/// Seconds from the start of a training run until the metrics of an epoch with an update are on disk.
fn first_update(args: &Args, folder: &Path, settings: &[&str]) -> Result<f64> {
    let metrics = folder.join("metrics.jsonl");
    let mut command = train(args, folder, settings);
    let start = Instant::now();
    let mut child = command.spawn()?;
    let seconds = loop {
        if fs::read_to_string(&metrics).is_ok_and(|text| has_update(&text)) {
            break Some(start.elapsed().as_secs_f64());
        }
        if child.try_wait()?.is_some() {
            break None;
        }
        sleep(POLL);
    };
    // It may have ended by itself.
    let _ = child.kill();
    let output = child.wait_with_output()?;
    let _ = fs::remove_dir_all(folder);
    match seconds {
        Some(seconds) => Ok(seconds),
        None => bail!("{command:?} made no update: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Whether a whole line of an epoch has an update.
fn has_update(metrics: &str) -> bool {
    let whole = metrics.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let mut lines = whole.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.any(|line| line["kind"] == "epoch" && line["updates"].as_u64() > Some(0))
}

/// Seconds of a build of the default binary into an empty folder. Sources are fetched before.
fn clean_build() -> Result<f64> {
    let folder = std::env::temp_dir().join(format!("amago-bench-build-{}", std::process::id()));
    whole(cargo(&["fetch", "--locked"]))?;
    let mut build = cargo(&["build", "--release", "--locked", "--target-dir"]);
    build.arg(&folder);
    let seconds = whole(build);
    let _ = fs::remove_dir_all(&folder);
    seconds
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_counts_when_its_line_is_whole() {
        let header = "{\"kind\":\"header\"}\n";
        let epoch = |updates: u64| format!("{{\"kind\":\"epoch\",\"updates\":{updates}}}\n");
        let text = [header, &epoch(0)].concat();
        assert!(!has_update(header) && !has_update(&text));
        let text = [text, epoch(1)].concat();
        assert!(has_update(&text) && !has_update(text.trim_end()));
    }
}
