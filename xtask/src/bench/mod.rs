//! `xtask bench`: one file per thing measured, each printing one JSON object.

mod env;
mod median;

use anyhow::Result;
use clap::Subcommand;

/// What to measure.
#[derive(Subcommand)]
pub enum Bench {
    /// Steps per second of the built-in environments under random actions.
    Env(env::Args),
}

impl Bench {
    /// Measures and prints the result.
    pub fn run(self) -> Result<()> {
        let report = match self {
            Bench::Env(args) => env::run(&args)?,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
        Ok(())
    }
}
