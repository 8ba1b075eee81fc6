//! Tells code from strings and comments, without parsing Rust.

/// A source text twice, with the same lines and columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Masked {
    /// Comments and the insides of strings and characters replaced by spaces.
    pub code: String,
    /// All but comments replaced by spaces.
    pub comments: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Splits a source text.
pub fn mask(text: &str) -> Masked {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Masked { code: String::new(), comments: String::new() };
    let mut at = 0;
    while at < chars.len() {
        let (kind, end) = token(&chars, at);
        let last = end - 1;
        for (i, &c) in chars.iter().enumerate().take(end).skip(at) {
            // The quotes of a literal stay, so that a line's last sign is still its last.
            let edge = i == at || i == last;
            let (code, comment) = match kind {
                _ if c == '\n' => ('\n', '\n'),
                Kind::Code => (c, ' '),
                Kind::Comment => (' ', c),
                Kind::Literal => (if edge { c } else { ' ' }, ' '),
            };
            out.code.push(code);
            out.comments.push(comment);
        }
        at = end;
    }
    out
}

/// Kind and end of what begins at `at`.
fn token(chars: &[char], at: usize) -> (Kind, usize) {
    let next = chars.get(at + 1);
    match chars[at] {
        '/' if next == Some(&'/') => (Kind::Comment, find(chars, at, |rest| rest[0] == '\n', 0)),
        '/' if next == Some(&'*') => (Kind::Comment, block_comment(chars, at)),
        '"' => (Kind::Literal, quoted(chars, at, '"')),
        'r' => match raw_hashes(chars, at) {
            Some(hashes) => (Kind::Literal, raw_string(chars, at, hashes)),
            None => (Kind::Code, at + 1),
        },
        // Not a lifetime: `'\n'` or `'x'`.
        '\'' if next == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => {
            (Kind::Literal, quoted(chars, at, '\''))
        }
        _ => (Kind::Code, at + 1),
    }
}

/// Position `after` signs past the first place from `from` where `stop` holds, or the end.
fn find(chars: &[char], from: usize, stop: impl Fn(&[char]) -> bool, after: usize) -> usize {
    let hit = (from..chars.len()).find(|&i| stop(&chars[i..]));
    hit.map_or(chars.len(), |i| i + after)
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i < chars.len() {
        match chars[i..] {
            ['/', '*', ..] => depth += 1,
            ['*', '/', ..] => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// How many `#` a raw string has that begins at this `r`; `None` when none begins.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let before = &chars[..at];
    let before = before.strip_suffix(&['b']).or(before.strip_suffix(&['c'])).unwrap_or(before);
    let inside_a_name = before.last().is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (!inside_a_name && chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_string(chars: &[char], at: usize, hashes: usize) -> usize {
    let end = |rest: &[char]| {
        rest[0] == '"' && rest[1..].iter().take_while(|c| **c == '#').take(hashes).count() == hashes
    };
    find(chars, at + hashes + 2, end, hashes + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, comments: &str) {
        let masked = mask(text);
        let trimmed: Vec<&str> = masked.code.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), code, "code of {text}");
        assert_eq!(masked.comments.trim(), comments, "comments of {text}");
        assert_eq!(masked.code.chars().count(), text.chars().count());
    }

    #[test]
    fn strings_are_blanked() {
        check(r#"f("a // b", 1)"#, r#"f("      ", 1)"#, "");
        check(r#"f("\"x", 1)"#, r#"f("   ", 1)"#, "");
        check(r##"f(r#"a"b"#, 1)"##, "f(r      #, 1)", "");
        check(r#"f(br"a\", 1)"#, r#"f(br   ", 1)"#, "");
        check(r#"for"x""#, r#"for" ""#, "");
    }

    #[test]
    fn comments_are_moved() {
        check("a; // b\nc;", "a;\nc;", "// b");
        check("a /* b /* c */ d */ e", "a                   e", "/* b /* c */ d */");
        check("a /* open", "a", "/* open");
    }

    #[test]
    fn characters_are_not_lifetimes() {
        check("f('\"', '\\'', 'a')", "f(' ', '  ', ' ')", "");
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)", "");
    }
}
