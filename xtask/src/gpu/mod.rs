//! `xtask gpu`: everything that is measured on a GPU, carried to the machine that has one.

mod pack;
mod run;
mod stage;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Measures on a machine with a GPU that may have neither Rust nor a network.
#[derive(Debug, Subcommand)]
pub enum Gpu {
    /// Build for GPUs and pack what a machine with one needs into `target/gpu/amago-gpu.tar.xz`.
    Pack(pack::Pack),
    /// Do all checks and measurements, on that machine, from the unpacked folder.
    Run(run::Run),
}

impl Gpu {
    /// Packs or measures.
    pub fn run(&self, root: &Path) -> Result<ExitCode> {
        match self {
            Self::Pack(pack) => pack.run(root).map(|()| ExitCode::SUCCESS),
            Self::Run(run) => run.run(),
        }
    }
}
