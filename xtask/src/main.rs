//! Development tasks: `cargo xtask --help`.

mod bench;
mod ci;
mod gpu;
mod kill;
mod parity;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Development tasks of the amago workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything that has to pass before a commit (runs .ci/run).
    Ci(ci::Ci),
    /// Check the rules of the code base that no compiler checks.
    Tidy(tidy::Tidy),
    /// Run the golden cases and write the table of docs/parity.md.
    Parity(parity::Parity),
    /// Kill runs at random moments and check that they go on as if nothing had happened.
    Kill(kill::Kill),
    /// Measure speed; prints JSON.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Measure on a machine with a GPU.
    #[command(subcommand)]
    Gpu(gpu::Gpu),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is not in a workspace")?;
    match cli.task {
        Task::Ci(ci) => ci.run(root),
        Task::Tidy(tidy) => tidy.run(root),
        Task::Parity(parity) => parity.run(root).map(|()| ExitCode::SUCCESS),
        Task::Kill(kill) => kill.run(root),
        Task::Gpu(gpu) => gpu.run(root),
        Task::Bench(bench) => bench.run().map(|()| ExitCode::SUCCESS),
    }
}
