//! Speed of whole training runs, by running the program itself and reading its metrics.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::median::Spread;

/// Options of `bench train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// TOML file of the run; without one, the built-in quick start.
    config: Option<PathBuf>,
    /// Override one setting of the run. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// The program to measure.
    #[arg(long, default_value = "target/release/amago")]
    binary: PathBuf,
    /// A second program, run in turn with the first (A B A B …).
    #[arg(long)]
    against: Option<PathBuf>,
    /// Epochs of a run. The first one warms up and is not counted.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..))]
    epochs: u32,
    /// Runs of each program.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Threads of each run; all cores when absent.
    #[arg(long)]
    threads: Option<u32>,
}

/// Medians of one run's counted epochs.
struct Speed {
    updates: f64,
    steps: f64,
}

/// Measures one program, or two in turn.
pub fn run(args: &Args) -> Result<Value> {
    let programs: Vec<&PathBuf> = std::iter::once(&args.binary).chain(&args.against).collect();
    let mut speeds: Vec<Vec<Speed>> = programs.iter().map(|_| Vec::new()).collect();
    for repetition in 0..args.repetitions {
        for (program, speeds) in programs.iter().zip(&mut speeds) {
            eprintln!("run {} of {}: {}", repetition + 1, args.repetitions, program.display());
            speeds.push(once(program, args)?);
        }
    }
    let row = |(program, speeds): (&&PathBuf, &Vec<Speed>)| {
        json!({
            "program": program.display().to_string(),
            "updates_per_second": Spread::of(speeds.iter().map(|s| s.updates).collect()),
            "env_steps_per_second": Spread::of(speeds.iter().map(|s| s.steps).collect()),
        })
    };
    let mut report = json!({
        "bench": "train",
        "config": args.config,
        "overrides": args.overrides,
        "threads": args.threads,
        "results": programs.iter().zip(&speeds).map(row).collect::<Vec<_>>(),
    });
    if let [a, b] = speeds.as_slice() {
        let ratios = a.iter().zip(b).map(|(a, b)| a.updates / b.updates).collect();
        report["updates_ratio_pairwise"] = json!(Spread::of(ratios));
    }
    Ok(report)
}

fn once(program: &Path, args: &Args) -> Result<Speed> {
    let folder = std::env::temp_dir().join(format!("amago-bench-{}", std::process::id()));
    let mut command = Command::new(program);
    command.arg("train").args(&args.config).arg("--run-dir").arg(&folder);
    for entry in &args.overrides {
        command.arg("--set").arg(entry);
    }
    command.arg("--set").arg(format!("train.epochs={}", args.epochs));
    command.arg("--set").arg("eval.episodes=1");
    if let Some(threads) = args.threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let output = command.stdout(Stdio::null()).output();
    let output = output.with_context(|| format!("{} (build it first)", program.display()))?;
    let speed = output.status.success().then(|| read(&folder.join("metrics.jsonl")));
    // The run itself is of no interest; a failure to remove it must not hide the measurement.
    let _ = std::fs::remove_dir_all(&folder);
    match speed {
        Some(speed) => speed,
        None => bail!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr)),
    }
}

fn read(metrics: &Path) -> Result<Speed> {
    let text = std::fs::read_to_string(metrics).with_context(|| metrics.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let counted = lines.iter().filter(|l| l["kind"] == "epoch").skip(1);
    let rate = |line: &Value, name: &str| line["time"][name].as_f64();
    let of = |name| counted.clone().filter_map(|l| rate(l, name)).collect::<Vec<_>>();
    let (updates, steps) = (of("updates_per_second"), of("env_steps_per_second"));
    ensure!(!updates.is_empty(), "{} holds no counted epoch", metrics.display());
    let median = |values| Spread::of(values).map_or(f64::NAN, |s| s.median);
    Ok(Speed { updates: median(updates), steps: median(steps) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epoch_is_not_counted() {
        let file = std::env::temp_dir().join(format!("amago-bench-test-{}.jsonl", std::process::id()));
        let epoch = |u: f64| {
            format!(r#"{{"kind":"epoch","time":{{"updates_per_second":{u},"env_steps_per_second":9.0}}}}"#)
        };
        let text = [r#"{"kind":"header"}"#.to_owned(), epoch(1.0), epoch(4.0), epoch(6.0)].join("\n");
        std::fs::write(&file, text).unwrap();
        let speed = read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!((speed.updates, speed.steps), (5.0, 9.0));
    }
}
