//! Full updates on random data at the sizes that the speed table in `docs/LOG.md` uses. Prints one JSON line.
//! `cargo xtask bench learner` runs it.

use std::time::Instant;

use amago_agent::{Agent, AgentConfig, Learner, ObsSpec, OptimConfig, RandomDraws, TrainBatch};
use amago_env::Space;
use amago_seqmodel::{ObsKind, ObsLayout, TrajEncoderConfig};
use burn::tensor::{Device, Distribution, Int, Tensor};
use clap::{Parser, ValueEnum};
use serde_json::json;

#[path = "../src/memory.rs"]
mod memory;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AgentKind {
    Amago,
    Amago2,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    /// d_model 64, 2 layers, 4 heads.
    Tiny,
    /// d_model 256, 3 layers, 8 heads.
    Base,
}

/// Speed of the learner on random data.
#[derive(Debug, Parser)]
struct Args {
    #[arg(long, value_enum, default_value = "amago")]
    agent: AgentKind,
    #[arg(long, value_enum, default_value = "tiny")]
    size: Size,
    /// Sequences per batch.
    #[arg(long, default_value_t = 24)]
    batch: usize,
    /// Transitions per sequence.
    #[arg(long, default_value_t = 128)]
    len: usize,
    /// Width of the observation.
    #[arg(long, default_value_t = 8)]
    obs: usize,
    /// Discrete actions.
    #[arg(long, default_value_t = 5)]
    actions: usize,
    /// Updates that are measured, after one that warms up.
    #[arg(long, default_value_t = 5)]
    updates: usize,
    /// Parts that a batch is computed in.
    #[arg(long, default_value_t = 1)]
    micro_batches: usize,
}

fn config(args: &Args) -> AgentConfig {
    let mut config = match args.agent {
        AgentKind::Amago => AgentConfig::amago(),
        AgentKind::Amago2 => AgentConfig::amago2(),
    };
    if let (Size::Tiny, TrajEncoderConfig::Transformer(t)) = (args.size, &mut config.traj_encoder) {
        (t.d_model, t.n_heads, t.d_ff, t.n_layers) = (64, 4, 256, 2);
    }
    config
}

fn batch(args: &Args, device: &Device) -> TrainBatch {
    let (b, l, a) = (args.batch, args.len, args.actions);
    let normal = || Distribution::Normal(0.0, 1.0);
    let index = Tensor::<2>::random([b, l], Distribution::Uniform(0.0, a as f64), device).floor().int();
    let actions = index.clamp(0, a as i64 - 1).one_hot::<3>(a).float();
    TrainBatch {
        obs: Tensor::<3>::random([b, l + 1, args.obs], normal(), device).into(),
        rl2s: Tensor::random([b, l + 1, 1 + a], normal(), device),
        times: Tensor::<1, Int>::arange(0..l as i64 + 1, device).unsqueeze::<2>().expand([b, l + 1]),
        rewards: Tensor::random([b, l], normal(), device),
        terminals: Tensor::random([b, l], Distribution::Bernoulli(0.01), device),
        actions,
        legal: None,
        mask: Tensor::ones([b, l + 1], device),
    }
}

/// Largest resident size so far, in MB, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}

fn main() {
    memory::keep_freed_pages();
    let args = Args::parse();
    let device = Device::flex().autodiff();
    device.seed(0);
    let config = config(&args);
    let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![args.obs]))]);
    let spec = ObsSpec { obs, action: Space::Discrete { n: args.actions } };
    let agent = Agent::new(&config, &spec, &device);
    let optim = OptimConfig { micro_batches: args.micro_batches, ..OptimConfig::default() };
    let mut learner = Learner::new(agent, config, optim);
    let batch = batch(&args, &device);
    let mut seconds = Vec::new();
    for _ in 0..=args.updates {
        let start = Instant::now();
        let report = learner.update(&batch, &mut RandomDraws);
        assert!(report.loss.is_finite(), "the loss is {}", report.loss);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut counted = seconds.split_off(1);
    counted.sort_by(f64::total_cmp);
    let median = counted[counted.len() / 2];
    println!(
        "{}",
        json!({
            "bench": "learner",
            "agent": format!("{:?}", args.agent).to_lowercase(),
            "size": format!("{:?}", args.size).to_lowercase(),
            "batch": args.batch,
            "len": args.len,
            "threads": std::env::var("RAYON_NUM_THREADS").ok(),
            "updates_per_second": 1.0 / median,
            "tokens_per_second": (args.batch * args.len) as f64 / median,
            "peak_memory_mb": peak_memory(),
        })
    );
}
