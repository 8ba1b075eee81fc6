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
    /// Settings of the second program alone, or of the first in its second turns. May be repeated.
    #[arg(long = "against-set", value_name = "KEY=VALUE")]
    against_overrides: Vec<String>,
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
    /// Whole epochs: where collecting and learning overlap, the two above do not add up.
    epochs: f64,
}

/// Measures one program, or two in turn.
pub fn run(args: &Args) -> Result<Value> {
    let mut programs: Vec<(&PathBuf, &[String])> = vec![(&args.binary, &[])];
    if args.against.is_some() || !args.against_overrides.is_empty() {
        programs.push((args.against.as_ref().unwrap_or(&args.binary), &args.against_overrides));
    }
    let mut speeds: Vec<Vec<Speed>> = programs.iter().map(|_| Vec::new()).collect();
    for repetition in 0..args.repetitions {
        for ((program, extra), speeds) in programs.iter().zip(&mut speeds) {
            eprintln!("run {} of {}: {} {extra:?}", repetition + 1, args.repetitions, program.display());
            speeds.push(once(program, extra, args)?);
        }
    }
    let row = |((program, extra), speeds): (&(&PathBuf, &[String]), &Vec<Speed>)| {
        json!({
            "program": program.display().to_string(),
            "overrides": extra,
            "epochs_per_second": Spread::of(speeds.iter().map(|s| s.epochs).collect()),
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
        let ratios = |f: fn(&Speed) -> f64| Spread::of(a.iter().zip(b).map(|(a, b)| f(a) / f(b)).collect());
        report["updates_ratio_pairwise"] = json!(ratios(|s| s.updates));
        report["epochs_ratio_pairwise"] = json!(ratios(|s| s.epochs));
    }
    Ok(report)
}

fn once(program: &Path, extra: &[String], args: &Args) -> Result<Speed> {
    let folder = std::env::temp_dir().join(format!("amago-bench-{}", std::process::id()));
    let mut command = Command::new(program);
    command.arg("train").args(&args.config).arg("--run-dir").arg(&folder);
    for entry in args.overrides.iter().chain(extra) {
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
    let walls: Vec<f64> = lines.iter().filter_map(|l| rate(l, "wall")).collect();
    let epochs: Vec<f64> = walls.windows(2).map(|pair| 1.0 / (pair[1] - pair[0])).collect();
    ensure!(!epochs.is_empty(), "{} holds no counted epoch", metrics.display());
    let median = |values| Spread::of(values).map_or(f64::NAN, |s| s.median);
    Ok(Speed { updates: median(updates), steps: median(steps), epochs: median(epochs) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epoch_is_not_counted() {
        let file = std::env::temp_dir().join(format!("amago-bench-test-{}.jsonl", std::process::id()));
        let epoch = |wall: f64, u: f64| {
            let time = json!({ "updates_per_second": u, "env_steps_per_second": 9.0, "wall": wall });
            json!({ "kind": "epoch", "time": time }).to_string()
        };
        let text =
            [r#"{"kind":"header"}"#.to_owned(), epoch(1.0, 1.0), epoch(1.5, 4.0), epoch(2.0, 6.0)].join("\n");
        std::fs::write(&file, text).unwrap();
        let speed = read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!((speed.updates, speed.steps, speed.epochs), (5.0, 9.0, 2.0));
    }
}
