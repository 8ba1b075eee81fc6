//! Experiment files say what they are for.

use anyhow::Result;

use super::Finding;
use super::repo::Repo;

/// Checks every file under `configs/`.
pub fn check(repo: &Repo) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in repo.files.iter().filter(|p| p.starts_with("configs/") && p.ends_with(".toml")) {
        if !repo.read(path)?.starts_with('#') {
            findings.push(Finding::failure(path, 1, "does not start with a comment"));
        }
    }
    Ok(findings)
}
