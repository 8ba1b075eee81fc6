//! Links in documents lead somewhere, and the book lists its chapters.

use anyhow::Result;

use super::Finding;
use super::markdown::prose;
use super::repo::Repo;

const BOOK: &str = "docs/book/src/";
const SUMMARY: &str = "docs/book/src/SUMMARY.md";

/// Checks the relative links of the documents, and that every chapter of the book is in its summary.
pub fn check(repo: &Repo) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for page in pages(repo) {
        let text = repo.read(page)?;
        for (line, target) in links(&text) {
            if resolved(page, target).is_none_or(|path| !there(&repo.files, &path)) {
                findings.push(Finding::failure(page, line, format!("there is no `{target}`")));
            }
        }
    }
    if repo.has(SUMMARY) {
        let text = repo.read(SUMMARY)?;
        let listed: Vec<String> =
            links(&text).into_iter().filter_map(|(_, target)| resolved(SUMMARY, target)).collect();
        let chapters =
            repo.files.iter().filter(|p| p.starts_with(BOOK) && p.ends_with(".md") && *p != SUMMARY);
        let lost = chapters.filter(|path| !listed.contains(path));
        findings.extend(lost.map(|path| Finding::failure(path, 1, "SUMMARY.md does not list it")));
    }
    Ok(findings)
}

/// Documents of the root and under `docs`.
fn pages(repo: &Repo) -> impl Iterator<Item = &str> {
    let ours = |path: &&str| path.ends_with(".md") && (path.starts_with("docs/") || !path.contains('/'));
    repo.files.iter().map(String::as_str).filter(ours)
}

/// Targets of links and images, numbered by line, without addresses of the web and places of the same page.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (line, words) in prose(text) {
        let after = |mark, end| words.split(mark).skip(1).filter_map(move |rest: &str| rest.split_once(end));
        let targets = after("](", ')').chain(after("src=\"", '"'));
        let targets = targets.map(|(target, _)| target.split([' ', '#']).next().unwrap_or_default());
        let ours = targets.filter(|target| !target.is_empty() && !target.contains(':'));
        found.extend(ours.map(|target| (line, target)));
    }
    found
}

/// A target as a path of the repository; nothing when it leaves it.
fn resolved(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a file or a folder has this path.
fn there(files: &[String], path: &str) -> bool {
    let below = |file: &String| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    files.iter().any(|file| file == path || below(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_images_are_found() {
        let text = "[a](b.md) and ![x](../c.svg), [`d`](e/f.rs#L3)\n<img src=\"g.png\">\n\
            [web](https://x.y/z.md) [here](#below) [mail](mailto:a@b)\n```\n[no](g.md)\n```\n";
        assert_eq!(links(text), [(1, "b.md"), (1, "../c.svg"), (1, "e/f.rs"), (2, "g.png")]);
    }

    #[test]
    fn targets_are_relative_to_their_page() {
        let path = |page, target| resolved(page, target);
        assert_eq!(path("docs/book/src/a.md", "../../x.md").as_deref(), Some("docs/x.md"));
        assert_eq!(path("README.md", "./docs/").as_deref(), Some("docs"));
        assert_eq!(path("README.md", "../x.md"), None);
    }

    #[test]
    fn files_and_folders_are_there() {
        let files = ["docs/a.md".to_owned()];
        assert!(there(&files, "docs/a.md") && there(&files, "docs"));
        assert!(!there(&files, "docs/a") && !there(&files, "doc"));
    }
}
