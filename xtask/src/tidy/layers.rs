//! What a layer must not do (docs/architecture.md says why).

use super::Finding;
use super::source::{Source, has_word};

/// Words that shipped code in some folders must not contain.
struct Rule {
    /// Where it holds: path prefixes.
    inside: &'static [&'static str],
    /// Where it does not, within those.
    except: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

const RULES: [Rule; 3] = [
    Rule {
        inside: &["crates/amago-agent/src/"],
        except: &[],
        words: &[
            "std::fs",
            "std::io",
            "std::net",
            "std::process",
            "std::thread",
            "std::time",
            "fs::",
            "thread::",
            "Instant::",
            "SystemTime::",
            "println!",
            "eprintln!",
            "print!",
            "eprint!",
            "log::",
            "tracing::",
        ],
        reason: "the agent does no I/O, threads, clock or logging",
    },
    Rule {
        inside: &["crates/amago-trainer/src/"],
        except: &[],
        words: &["println!", "eprintln!", "print!", "eprint!"],
        reason: "the trainer reports through metric sinks and does not print",
    },
    Rule {
        inside: &["crates/"],
        except: &["crates/amago/", "crates/amago-golden/"],
        words: &["Device::flex", "Device::wgpu", "Device::cuda"],
        reason: "only the amago binary and tests name a concrete backend",
    },
];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let under = |prefixes: &[&str]| prefixes.iter().any(|prefix| source.path.starts_with(prefix));
    let rules: Vec<&Rule> = RULES.iter().filter(|r| under(r.inside) && !under(r.except)).collect();
    let mut findings = Vec::new();
    for (line, code) in source.shipped() {
        for rule in &rules {
            // One word is enough: `std::fs::` holds two.
            if let Some(word) = rule.words.iter().find(|word| has_word(code, word)) {
                findings.push(Finding::failure(&source.path, line, format!("`{word}`: {}", rule.reason)));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(path: &str, text: &str, expected: &[usize]) {
        let found: Vec<_> = check(&Source::new(path, text)).iter().map(|f| f.line).collect();
        assert_eq!(found, expected, "{path}: {text}");
    }

    #[test]
    fn the_agent_is_pure() {
        let path = "crates/amago-agent/src/loss.rs";
        check_lines(path, "use std::fs::File;\nuse std::time::Instant;\nlet y = x.log();\n", &[1, 2]);
        check_lines(path, "let a = \"std::fs\"; // println!\nlet b = offs::x;\n", &[]);
        check_lines(path, "a;\n#[cfg(test)]\nmod tests {\n    println!();\n}\n", &[]);
    }

    #[test]
    fn the_trainer_does_not_print() {
        check_lines("crates/amago-trainer/src/log.rs", "eprintln!(\"x\");\nwriteln!(f);\n", &[1]);
        check_lines("crates/amago/src/main.rs", "println!(\"x\");\n", &[]);
    }

    #[test]
    fn backends_are_named_in_the_binary_and_tests() {
        let text = "let d = Device::flex();\n";
        check_lines("crates/amago-seqmodel/src/norm.rs", text, &[1]);
        for fine in
            ["crates/amago-seqmodel/tests/a.rs", "crates/amago/src/a.rs", "crates/amago-golden/src/a.rs"]
        {
            check_lines(fine, text, &[]);
        }
    }
}
