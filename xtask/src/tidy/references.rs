//! Line numbers in documents: `` `crates/x/src/y.rs:12` `name` `` says that the name stands on that line.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result};

use super::Finding;
use super::markdown::{prose, quoted};
use super::repo::Repo;

/// A line of a file, and the name that stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference<'a> {
    /// Line of the document.
    line: usize,
    /// Where the number stands in that line, in bytes.
    number_at: Range<usize>,
    path: &'a str,
    number: usize,
    /// Absent where no name follows.
    name: Option<&'a str>,
}

/// What is wrong with a reference.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    NoName,
    NoFile,
    /// Lines that have the name.
    Elsewhere(Vec<usize>),
}

/// Checks the references of every document that may have some.
pub fn check(repo: &Repo) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for page in pages(repo) {
        for reference in references(&repo.read(page)?) {
            if let Some(fault) = fault(repo, &reference)? {
                findings.push(Finding::failure(page, reference.line, reference.complaint(&fault)));
            }
        }
    }
    Ok(findings)
}

/// Writes the right number where one line alone has the name, and tells how many numbers that were.
pub fn fix(repo: &Repo) -> Result<usize> {
    let mut count = 0;
    for page in pages(repo) {
        let text = repo.read(page)?;
        let mut moved = Vec::new();
        for reference in references(&text) {
            if let Some(Fault::Elsewhere(lines)) = fault(repo, &reference)?
                && let [line] = lines[..]
            {
                moved.push((reference, line));
            }
        }
        if !moved.is_empty() {
            fs::write(repo.root.join(page), rewritten(&text, &moved)).with_context(|| page.to_owned())?;
        }
        count += moved.len();
    }
    Ok(count)
}

fn pages(repo: &Repo) -> impl Iterator<Item = &str> {
    let has_some = |path: &&str| {
        *path == "docs/architecture.md" || path.starts_with("docs/book/src/") && path.ends_with(".md")
    };
    repo.files.iter().map(String::as_str).filter(has_some)
}

fn references(text: &str) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for (line, words) in prose(text) {
        let all: Vec<_> = quoted(words).collect();
        for (i, &(at, word)) in all.iter().enumerate() {
            let Some((path, digits)) = word.rsplit_once(':').filter(|(path, _)| path.contains('/')) else {
                continue;
            };
            let Ok(number) = digits.parse() else { continue };
            // Two backticks with nothing but a space between them.
            let name = all.get(i + 1).filter(|(next, _)| *next == at + word.len() + 3).map(|(_, name)| *name);
            let start = at + path.len() + 1;
            found.push(Reference { line, number_at: start..start + digits.len(), path, number, name });
        }
    }
    found
}

fn fault(repo: &Repo, reference: &Reference<'_>) -> Result<Option<Fault>> {
    let Some(name) = reference.name else { return Ok(Some(Fault::NoName)) };
    if !repo.has(reference.path) {
        return Ok(Some(Fault::NoFile));
    }
    let lines = lines_with(&repo.read(reference.path)?, name);
    Ok((!lines.contains(&reference.number)).then_some(Fault::Elsewhere(lines)))
}

/// Lines that have the name as a whole: `fn update` is not on a line of `fn update_here`.
fn lines_with(text: &str, name: &str) -> Vec<usize> {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let has = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + name.len()..]);
            let longer = (name.starts_with(letter) && before.ends_with(letter))
                || (name.ends_with(letter) && after.starts_with(letter));
            !longer
        })
    };
    text.lines().enumerate().filter(|(_, line)| has(line)).map(|(i, _)| i + 1).collect()
}

impl Reference<'_> {
    fn complaint(&self, fault: &Fault) -> String {
        let Self { path, number, .. } = self;
        let name = self.name.unwrap_or_default();
        match fault {
            Fault::NoName => format!("`{path}:{number}` must be followed by the `name` that stands there"),
            Fault::NoFile => format!("there is no `{path}`"),
            Fault::Elsewhere(lines) => match &lines[..] {
                [] => format!("no line of `{path}` has `{name}`"),
                [line] => {
                    format!("`{name}` is on line {line} of `{path}`, not {number}: cargo xtask tidy --fix")
                }
                lines => format!("line {number} of `{path}` has no `{name}`, but these have: {lines:?}"),
            },
        }
    }
}

fn rewritten(text: &str, moved: &[(Reference<'_>, usize)]) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // From the end, so that places before it stay where they are.
    for (reference, number) in moved.iter().rev() {
        lines[reference.line - 1].replace_range(reference.number_at.clone(), &number.to_string());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "1. `a/b.rs:12` `fn go`, then `a/b.rs:9` `Stop`.\n\
        2. `a/b.rs:3` alone, `x::y`, `key: 1`, `b.rs`\n```\n`a/b.rs:4` `in a block`\n```\n";

    #[test]
    fn references_have_a_line_and_a_name() {
        let found = references(PAGE);
        let named: Vec<_> = found.iter().map(|r| (r.line, r.path, r.number, r.name)).collect();
        assert_eq!(
            named,
            [(1, "a/b.rs", 12, Some("fn go")), (1, "a/b.rs", 9, Some("Stop")), (2, "a/b.rs", 3, None)]
        );
    }

    #[test]
    fn names_count_as_a_whole() {
        let text = "fn go_on() {\nfn go() {\n    go();\n}\n#[go]\n";
        assert_eq!(lines_with(text, "fn go"), [2]);
        assert_eq!(lines_with(text, "go"), [2, 3, 5]);
        assert_eq!(lines_with(text, "#[go"), [5]);
        assert!(lines_with(text, "o()").is_empty());
    }

    #[test]
    fn a_complaint_says_where_the_name_is() {
        let reference = &references("`a/b.rs:12` `fn go`")[0];
        assert_eq!(
            reference.complaint(&Fault::Elsewhere(vec![7])),
            "`fn go` is on line 7 of `a/b.rs`, not 12: cargo xtask tidy --fix"
        );
        assert!(reference.complaint(&Fault::Elsewhere(vec![7, 8])).contains("[7, 8]"));
        assert_eq!(reference.complaint(&Fault::Elsewhere(vec![])), "no line of `a/b.rs` has `fn go`");
    }

    #[test]
    fn only_the_numbers_are_rewritten() {
        let found = references(PAGE);
        let moved: Vec<_> = found.into_iter().zip([7, 1234]).collect();
        let expected = PAGE.replace(":12`", ":7`").replace(":9`", ":1234`");
        assert_eq!(rewritten(PAGE, &moved), expected);
    }
}
