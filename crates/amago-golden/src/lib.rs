//! Reads the golden cases: tensors recorded from the original implementation.
//!
//! A test calls [`run`] with its crate's name and a checker per family. Every case in the folder is
//! looked at: a case of no known family fails, a case of this crate is checked, and the worst
//! relative error per tensor is printed. The folder is `AMAGO_GOLDEN_DIR`, or `../shared/golden`
//! beside the project; without it the test says loudly that it was skipped.
#![warn(missing_docs)]

mod case;
mod families;
#[cfg(feature = "modules")]
pub mod modules;
mod report;
#[cfg(feature = "modules")]
pub mod torch;

use std::path::{Path, PathBuf};

pub use case::{Array, Case, Values};
pub use families::family;
pub use report::Report;

/// Checks one case: compares tensors through the report.
pub type Check = fn(&Case, &mut Report);

/// The folder of golden cases, or `None` where there is none.
///
/// # Panics
/// When `AMAGO_GOLDEN_DIR` is set but holds no `INDEX.json`: a wrong path must not pass.
pub fn folder() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("AMAGO_GOLDEN_DIR") {
        let dir = PathBuf::from(dir);
        assert!(dir.join("INDEX.json").is_file(), "AMAGO_GOLDEN_DIR={} has no INDEX.json", dir.display());
        return Some(dir);
    }
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"));
    dir.join("INDEX.json").is_file().then_some(dir)
}

/// Runs every case of `crate_name`'s families. With `AMAGO_PARITY=FILE`, appends the worst errors of each
/// case to that file, one line of JSON each.
///
/// # Panics
/// When a case fails, is of an unknown family, or belongs to this crate but has no checker.
pub fn run(crate_name: &str, checks: &[(&str, Check)]) {
    let Some(dir) = folder() else {
        eprintln!("SKIPPED: no golden cases; set AMAGO_GOLDEN_DIR to a folder with INDEX.json");
        return;
    };
    let mut failures = Vec::new();
    let mut checked = 0;
    for name in case::names(&dir) {
        match family(&name) {
            None => failures.push(format!("{name}: unknown family")),
            Some((_, owner)) if owner != crate_name => {}
            Some((family, _)) => {
                let Some((_, check)) =
                    checks.iter().filter(|(p, _)| name.starts_with(p)).max_by_key(|(p, _)| p.len())
                else {
                    failures.push(format!("{name}: {crate_name} has no checker for this family"));
                    continue;
                };
                let case = Case::load(&dir, &name);
                let mut report = Report::new(&name);
                check(&case, &mut report);
                checked += 1;
                if let Some(file) = std::env::var_os("AMAGO_PARITY") {
                    report.record(family, Path::new(&file));
                }
                failures.extend(report.finish());
            }
        }
    }
    println!("{checked} golden cases checked for {crate_name}");
    assert!(failures.is_empty(), "{} golden failures:\n{}", failures.len(), failures.join("\n"));
}
