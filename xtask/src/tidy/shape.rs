//! Forms of documents: the README is short, the log has an experiment an entry.

use anyhow::Result;

use super::Finding;
use super::repo::Repo;

const README: &str = "README.md";
const WORDS: usize = 700;
const LOG: &str = "docs/LOG.md";
const COLUMNS: usize = 120;
/// What an entry of the log is made of.
const PARTS: [&str; 3] = ["**Question.**", "**Figures.**", "**Conclusion.**"];

/// Checks both, where they are.
pub fn check(repo: &Repo) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if repo.has(README) {
        findings.extend(too_long(&repo.read(README)?));
    }
    if repo.has(LOG) {
        findings.extend(log(&repo.read(LOG)?));
    }
    Ok(findings)
}

fn too_long(text: &str) -> Option<Finding> {
    let words = text.split_whitespace().count();
    (words > WORDS).then(|| Finding::failure(README, 1, format!("{words} words, the limit is {WORDS}")))
}

/// An entry begins with a heading that begins with a year.
fn log(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut entry: Option<(usize, Vec<&str>)> = None;
    let end = |entry: Option<(usize, Vec<&str>)>| {
        let (line, missing) = entry.filter(|(_, missing)| !missing.is_empty())?;
        Some(Finding::failure(LOG, line, format!("the entry has no {}", missing.join(", no "))))
    };
    for (i, line) in text.lines().enumerate() {
        if line.chars().count() >= COLUMNS {
            findings.push(Finding::failure(LOG, i + 1, format!("{COLUMNS} columns or more")));
        }
        if line.starts_with("## ") {
            findings.extend(end(entry.take()));
            entry = line.starts_with("## 20").then(|| (i + 1, PARTS.to_vec()));
        } else if let Some((_, missing)) = &mut entry {
            missing.retain(|part| !line.starts_with(part));
        }
    }
    findings.extend(end(entry));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_three_parts() {
        let text = "# Log\n\n## Machines\n\n## 2026-01-02, a\n\n**Question.** x\n\n**Figures.** 1\n\n**Conclusion.** y\n\n\
            ## 2026-01-01, b\n\n**Question.** x\n";
        let found: Vec<_> = log(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["docs/LOG.md:13: the entry has no **Figures.**, no **Conclusion.**"]);
    }

    #[test]
    fn lines_end_before_the_limit() {
        let text = format!("{}\n{}\n", "ü".repeat(119), "ü".repeat(120));
        let found: Vec<_> = log(&text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["docs/LOG.md:2: 120 columns or more"]);
    }

    #[test]
    fn a_readme_is_short() {
        assert_eq!(too_long(&"word ".repeat(700)), None);
        let found = too_long(&"word ".repeat(701)).expect("one word too many");
        assert_eq!(found.to_string(), "README.md:1: 701 words, the limit is 700");
    }
}
