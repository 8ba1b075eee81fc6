//! Full updates on random data at the sizes that the speed table in `docs/LOG.md` uses.

use std::time::Instant;

use amago_agent::{Agent, AgentConfig, Learner, ObsSpec, OptimConfig, RandomDraws, TrainBatch};
use amago_env::Space;
use amago_seqmodel::{ObsKind, ObsLayout};
use anyhow::{Context, Result, ensure};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::common::{Size, median, peak_memory};
use crate::operations::{self, Work};
use crate::shape::Shape;
use crate::{device, graph};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AgentKind {
    Amago,
    Amago2,
}

/// Speed of the learner on random data.
#[derive(Debug, clap::Args)]
pub struct Args {
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
    /// Discrete actions, or numbers of a continuous one.
    #[arg(long, default_value_t = 5)]
    actions: usize,
    /// Continuous actions.
    #[arg(long)]
    continuous: bool,
    /// Updates that are measured.
    #[arg(long, default_value_t = 5)]
    updates: usize,
    /// Updates before those, which choose kernels and fill caches.
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Parts that a batch is computed in.
    #[arg(long, default_value_t = 1)]
    micro_batches: usize,
    /// Keep only what lies between the encoders' layers, and compute the rest again.
    #[arg(long)]
    checkpointing: bool,
    /// Products in bfloat16, on devices that have it.
    #[arg(long)]
    bf16: bool,
    /// Afterwards count the kernels of one update, and then time those of another one. GPUs only.
    #[arg(long)]
    kernels: bool,
    /// Afterwards also measure forward and backward pass as one recorded graph of kernels.
    #[arg(long)]
    graph: bool,
    #[command(flatten)]
    shape: Shape,
}

fn config(args: &Args) -> AgentConfig {
    let mut config = match args.agent {
        AgentKind::Amago => AgentConfig::amago(),
        AgentKind::Amago2 => AgentConfig::amago2(),
    };
    args.size.set(&mut config);
    args.shape.set(&mut config);
    config
}

fn spec(args: &Args) -> ObsSpec {
    let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![args.obs]))]);
    let action = match args.continuous {
        true => Space::box_f32(&[args.actions], -1.0, 1.0),
        false => Space::Discrete { n: args.actions },
    };
    ObsSpec { obs, action }
}

fn batch(args: &Args, device: &Device) -> TrainBatch {
    let (b, l, a) = (args.batch, args.len, args.actions);
    let normal = || Distribution::Normal(0.0, 1.0);
    let index = Tensor::<2>::random([b, l], Distribution::Uniform(0.0, a as f64), device).floor().int();
    let actions = match args.continuous {
        true => Tensor::random([b, l, a], Distribution::Uniform(-0.9, 0.9), device),
        false => index.clamp(0, a as i64 - 1).one_hot::<3>(a).float(),
    };
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

/// Floating-point operations per second of the best of several large products. On the CPU with the kernel of
/// the update, elsewhere with Burn's product, of growing size until one takes long.
fn matrix_peak(device: &Device) -> Result<f64> {
    let random = |rows, cols| Tensor::<2>::random([rows, cols], Distribution::Normal(0.0, 1.0), device);
    let fused = amago_ops::is_fused(device);
    let sizes: &[[usize; 2]] = if fused { &[[2048, 1024]] } else { &[[1024; 2], [2048; 2], [4096; 2]] };
    let mut best = 0f64;
    for &[rows, side] in sizes {
        let (x, weight) = (random(rows, side), random(side, side));
        let mut shortest = f64::INFINITY;
        for _ in 0..20 {
            device.sync()?;
            let start = Instant::now();
            // Kept until it is done: nothing may leave out what nobody reads.
            let _product = match fused {
                true => amago_ops::linear(x.clone(), weight.clone(), None, 1.0),
                false => x.clone().matmul(weight.clone()),
            };
            device.sync()?;
            shortest = shortest.min(start.elapsed().as_secs_f64());
        }
        best = best.max((2 * rows * side * side) as f64 / shortest);
        if shortest > 0.03 {
            break;
        }
    }
    Ok(best)
}

/// Median seconds of an update, and its operations where the kernels count them.
fn measure(learner: &mut Learner, batch: &TrainBatch, args: &Args, device: &Device) -> Result<(f64, f64)> {
    let (mut seconds, mut flops) = (Vec::new(), Vec::new());
    for i in 0..args.warmup + args.updates {
        device.sync()?;
        let (start, before) = (Instant::now(), amago_ops::flops());
        let report = learner.update(batch, &mut RandomDraws);
        device.sync()?;
        ensure!(report.loss.is_finite(), "the loss is {}", report.loss);
        if i >= args.warmup {
            seconds.push(start.elapsed().as_secs_f64());
            flops.push((amago_ops::flops() - before) as f64);
        }
    }
    ensure!(!seconds.is_empty(), "--updates 0: nothing to measure");
    Ok((median(seconds), median(flops)))
}

/// Number of parameters with a gradient: no copies, no running statistics.
struct Trained(usize);

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0 += param.val().shape().num_elements();
        }
    }
}

