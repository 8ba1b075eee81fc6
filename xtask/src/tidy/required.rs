//! Files that must be there.

use std::process::Command;

use super::Finding;
use super::repo::Repo;

const REQUIRED: [&str; 5] = ["LICENSE", "README.md", "docs/architecture.md", "docs/LOG.md", "Cargo.lock"];

/// Checks that the files are there and that git knows the lock file.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let missing = REQUIRED.iter().filter(|path| !repo.has(path));
    let mut findings: Vec<Finding> =
        missing.map(|path| Finding::failure(path, 1, "this file is missing")).collect();
    findings.extend(lock_file(repo));
    findings
}

fn lock_file(repo: &Repo) -> Option<Finding> {
    let listed = Command::new("git").args(["ls-files", "Cargo.lock"]).current_dir(&repo.root).output();
    let Some(output) = listed.ok().filter(|output| output.status.success()) else {
        // An unpacked archive, or a machine with nothing but Rust.
        return Some(Finding::warning("Cargo.lock", 1, "git cannot tell whether it is committed"));
    };
    output.stdout.is_empty().then(|| Finding::failure("Cargo.lock", 1, "it is not committed"))
}
