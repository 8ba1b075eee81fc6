//! The crates that must stay free of Burn.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Finding;
use super::repo::Repo;

const BURN_FREE: [&str; 5] = ["amago-dataset", "amago-env", "amago-gym", "amago-replay", "amago-view"];

/// Checks the normal dependencies, with all features on, of those crates.
pub fn check(repo: &Repo) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for name in BURN_FREE {
        let manifest = format!("crates/{name}/Cargo.toml");
        findings.extend(burn_in(&tree(repo, name)?).map(|line| {
            Finding::failure(&manifest, 1, format!("links {line}, but {name} must build without Burn"))
        }));
    }
    Ok(findings)
}

/// One line per dependency: name, version and marks.
fn tree(repo: &Repo, name: &str) -> Result<String> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "--all-features", "-e", "normal", "--prefix", "none", "-p", name])
        .current_dir(&repo.root)
        .output()
        .context("cannot start cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree -p {name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn burn_in(tree: &str) -> Option<&str> {
    let name = |line: &&str| line.split(' ').next().is_some_and(|n| n == "burn" || n.starts_with("burn-"));
    tree.lines().find(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burn_is_found_by_name() {
        assert_eq!(burn_in("amago-env v0.1.0 (/x)\nrand v0.10.3\nburner v1.0.0\n"), None);
        assert_eq!(burn_in("a v0.1.0\nburn-core v0.22.1 (*)\n"), Some("burn-core v0.22.1 (*)"));
        assert_eq!(burn_in("a v0.1.0\nburn v0.22.1\n"), Some("burn v0.22.1"));
    }
}
