//! `xtask ci`: the checks of `.ci/run`, which holds the only list of them.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Runs `.ci/run`; succeeds when every step did.
pub fn run(root: &Path) -> Result<ExitCode> {
    let script = root.join(".ci/run");
    let status = Command::new("bash")
        .arg(&script)
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot start bash for {}", script.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
