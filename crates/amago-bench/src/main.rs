//! Speed and correctness of the library on a device. One program, so that it can be carried to another machine:
//! `cargo xtask bench` and `cargo xtask gpu` run it. Every command prints one JSON line on its standard output.

mod common;
#[path = "../../amago/src/device.rs"]
mod device;
mod golden;
mod graph;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernels;
mod learner;
#[path = "../../amago/src/memory.rs"]
mod memory;
mod operations;
mod rollout;
mod shape;

use anyhow::Result;
use clap::Parser;

/// Speed and correctness of the library on a device.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Full updates on random data.
    Learner(learner::Args),
    /// Batched steps of a policy with fresh weights in environments.
    Rollout(rollout::Args),
    /// The recorded tensors of the original, compared on a device.
    Golden(golden::Args),
}

fn main() -> Result<()> {
    memory::keep_freed_pages();
    match Command::parse() {
        Command::Learner(args) => args.run(),
        Command::Rollout(args) => args.run(),
        Command::Golden(args) => args.run(),
    }
}
