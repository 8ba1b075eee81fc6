//! Speed of `amago-bench`, by running it again and again: `learner` makes full updates on random data, `rollout` steps
//! a policy in environments.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::median::Spread;

/// One of its commands, and what it prints.
#[derive(Debug)]
pub struct Example {
    /// Name of the command.
    pub name: &'static str,
    /// The figure that two programs are compared by.
    pub speed: &'static str,
    /// Figures that are summarised.
    pub figures: &'static [&'static str],
}

/// Full updates.
pub const LEARNER: Example = Example {
    name: "learner",
    speed: "updates_per_second",
    figures: &[
        "updates_per_second",
        "tokens_per_second",
        "gflop_per_update",
        "gflop_per_second",
        "matrix_peak_gflop_per_second",
        "fraction_of_peak",
        "peak_memory_mb",
    ],
};

/// Acting.
pub const ROLLOUT: Example = Example {
    name: "rollout",
    speed: "env_steps_per_second",
    figures: &["env_steps_per_second", "step_milliseconds", "peak_memory_mb"],
};

/// Options of `bench learner` and `bench rollout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another command that prints the same JSON, run in turn with ours (A B A B …).
    #[arg(long, value_name = "COMMAND")]
    against: Option<String>,
    /// Runs of each program.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Threads of each run; all cores when absent.
    #[arg(long)]
    threads: Option<u32>,
    /// Features to build with: `cuda` or `wgpu`, for `-- --device cuda` or `-- --device wgpu`.
    #[arg(long)]
    features: Option<String>,
    /// Passed on to the example, after `--`: the device and sizes of all kinds; `-- --help` lists them.
    #[arg(last = true)]
    sizes: Vec<String>,
}

/// Builds the program and names its file.
pub fn build(features: Option<&str>) -> Result<String> {
    let mut command = Command::new(env!("CARGO"));
    // All of the workspace, so that Burn keeps the features that tests and the main program build it with.
    command.args(["build", "--release", "--workspace", "--bin", "amago-bench"]);
    if let Some(features) = features {
        command.args(["--features", features]);
    }
    ensure!(command.status()?.success(), "amago-bench does not build");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    Ok(format!("{target}/release/amago-bench"))
}

/// Builds the program, then measures it, or it and another one in turn.
pub fn run(example: &Example, args: &Args) -> Result<Value> {
    let program = build(args.features.as_deref())?;
    let ours =
        [program.as_str(), example.name].into_iter().chain(args.sizes.iter().map(String::as_str)).collect();
    let other = args.against.as_ref().map(|command| command.split_whitespace().collect::<Vec<_>>());
    let programs: Vec<Vec<&str>> = std::iter::once(ours).chain(other).collect();
    let mut runs: Vec<Vec<Value>> = vec![Vec::new(); programs.len()];
    for repetition in 0..args.repetitions {
        for (program, runs) in programs.iter().zip(&mut runs) {
            eprintln!("run {} of {}: {}", repetition + 1, args.repetitions, program.join(" "));
            runs.push(once(program, args.threads, example.speed)?);
        }
    }
    let row = |(program, runs): (&Vec<&str>, &Vec<Value>)| {
        let mut row = json!({ "program": program.join(" ") });
        for figure in example.figures {
            row[*figure] = json!(Spread::of(numbers(runs, figure)));
        }
        row
    };
    let results: Vec<Value> = programs.iter().zip(&runs).map(row).collect();
    let mut report = json!({ "bench": example.name, "results": results });
    report["threads"] = json!(args.threads);
    report["features"] = json!(args.features);
    if let [a, b] = runs.as_slice() {
        let (a, b) = (numbers(a, example.speed), numbers(b, example.speed));
        let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a / b).collect();
        report["ratio_pairs"] = json!(ratios);
        report["ratio_pairwise"] = json!(Spread::of(ratios));
    }
    Ok(report)
}

/// A figure of every run that has it.
pub fn numbers(runs: &[Value], name: &str) -> Vec<f64> {
    runs.iter().filter_map(|run| run[name].as_f64()).collect()
}

/// One run's last line of output, which must be JSON with a speed.
pub fn once(program: &[&str], threads: Option<u32>, speed: &str) -> Result<Value> {
    let (name, arguments) = program.split_first().context("the command is empty")?;
    let mut command = Command::new(name);
    command.args(arguments);
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads.to_string()).env("OMP_NUM_THREADS", threads.to_string());
    }
    let output = command.output().with_context(|| (*name).to_owned())?;
    let failure = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {failure}");
    parse(&String::from_utf8_lossy(&output.stdout), speed).with_context(|| format!("output of {name}"))
}

fn parse(output: &str, speed: &str) -> Result<Value> {
    let line = output.lines().last().context("no output")?;
    let run: Value = serde_json::from_str(line)?;
    ensure!(run[speed].is_f64(), "no {speed} in {line}");
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_must_hold_a_speed() {
        let run = parse("compiling\n{\"speed\": 2.5}\n", "speed").expect("a speed");
        assert_eq!(numbers(&[run], "speed"), [2.5]);
        for bad in ["", "fast", "{\"updates\": 1.0}"] {
            assert!(parse(bad, "speed").is_err(), "{bad}");
        }
    }
}