/// Kernels of one more update, counted and then timed.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn kernels(learner: &mut Learner, batch: &TrainBatch, device: &Device) -> Result<Value> {
    let mut of_update = |timing| -> Result<Value> {
        device.sync()?;
        let (synced, found) = crate::kernels::watch(timing, || {
            learner.update(batch, &mut RandomDraws);
            device.sync()
        });
        synced?;
        Ok(found)
    };
    let counted = of_update(false)?;
    Ok(json!({ "counted": counted, "timed": of_update(true)? }))
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn kernels(_: &mut Learner, _: &TrainBatch, _: &Device) -> Result<Value> {
    anyhow::bail!("--kernels: this build has no GPU")
}

impl Args {
    /// Measures updates.
    ///
    /// # Errors
    /// When the device cannot be used, or a loss is no number.
    pub fn run(&self) -> Result<()> {
        let plain = device::by_name(&self.device)?;
        ensure!(!self.bf16 || amago_ops::has_bf16(&plain), "--bf16: {} has no bfloat16", self.device);
        amago_ops::use_bf16(self.bf16);
        let device = plain.clone().autodiff();
        device.seed(0);
        let (config, ObsSpec { obs, action }) = (config(self), spec(self));
        let actor_outputs = config.policy_head(&action).context("this action space")?.n_outputs();
        let agent = Agent::new(&config, &ObsSpec { obs, action }, &device);
        let mut trained = Trained(0);
        agent.visit(&mut trained);
        let optim = OptimConfig {
            micro_batches: self.micro_batches,
            gradient_checkpointing: self.checkpointing,
            ..OptimConfig::default()
        };
        let (batch_size, len, actions) = (self.batch, self.len, self.actions);
        let inputs = self.obs + 1 + actions;
        let work =
            Work { batch: batch_size, len, inputs, actions, actor_outputs, discrete: !self.continuous };
        let computed = operations::of_update(&config, &work);
        let mut learner = Learner::new(agent, config.clone(), optim);
        let batch = batch(self, &device);
        let (seconds, counted) = measure(&mut learner, &batch, self, &plain)?;
        let flops = if counted > 0.0 { counted } else { computed };
        // What the products cost is read after the updates, so that it is no part of the updates' peak memory.
        let memory = peak_memory();
        let peak = matrix_peak(&plain)?;
        let mut found = json!({
            "bench": "learner",
            "device": self.device,
            "bf16": self.bf16,
            "agent": format!("{:?}", self.agent).to_lowercase(),
            "size": self.size.name(),
            "parameters": trained.0,
            "batch": self.batch,
            "len": self.len,
            "threads": amago_ops::threads(),
            "updates_per_second": 1.0 / seconds,
            "tokens_per_second": (self.batch * self.len) as f64 / seconds,
            "gflop_per_update": flops / 1e9,
            "gflop_per_update_computed": computed / 1e9,
            "gflop_per_second": flops / seconds / 1e9,
            "matrix_peak_gflop_per_second": peak / 1e9,
            "fraction_of_peak": flops / seconds / peak,
            "peak_memory_mb": memory,
        });
        println!("{found}");
        // Each on a line of its own: what is measured already is not lost if this fails.
        if self.kernels {
            found["kernels"] = kernels(&mut learner, &batch, &plain)?;
            println!("{found}");
        }
        if self.graph {
            found["graph"] = graph::measure(&learner.agent, &config, &batch, self.updates)?;
            println!("{found}");
        }
        Ok(())
    }
}
