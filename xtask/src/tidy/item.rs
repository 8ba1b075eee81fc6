//! Finds items by rustfmt's layout.

/// A function, in lines from 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// First line, attributes and comments not counted.
    pub start: usize,
    /// Last line.
    pub end: usize,
}

/// All functions of a masked source, nested ones too.
pub fn functions<'a>(lines: &[&'a str]) -> Vec<Function<'a>> {
    let found = lines.iter().enumerate().filter_map(|(start, line)| {
        let name = function_name(line)?;
        Some(Function { name, start, end: end(lines, start)? })
    });
    found.collect()
}

/// Last line of the item that begins on line `start`: the first closing brace at the same
/// indentation, or a semicolon before any opening one.
pub fn end(lines: &[&str], start: usize) -> Option<usize> {
    let depth = indent(lines[start]);
    let mut opened = false;
    for (i, line) in lines.iter().enumerate().skip(start) {
        let text = line.trim();
        let same = indent(line) == depth;
        if opened {
            if same && text.starts_with('}') {
                return Some(i);
            }
        } else if text.ends_with(';') || (same && text.ends_with('}')) {
            return Some(i);
        } else {
            opened = same && text.ends_with('{');
        }
    }
    None
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn function_name(line: &str) -> Option<&str> {
    // What may stand before `fn`; the lone quotes are a masked `extern "C"`.
    let qualifier = |word: &&str| {
        ["pub", "const", "async", "unsafe", "extern", "\""].contains(word)
            || word.starts_with("pub(")
            || word.ends_with(')')
    };
    let mut words = line.split_whitespace().skip_while(qualifier);
    if words.next() != Some("fn") {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, usize, usize)]) {
        let lines: Vec<&str> = text.lines().collect();
        let found: Vec<_> = functions(&lines).iter().map(|f| (f.name, f.start, f.end)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn one_line_and_many() {
        check("fn a() {}", &[("a", 0, 0)]);
        check("fn a() {\n    b();\n}\nfn c<T>() {\n}", &[("a", 0, 2), ("c", 3, 4)]);
        check("    pub(in crate::x) const fn a() {\n        b();\n    }", &[("a", 0, 2)]);
        check("pub unsafe extern \" \" fn a() {\n}", &[("a", 0, 1)]);
    }

    #[test]
    fn signatures_over_several_lines() {
        check("fn a(\n    x: [u8; 2],\n) -> u8\nwhere\n    T: X,\n{\n    1\n}", &[("a", 0, 7)]);
        check("    fn a(\n        x: u8,\n    ) -> u8;\n    fn b();", &[("a", 0, 2), ("b", 3, 3)]);
    }

    #[test]
    fn inner_functions_count_on_their_own() {
        check("fn a() {\n    fn b() {\n    }\n}", &[("a", 0, 3), ("b", 1, 2)]);
    }

    #[test]
    fn function_pointers_are_no_functions() {
        check("    build: fn(&Spec) -> Made,\n    let f = |x| fn_of(x);", &[]);
    }
}
