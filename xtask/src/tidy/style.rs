//! Sizes, and things that must not be left lying about.

use super::Finding;
use super::item;
use super::source::{Source, has_word};

const FILE_WARNING: usize = 300;
const FILE_FAILURE: usize = 400;
const FUNCTION: usize = 60;

/// Code that says "not finished".
const UNFINISHED: [&str; 4] = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"];
/// Words that say the same in a comment.
const MARKERS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let code = source.code();
    let mut findings: Vec<Finding> = file_length(&source.path, code.len()).into_iter().collect();
    for function in item::functions(&code) {
        let length = function.end - function.start + 1;
        if length > FUNCTION {
            let message = format!("function {} has {length} lines, the limit is {FUNCTION}", function.name);
            findings.push(Finding::failure(&source.path, function.start + 1, message));
        }
    }
    findings.extend(left_over(&source.path, &code, &UNFINISHED));
    findings.extend(left_over(&source.path, &source.comments(), &MARKERS));
    findings
}

fn file_length(path: &str, lines: usize) -> Option<Finding> {
    let message = |limit| format!("{lines} lines, the limit is {limit}");
    match lines {
        n if n > FILE_FAILURE => Some(Finding::failure(path, n, message(FILE_FAILURE))),
        n if n > FILE_WARNING => Some(Finding::warning(path, n, message(FILE_WARNING))),
        _ => None,
    }
}

fn left_over(path: &str, lines: &[&str], words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        for word in words.iter().filter(|word| has_word(line, word)) {
            findings.push(Finding::failure(path, i + 1, format!("`{word}` left in")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, expected: &[&str]) {
        let found: Vec<_> = check(&Source::new("a.rs", text)).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn long_files() {
        check_text(&"a;\n".repeat(300), &[]);
        check_text(&"a;\n".repeat(301), &["a.rs:301: warning: 301 lines, the limit is 300"]);
        check_text(&"a;\n".repeat(401), &["a.rs:401: 401 lines, the limit is 400"]);
    }

    #[test]
    fn long_functions() {
        let function = |body: usize| format!("//\nfn f() {{\n{}}}\n", "    a;\n".repeat(body));
        check_text(&function(58), &[]);
        check_text(&function(59), &["a.rs:2: function f has 61 lines, the limit is 60"]);
    }

    #[test]
    fn unfinished_work() {
        check_text("fn f() {\n    todo!()\n}\n", &["a.rs:2: `todo!(` left in"]);
        check_text("#[ignore = \"slow\"]\n", &["a.rs:1: `#[ignore` left in"]);
        check_text("a; // FIXME: b\n", &["a.rs:1: `FIXME` left in"]);
        check_text("let s = \"TODO todo!( XXX\";\nlet XXXL = dbg;\n", &[]);
    }
}
