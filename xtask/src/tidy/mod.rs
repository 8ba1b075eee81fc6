//! `xtask tidy`: the rules of the code base that no compiler checks.
//!
//! What the compiler and clippy check is set in `Cargo.toml` and `clippy.toml`.

mod configs;
mod dependencies;
mod docs;
mod files;
mod links;
mod markdown;
mod references;
mod repo;
mod required;
mod shape;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use repo::Repo;

/// Command line.
#[derive(Debug, Args)]
pub struct Tidy {
    /// First correct the line numbers that documents name, where the name beside one stands on another line.
    #[arg(long)]
    fix: bool,
}

/// Whether a finding fails the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Failure,
    /// Printed, nothing more.
    Warning,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    path: String,
    line: usize,
    message: String,
    severity: Severity,
}

impl Finding {
    /// A finding that fails the run; lines count from 1.
    pub fn failure(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), severity: Severity::Failure }
    }

    /// A finding that is only printed.
    pub fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::failure(path, line, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{}:{}: {kind}{}", self.path, self.line, self.message)
    }
}

impl Tidy {
    /// Runs every check on the workspace at `root` and prints what it finds.
    pub fn run(&self, root: &Path) -> Result<ExitCode> {
        let repo = Repo::open(root)?;
        if self.fix {
            eprintln!("tidy: {} line numbers corrected", references::fix(&repo)?);
        }
        let (count, mut findings) = files::check(&repo)?;
        findings.extend(docs::check(&repo)?);
        findings.extend(links::check(&repo)?);
        findings.extend(references::check(&repo)?);
        findings.extend(shape::check(&repo)?);
        findings.extend(configs::check(&repo)?);
        findings.extend(required::check(&repo));
        findings.extend(dependencies::check(&repo)?);
        findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        findings.iter().for_each(|finding| println!("{finding}"));
        let failures = findings.iter().filter(|f| f.severity == Severity::Failure).count();
        let warnings = findings.len() - failures;
        eprintln!("tidy: {count} Rust files, {failures} failures, {warnings} warnings");
        Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
