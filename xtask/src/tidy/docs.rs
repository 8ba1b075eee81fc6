//! The architecture page agrees with the tree.

use anyhow::Result;

use super::Finding;
use super::markdown::{prose, quoted};
use super::repo::Repo;

const PAGE: &str = "docs/architecture.md";
/// Endings that make a word without a `/` a file name.
const ENDINGS: [&str; 5] = [".rs", ".toml", ".md", ".lock", ".json"];
/// Folders that runs and builds make.
const GENERATED: [&str; 2] = ["runs/", "target/"];

/// Checks that the page names every crate and that every path it names is there.
pub fn check(repo: &Repo) -> Result<Vec<Finding>> {
    if !repo.has(PAGE) {
        // The check of required files reports that.
        return Ok(Vec::new());
    }
    let text = repo.read(PAGE)?;
    let mut findings = Vec::new();
    for name in repo.crates() {
        if !text.lines().any(|line| names_crate(line, name)) {
            findings.push(Finding::failure(PAGE, 1, format!("does not mention the crate {name}")));
        }
    }
    for (line, path) in paths(&text) {
        if !exists(&repo.files, path) {
            findings.push(Finding::failure(PAGE, line, format!("there is no `{path}`")));
        }
    }
    Ok(findings)
}

/// `amago` is not named by `amago-env`.
fn names_crate(line: &str, name: &str) -> bool {
    line.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).any(|word| word == name)
}

/// Numbered paths in backticks, outside code blocks.
fn paths(text: &str) -> Vec<(usize, &str)> {
    let words = prose(text).flat_map(|(line, words)| quoted(words).map(move |(_, word)| (line, word)));
    words.filter(|(_, word)| looks_like_path(word)).collect()
}

fn looks_like_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let shaped = word.contains('/') || ENDINGS.iter().any(|e| word.ends_with(e) && word.len() > e.len());
    plain && shaped && !word.starts_with('/') && !GENERATED.iter().any(|dir| word.starts_with(dir))
}

/// Whether a file or folder of the repository has this path, or ends in it: the page may give paths
/// from a crate's folder.
fn exists(files: &[String], path: &str) -> bool {
    let wanted = path.trim_start_matches("./").trim_end_matches('/');
    let ends = |candidate: &str| {
        candidate.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    files.iter().any(|file| {
        let folders = file.match_indices('/').map(|(i, _)| &file[..i]);
        ends(file) || folders.into_iter().any(ends)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_code() {
        let text = "See `src/a.rs` and `Cargo.toml`, `a::b`, `--flag`, `x / y`, `configs/*.toml`.\n\
            ```\n`src/in_a_block.rs`\n```\n`runs/x` `/dev/null` `.md` `crates/`\n";
        assert_eq!(paths(text), [(1, "src/a.rs"), (1, "Cargo.toml"), (5, "crates/")]);
    }

    #[test]
    fn files_and_folders_exist() {
        let files = ["crates/amago-env/src/lib.rs".to_owned(), "Cargo.toml".to_owned()];
        for there in
            ["crates/", "crates/amago-env/src", "src/lib.rs", "lib.rs", "./Cargo.toml", "amago-env/src/"]
        {
            assert!(exists(&files, there), "{there}");
        }
        for gone in ["crates/amago", "env/src", "src/li", "cargo.toml", "src/lib.rs/x"] {
            assert!(!exists(&files, gone), "{gone}");
        }
    }

    #[test]
    fn crates_are_named_in_full() {
        assert!(names_crate("| `amago-env` | x |", "amago-env"));
        assert!(!names_crate("| `amago-env` | x |", "amago"));
        assert!(names_crate("the amago binary", "amago"));
    }
}
