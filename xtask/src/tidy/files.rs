//! Sizes of Rust files, and words that say "not finished".

use anyhow::Result;

use super::Finding;
use super::repo::Repo;

const WARNING: usize = 300;
const FAILURE: usize = 400;

/// Words that must not be left behind in a source file.
const MARKERS: [&str; 3] = ["TODO", "FIXME", "XXX"];
/// This file names them.
const EXCEPT: &str = "xtask/src/tidy/files.rs";

/// Checks all Rust files and says how many there are.
pub fn check(repo: &Repo) -> Result<(usize, Vec<Finding>)> {
    let rust: Vec<&String> = repo.files.iter().filter(|path| path.ends_with(".rs")).collect();
    let mut findings = Vec::new();
    for path in &rust {
        let text = repo.read(path)?;
        findings.extend(length(path, text.lines().count()));
        if *path != EXCEPT {
            findings.extend(markers(path, &text));
        }
    }
    Ok((rust.len(), findings))
}

fn length(path: &str, lines: usize) -> Option<Finding> {
    let message = |limit| format!("{lines} lines, the limit is {limit}");
    match lines {
        n if n > FAILURE => Some(Finding::failure(path, n, message(FAILURE))),
        n if n > WARNING => Some(Finding::warning(path, n, message(WARNING))),
        _ => None,
    }
}

fn markers(path: &str, text: &str) -> Vec<Finding> {
    let words = |line: &str| -> Vec<String> {
        line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
    };
    let found = text.lines().enumerate().flat_map(|(i, line)| {
        let left = words(line).into_iter().filter(|word| MARKERS.contains(&word.as_str()));
        left.map(move |word| Finding::failure(path, i + 1, format!("`{word}` left in")))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: impl IntoIterator<Item = Finding>, expected: &[&str]) {
        let found: Vec<_> = found.into_iter().map(|f| f.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn long_files() {
        check(length("a.rs", 300), &[]);
        check(length("a.rs", 301), &["a.rs:301: warning: 301 lines, the limit is 300"]);
        check(length("a.rs", 401), &["a.rs:401: 401 lines, the limit is 400"]);
    }

    #[test]
    fn unfinished_work() {
        check(markers("a.rs", "a;\n// FIXME: b\n"), &["a.rs:2: `FIXME` left in"]);
        check(markers("a.rs", "let XXXL = todo;\n"), &[]);
    }
}
