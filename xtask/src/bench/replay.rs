//! What the size of the replay costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use amago_env::{Action, DictSpace, Observation, Role, Space, Step, rng};
use amago_replay::{Padding, Store, StoreConfig, Trajectory, TrajectoryBuilder};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::median::Spread;

const OBS: usize = 8;
const ACTIONS: usize = 5;

/// Options of `bench replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Numbers of stored trajectories, ascending: the folder grows from each to the next.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    sizes: Vec<u32>,
    /// Transitions of a trajectory.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    transitions: u32,
    /// Sequences of a batch.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Batches drawn at each size.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    batches: u32,
    /// Megabytes of trajectories held in memory.
    #[arg(long, default_value_t = 256)]
    cache_mb: u64,
    /// Folder for the trajectories; it is removed at the end.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    /// The defaults at other sizes, with trajectories of so many transitions.
    pub fn at(sizes: Vec<u32>, transitions: u32) -> Self {
        Self { sizes, transitions, batch: 24, batches: 200, cache_mb: 256, dir: None }
    }
}

/// Fills a store step by step and measures it at each size.
pub fn run(args: &Args) -> Result<Value> {
    let folder = |id| std::env::temp_dir().join(format!("amago-bench-replay-{id}"));
    let dir = args.dir.clone().unwrap_or_else(|| folder(std::process::id()));
    ensure!(!dir.exists(), "{}: there is one; the bench fills and removes a new folder", dir.display());
    let rows = args.sizes.iter().map(|size| row(&dir, *size as usize, args)).collect::<Result<Vec<_>>>();
    let rows = rows?;
    fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    Ok(json!({
        "bench": "replay",
        "transitions": args.transitions,
        "batch": args.batch,
        "cache_mb": args.cache_mb,
        "results": rows,
    }))
}

fn row(dir: &Path, size: usize, args: &Args) -> Result<Value> {
    let config = StoreConfig { cache_bytes: args.cache_mb << 20, ..StoreConfig::default() };
    let trajectory = trajectory(args.transitions as usize)?;
    let (start, before) = (Instant::now(), {
        let store = Store::open(dir, config.clone())?;
        let before = store.len();
        for _ in before..size {
            store.append(&trajectory)?;
        }
        before
    });
    let append = start.elapsed().as_secs_f64() / (size - before.min(size)).max(1) as f64;
    let start = Instant::now();
    let store = Store::open(dir, config)?;
    let open = start.elapsed().as_secs_f64();
    let mut draws = rng(0, Role::Replay, 0, 0);
    let mut seconds = Vec::new();
    for _ in 0..args.batches {
        let start = Instant::now();
        store.sample_batch(args.batch as usize, args.transitions as usize, Padding::None, &mut draws)?;
        seconds.push(1e3 * start.elapsed().as_secs_f64());
    }
    eprintln!("{size} trajectories: measured");
    Ok(json!({
        "trajectories": store.len(),
        "bytes": store.bytes(),
        "append_ms": 1e3 * append,
        "open_seconds": open,
        "batch_ms": Spread::of(seconds),
        "cached_mb": store.cached_bytes() >> 20,
        "resident_mb": resident_mb(),
    }))
}

fn trajectory(transitions: usize) -> Result<Trajectory> {
    let space = DictSpace::single(Space::box_f32(&[OBS], -1.0, 1.0));
    let mut builder = TrajectoryBuilder::new(&space, &Space::Discrete { n: ACTIONS });
    let obs = Observation::new(&space);
    builder.start(&obs)?;
    for t in 0..transitions {
        let step = Step { reward: t as f32, ..Step::default() };
        builder.push(&Action::Discrete(t % ACTIONS), &step, &obs)?;
    }
    Ok(builder.finish())
}

/// Memory of this process, where the system tells.
fn resident_mb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}
