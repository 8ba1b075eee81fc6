//! Speed of full updates on random data, by running the example `bench_learner` again and again.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::median::Spread;

const PROGRAM: &str = "target/release/examples/bench_learner";

/// Options of `bench learner`.
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
    /// Passed on to `bench_learner`, after `--`: agent, size, batch, length, …; `-- --help` lists them.
    #[arg(last = true)]
    sizes: Vec<String>,
}

/// Builds the example, then measures it, or it and another program in turn.
pub fn run(args: &Args) -> Result<Value> {
    let build = ["build", "--release", "--workspace", "--example", "bench_learner"];
    ensure!(Command::new(env!("CARGO")).args(build).status()?.success(), "bench_learner does not build");
    let ours: Vec<&str> = std::iter::once(PROGRAM).chain(args.sizes.iter().map(String::as_str)).collect();
    let other = args.against.as_ref().map(|command| command.split_whitespace().collect::<Vec<_>>());
    let programs: Vec<Vec<&str>> = std::iter::once(ours).chain(other).collect();
    let mut runs: Vec<Vec<Value>> = vec![Vec::new(); programs.len()];
    for repetition in 0..args.repetitions {
        for (program, runs) in programs.iter().zip(&mut runs) {
            eprintln!("run {} of {}: {}", repetition + 1, args.repetitions, program.join(" "));
            runs.push(once(program, args.threads)?);
        }
    }
    let row = |(program, runs): (&Vec<&str>, &Vec<Value>)| {
        json!({
            "program": program.join(" "),
            "updates_per_second": Spread::of(speeds(runs)),
            "tokens_per_second": Spread::of(numbers(runs, "tokens_per_second")),
            "peak_memory_mb": Spread::of(numbers(runs, "peak_memory_mb")),
        })
    };
    let results: Vec<Value> = programs.iter().zip(&runs).map(row).collect();
    let mut report = json!({ "bench": "learner", "threads": args.threads, "results": results });
    if let [a, b] = runs.as_slice() {
        let ratios = speeds(a).iter().zip(speeds(b)).map(|(a, b)| a / b).collect();
        report["updates_ratio_pairwise"] = json!(Spread::of(ratios));
    }
    Ok(report)
}

fn numbers(runs: &[Value], name: &str) -> Vec<f64> {
    runs.iter().filter_map(|run| run[name].as_f64()).collect()
}

fn speeds(runs: &[Value]) -> Vec<f64> {
    numbers(runs, "updates_per_second")
}

/// One run's last line of output, which must be JSON with a speed.
fn once(program: &[&str], threads: Option<u32>) -> Result<Value> {
    let (name, arguments) = program.split_first().context("the command is empty")?;
    let mut command = Command::new(name);
    command.args(arguments);
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads.to_string()).env("OMP_NUM_THREADS", threads.to_string());
    }
    let output = command.output().with_context(|| (*name).to_owned())?;
    let failure = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {failure}");
    parse(&String::from_utf8_lossy(&output.stdout)).with_context(|| format!("output of {name}"))
}

fn parse(output: &str) -> Result<Value> {
    let line = output.lines().last().context("no output")?;
    let run: Value = serde_json::from_str(line)?;
    ensure!(run["updates_per_second"].is_f64(), "no updates_per_second in {line}");
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_must_hold_a_speed() {
        let run = parse("compiling\n{\"updates_per_second\": 2.5}\n").expect("a speed");
        assert_eq!(speeds(&[run]), [2.5]);
        for bad in ["", "fast", "{\"speed\": 1.0}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
