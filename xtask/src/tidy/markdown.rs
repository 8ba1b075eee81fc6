//! Just enough of Markdown: what is prose, and what is quoted in it.

/// Numbered lines outside code blocks, from 1.
pub fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut block = false;
    text.lines().enumerate().filter_map(move |(i, line)| {
        let fence = line.trim_start().starts_with("```");
        block ^= fence;
        (!block && !fence).then_some((i + 1, line))
    })
}

/// What stands in backticks on a line, with its place in bytes.
pub fn quoted(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let parts = line.split('`').enumerate().map(move |(i, part)| {
        let start = at;
        at += part.len() + 1;
        (i, start, part)
    });
    parts.filter_map(|(i, start, part)| (i % 2 == 1).then_some((start, part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_are_no_prose() {
        let text = "a\n```rust\nb\n```\nc\n  ```\n  d\n  ```\n";
        assert_eq!(prose(text).collect::<Vec<_>>(), [(1, "a"), (5, "c")]);
    }

    #[test]
    fn quotes_know_their_place() {
        let line = "see `a` and `b c`";
        let found: Vec<_> = quoted(line).collect();
        assert_eq!(found, [(5, "a"), (13, "b c")]);
        assert!(found.iter().all(|(at, word)| line[*at..].starts_with(word)));
    }
}
