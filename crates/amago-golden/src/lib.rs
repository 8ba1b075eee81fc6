//! Reads the golden cases: tensors recorded from the original implementation.
//!
//! A test calls [`run`] with its crate's name and a checker per family. Every case in the folder is
//! looked at: a case of no known family fails, a case of this crate is checked, a recorded tensor that no checker
//! asks for fails unless [`not_compared`] gives the reason, and the worst relative error per case is printed. One
//! misfit does not hide the cases after it. The folder is `cases` in this crate, described in its README, or the one
//! that `AMAGO_GOLDEN_DIR` names.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod case;
mod families;
#[cfg(feature = "modules")]
pub mod modules;
mod report;
#[cfg(feature = "modules")]
pub mod torch;

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

pub use case::{Array, Case, Values};
pub use families::{family, not_compared};
pub use report::Report;

/// Checks one case: compares tensors through the report.
pub type Check = fn(&Case, &mut Report);

/// The folder of golden cases.
///
/// # Panics
/// When it holds no `INDEX.json`: a wrong path must not pass.
pub fn folder() -> PathBuf {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
    let dir = std::env::var_os("AMAGO_GOLDEN_DIR").map_or(own, PathBuf::from);
    assert!(dir.join("INDEX.json").is_file(), "no golden cases: {} has no INDEX.json", dir.display());
    dir
}

/// Runs every case of `crate_name`'s families. With `AMAGO_PARITY=FILE`, appends the worst errors of each
/// case to that file, one line of JSON each.
///
/// # Panics
/// When a case fails, is of an unknown family, or belongs to this crate but has no checker.
pub fn run(crate_name: &str, checks: &[(&str, Check)]) {
    let Checked { checked, failures } = check(crate_name, checks);
    println!("{checked} golden cases checked for {crate_name}");
    assert!(failures.is_empty(), "{} golden failures:\n{}", failures.len(), failures.join("\n"));
}

/// What [`check`] found.
#[derive(Debug)]
pub struct Checked {
    /// Cases that were checked.
    pub checked: usize,
    /// What did not fit, one line each.
    pub failures: Vec<String>,
}

/// [`run`] without the panic.
pub fn check(crate_name: &str, checks: &[(&str, Check)]) -> Checked {
    let dir = folder();
    let mut failures = Vec::new();
    let mut checked = 0;
    for name in case::names(&dir) {
        match family(&name) {
            None => failures.push(format!("{name}: unknown family")),
            Some((_, owner)) if owner != crate_name => {}
            Some((family, _)) => {
                let fitting = checks.iter().filter(|(prefix, _)| name.starts_with(prefix));
                let Some((_, check)) = fitting.max_by_key(|(prefix, _)| prefix.len()) else {
                    failures.push(format!("{name}: {crate_name} has no checker for this family"));
                    continue;
                };
                checked += 1;
                failures.extend(run_case(&dir, &name, family, *check));
            }
        }
    }
    Checked { checked, failures }
}

/// Checks one case and returns what does not fit.
fn run_case(dir: &Path, name: &str, family: &str, check: Check) -> Vec<String> {
    let mut report = Report::new(name);
    // A checker panics where a case lacks what it needs; the cases after it are to be seen as well.
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let case = Case::load(dir, name);
        check(&case, &mut report);
        let forgotten = case.unasked().into_iter().filter(|tensor| not_compared(name, tensor).is_none());
        forgotten.map(|tensor| format!("{name}: {tensor} is recorded, but not compared")).collect()
    }));
    let forgotten: Vec<String> = match result {
        Ok(forgotten) => forgotten,
        Err(cause) => {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            vec![format!("{name}: {text}")]
        }
    };
    if let Some(file) = std::env::var_os("AMAGO_PARITY") {
        report.record(family, Path::new(&file));
    }
    report.finish().into_iter().chain(forgotten).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(check: Check) -> Vec<String> {
        run_case(&folder(), "norm_none", "norm", check)
    }

    #[test]
    fn a_tensor_that_nobody_looks_at_fails_its_case() {
        let found = failures(|case, report| {
            let out = case.get("out.y").f32();
            report.close("out.y", &out, &out, 0.0);
        });
        assert!(
            found.iter().any(|line| line.contains("grad.in.x is recorded, but not compared")),
            "{found:?}"
        );
        assert!(!found.iter().any(|line| line.contains("out.y")), "{found:?}");
    }

    #[test]
    fn a_misspelt_name_and_a_checker_that_compares_nothing_fail() {
        let found = failures(|case, report| report.close("out.y", &[], &case.get("out.z").f32(), 0.0));
        assert!(found.iter().any(|line| line.contains("no tensor out.z")), "{found:?}");
        assert!(found.iter().any(|line| line.contains("compared nothing")), "{found:?}");
    }
}
