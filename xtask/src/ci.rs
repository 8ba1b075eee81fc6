//! `xtask ci`: the checks of `.ci/run`, which holds the only list of them.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

/// Command line.
#[derive(Debug, Args)]
pub struct Ci {
    /// Also run the ignored tests: those that take long, or need a browser, Python packages or root.
    #[arg(long)]
    all: bool,
}

impl Ci {
    /// Runs `.ci/run`, and then what was ignored there if asked to; succeeds when every step did.
    pub fn run(&self, root: &Path) -> Result<ExitCode> {
        let mut list = Command::new("bash");
        list.arg(root.join(".ci/run"));
        if !succeeds(list, root)? {
            return Ok(ExitCode::FAILURE);
        }
        if self.all {
            let mut ignored = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            ignored.args(["test", "--release", "--workspace", "--no-fail-fast", "--", "--ignored"]);
            if !succeeds(ignored, root)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn succeeds(mut command: Command, root: &Path) -> Result<bool> {
    let status = command.current_dir(root).status().with_context(|| format!("cannot start {command:?}"))?;
    Ok(status.success())
}
