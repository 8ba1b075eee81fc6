//! One Rust file, prepared for the checks.

use super::item;
use super::mask::{Masked, mask};

/// A Rust file.
pub struct Source {
    /// Path from the root.
    pub path: String,
    masked: Masked,
    /// Whether each line belongs to tests.
    test: Vec<bool>,
}

impl Source {
    /// Takes a file apart.
    pub fn new(path: &str, text: &str) -> Self {
        let masked = mask(text);
        let test = test_lines(path, &masked.code.lines().collect::<Vec<_>>());
        Self { path: path.to_owned(), masked, test }
    }

    /// Lines with comments and the insides of strings blanked.
    pub fn code(&self) -> Vec<&str> {
        self.masked.code.lines().collect()
    }

    /// Lines with all but the comments blanked.
    pub fn comments(&self) -> Vec<&str> {
        self.masked.comments.lines().collect()
    }

    /// Numbered lines of code, from 1, that are not part of a test.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.masked.code.lines().enumerate();
        lines.filter(|(i, _)| !self.test[*i]).map(|(i, line)| (i + 1, line))
    }
}

fn test_lines(path: &str, code: &[&str]) -> Vec<bool> {
    let whole = path.contains("/tests/") || path.ends_with("/tests.rs");
    let mut test = vec![whole; code.len()];
    for (i, line) in code.iter().enumerate() {
        let attribute = line.trim_start();
        if attribute.starts_with("#[cfg(test)]") || attribute.starts_with("#[cfg(all(test,") {
            let item = (i + 1..code.len()).find(|&j| !code[j].trim_start().starts_with("#["));
            let end = item.and_then(|start| item::end(code, start)).unwrap_or(code.len() - 1);
            test[i..=end].fill(true);
        }
    }
    test
}

/// Whether `word` stands in the line on its own, not as part of a longer name.
pub fn has_word(line: &str, word: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let closed = !word.ends_with(name);
    line.match_indices(word).any(|(start, _)| {
        !line[..start].ends_with(name) && (closed || !line[start + word.len()..].starts_with(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_on_their_own() {
        assert!(has_word("a; todo!(x)", "todo!("));
        assert!(!has_word("not_todo!(x)", "todo!("));
        assert!(has_word("use std::fs;", "std::fs"));
        assert!(!has_word("use std::fsx;", "std::fs"));
        assert!(!has_word("eprintln!()", "println!"));
    }

    #[test]
    fn tests_are_not_shipped() {
        let text = "a;\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    b;\n}\nc;\n#[cfg(test)]\nmod more;\nd;\n";
        let shipped = |path| Source::new(path, text).shipped().map(|(i, _)| i).collect::<Vec<_>>();
        assert_eq!(shipped("crates/x/src/lib.rs"), [1, 7, 10]);
        assert!(shipped("crates/x/tests/it.rs").is_empty());
        assert!(shipped("crates/x/src/y/tests.rs").is_empty());
    }
}
