//! The test that kills runs, with more kills than the test suite has time for.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Options of `kill`.
#[derive(Debug, clap::Args)]
pub struct Kill {
    /// Kills for each way of collecting and learning.
    #[arg(long, default_value_t = 50)]
    kills: usize,
}

impl Kill {
    /// Runs the test.
    pub fn run(&self, root: &Path) -> Result<ExitCode> {
        let test = ["test", "--release", "--workspace", "--test", "cli", "kill", "--", "--nocapture"];
        let status = Command::new(env!("CARGO"))
            .args(test)
            .env("AMAGO_KILLS", self.kills.to_string())
            .current_dir(root)
            .status()
            .context("cannot start cargo")?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
