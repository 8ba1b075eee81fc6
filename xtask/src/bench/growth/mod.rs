//! How cost grows: time and memory of an update against one size at a time, and of drawing a batch against
//! the replay, with the exponent of each.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::example::{self, LEARNER};
use super::median::Spread;
use super::replay;

mod fit;
mod plot;

/// One size that grows, all others fixed.
struct Series {
    name: &'static str,
    /// Option of the bench of the learner.
    flag: &'static str,
    values: &'static [u32],
    fixed: &'static str,
}

const CONTEXTS: &[u32] = &[128, 256, 512, 1024, 2048, 4096];

/// The small Transformer in all of them; what differs shows best where the rest is small.
const SERIES: &[Series] = &[
    Series { name: "context", flag: "--len", values: CONTEXTS, fixed: "--agent amago --batch 2" },
    Series {
        name: "windowed-context",
        flag: "--len",
        values: CONTEXTS,
        fixed: "--agent amago --batch 2 --window 128",
    },
    Series {
        name: "batch",
        flag: "--batch",
        values: &[2, 4, 8, 16, 32, 64],
        fixed: "--agent amago --len 128",
    },
    Series {
        name: "discounts",
        flag: "--discounts",
        values: &[1, 2, 4, 8, 16, 32],
        fixed: "--agent amago2 --len 128 --batch 4",
    },
    Series {
        name: "critics",
        flag: "--critics",
        values: &[2, 4, 8, 16, 32],
        fixed: "--agent amago2 --len 128 --batch 4",
    },
    Series {
        name: "bins",
        flag: "--bins",
        values: &[32, 64, 128, 256, 512, 1024],
        fixed: "--agent amago2 --len 128 --batch 4",
    },
];

/// Stored trajectories, and transitions of each.
const REPLAY: (&[u32], u32) = (&[1000, 3000, 10_000, 30_000, 100_000], 32);

/// Options of `bench growth`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Measure only these: context, windowed-context, batch, discounts, critics, bins, replay.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Runs of each point.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Updates of each run, after one that warms up.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    updates: u32,
    /// Threads of each run; all cores when absent.
    #[arg(long)]
    threads: Option<u32>,
    /// Write the curves as an SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Features to build with, as in `bench learner`.
    #[arg(long)]
    features: Option<String>,
    /// Passed on to the bench of the learner, after `--`; `-- --device cuda`, for example.
    #[arg(last = true)]
    sizes: Vec<String>,
}

/// What one size costs.
#[derive(Debug, Serialize)]
struct Point {
    size: u32,
    milliseconds: Spread,
    memory_mb: f64,
}

/// A series as measured.
#[derive(Debug, Serialize)]
struct Grown {
    series: &'static str,
    fixed: String,
    points: Vec<Point>,
    /// Time grows as the size to this power, over the upper half of the sizes.
    time_exponent: f64,
    /// The same of memory.
    memory_exponent: f64,
}

/// Measures the series that were asked for.
pub fn run(args: &Args) -> Result<Value> {
    let known = || SERIES.iter().map(|series| series.name).chain(["replay"]);
    for name in &args.only {
        ensure!(
            known().any(|other| other == name),
            "--only {name}: there are {}",
            known().collect::<Vec<_>>().join(", ")
        );
    }
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|other| other == name);
    let mut results = Vec::new();
    if SERIES.iter().any(|series| wanted(series.name)) {
        let program = example::build(args.features.as_deref())?;
        for series in SERIES.iter().filter(|series| wanted(series.name)) {
            results.push(learner(&program, series, args)?);
        }
    }
    if wanted("replay") {
        results.push(stored()?);
    }
    if let Some(file) = &args.plot {
        std::fs::write(file, plot::svg(&results)).with_context(|| file.display().to_string())?;
    }
    Ok(json!({ "bench": "growth", "threads": args.threads, "results": results }))
}

/// Updates at every size.
fn learner(program: &str, series: &Series, args: &Args) -> Result<Grown> {
    let updates = args.updates.to_string();
    let mut points = Vec::new();
    for &size in series.values {
        let value = size.to_string();
        let mut command = vec![program, LEARNER.name, series.flag, &value, "--updates", &updates];
        command.extend(series.fixed.split(' ').chain(args.sizes.iter().map(String::as_str)));
        eprintln!("{}", command.join(" "));
        let runs = (0..args.repetitions).map(|_| example::once(&command, args.threads, LEARNER.speed));
        let runs = runs.collect::<Result<Vec<Value>>>()?;
        let speeds = example::numbers(&runs, LEARNER.speed).into_iter().map(|speed| 1e3 / speed).collect();
        points.push(Point {
            size,
            milliseconds: Spread::of(speeds).context("no run")?,
            memory_mb: Spread::of(example::numbers(&runs, "peak_memory_mb"))
                .map_or(f64::NAN, |spread| spread.median),
        });
    }
    let fixed = [series.fixed, &args.sizes.join(" ")].join(" ");
    Ok(grown(series.name, fixed.trim_end().to_owned(), points))
}

/// Batches drawn from a replay of every size.
fn stored() -> Result<Grown> {
    let (sizes, transitions) = REPLAY;
    let report = replay::run(&replay::Args::at(sizes.to_vec(), transitions))?;
    let rows = report["results"].as_array().context("results is a list")?;
    let point = |row: &Value| {
        let milliseconds = &row["batch_ms"];
        let number = |name| milliseconds[name].as_f64();
        Some(Point {
            size: u32::try_from(row["trajectories"].as_u64()?).ok()?,
            milliseconds: Spread { median: number("median")?, min: number("min")?, max: number("max")? },
            memory_mb: row["resident_mb"].as_f64().unwrap_or(f64::NAN),
        })
    };
    let points = rows.iter().map(point).collect::<Option<Vec<_>>>().context("a row lacks a figure")?;
    Ok(grown("replay", format!("24 sequences of {transitions}"), points))
}

fn grown(series: &'static str, fixed: String, points: Vec<Point>) -> Grown {
    let exponent = |cost: fn(&Point) -> f64| {
        let all: Vec<_> = points.iter().map(|point| (f64::from(point.size), cost(point))).collect();
        fit::exponent(&all[all.len() / 2..])
    };
    let (time_exponent, memory_exponent) = (exponent(|p| p.milliseconds.median), exponent(|p| p.memory_mb));
    Grown { series, fixed, points, time_exponent, memory_exponent }
}
