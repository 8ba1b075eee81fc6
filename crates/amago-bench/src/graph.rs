//! Forward and backward pass as one recorded graph of kernels, where a device has such: how much of the time of an
//! update is launching.

use std::time::Instant;

use amago_agent::{Agent, AgentConfig, RandomDraws, TrainBatch, loss};
use anyhow::Result;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, capture};
use serde_json::{Value, json};

use crate::common::median;

/// Milliseconds of a pass, launched kernel by kernel and replayed. A replay repeats the random draws of the pass that was
/// recorded, so this is a measurement only, no way to train.
pub fn measure(agent: &Agent, config: &AgentConfig, batch: &TrainBatch, passes: usize) -> Result<Value> {
    let device = batch.mask.device().inner();
    let mut agent = agent.clone();
    // What the host has to read comes before the recording.
    agent.begin_update(batch);
    let pass = || {
        let loss = loss(&agent, config, batch, &mut RandomDraws);
        let total = loss.total.clone().detach();
        (total, GradientsParams::from_grads(loss.total.backward(), &agent))
    };
    let launched = times(passes, &device, pass)?;
    let mut graph = capture(&device, pass);
    let hardware = graph.is_hardware();
    let replayed = times(passes, &device, || {
        // SAFETY: the closure's tensors and the outputs live in `graph` and in the locals above, nothing else uses them,
        // and all of it happens on this thread.
        unsafe { graph.replay() }.0.clone()
    })?;
    let total: Tensor<1> = graph.output().0.clone();
    Ok(json!({
        "hardware": hardware,
        "launched_ms": launched,
        "replayed_ms": replayed,
        "loss": total.into_scalar::<f32>(),
    }))
}

/// Median milliseconds, each until the device has finished.
fn times<R>(passes: usize, device: &Device, mut pass: impl FnMut() -> R) -> Result<f64> {
    let mut milliseconds = Vec::new();
    for _ in 0..passes.max(1) {
        device.sync()?;
        let start = Instant::now();
        // Kept until it is done: nothing may leave out what nobody reads.
        let _result = pass();
        device.sync()?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(milliseconds))
}
