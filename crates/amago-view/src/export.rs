//! Tables of metrics.

use std::collections::BTreeSet;
use std::io::Write;

use crate::{Axis, Record, Run, ViewError};

/// Which metrics are wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection(Vec<String>);

impl Selection {
    /// Names, each of which may end in `*` for all that begin so; none for all.
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.to_vec())
    }

    fn wants(&self, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        self.0.is_empty() || self.0.iter().any(fits)
    }

    /// The wanted metrics of some runs.
    ///
    /// # Errors
    /// When a pattern fits none.
    pub fn of(&self, runs: &[Run]) -> Result<Vec<String>, ViewError> {
        let all: BTreeSet<&str> = runs.iter().flat_map(Run::metrics).collect();
        for pattern in &self.0 {
            let one = Self(vec![pattern.clone()]);
            if !all.iter().any(|name| one.wants(name)) {
                let known = all.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(ViewError::NoMetric { name: pattern.clone(), known });
            }
        }
        Ok(all.into_iter().filter(|name| self.wants(name)).map(str::to_owned).collect())
    }
}

/// A text that no spreadsheet takes for a formula and no terminal for a command: what begins like a formula gets an
/// apostrophe before it, as OWASP advises against CSV injection, and control characters are spelled out. Numbers stay.
fn harmless(text: &str) -> String {
    let mut out = String::new();
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        out.push('\'');
    }
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Writes a table with a line per run and epoch: the run, its seed, all four axes, and the wanted metrics; a
/// metric that an epoch does not have is an empty cell. Numbers are written so that they read back exactly; names of
/// runs and metrics so that they are only text.
///
/// # Errors
/// When a wanted metric does not exist, or the table cannot be written.
pub fn csv(runs: &[Run], selection: &Selection, out: impl Write) -> Result<(), ViewError> {
    let metrics = selection.of(runs)?;
    let mut table = csv::Writer::from_writer(out);
    let failed = |e: csv::Error| ViewError::Io { path: "table".into(), cause: e.into() };
    let axes = Axis::ALL.map(Axis::metric);
    let header = ["run", "seed"].into_iter().chain(axes).chain(metrics.iter().map(String::as_str));
    table.write_record(header.map(harmless)).map_err(failed)?;
    for run in runs {
        let cell = |record: &Record, name: &str| record.get(name).map_or(String::new(), |x| x.to_string());
        for record in &run.records {
            let numbers = axes.into_iter().chain(metrics.iter().map(String::as_str));
            let start = [harmless(&run.name), run.seed().to_string()].into_iter();
            table.write_record(start.chain(numbers.map(|name| cell(record, name)))).map_err(failed)?;
        }
    }
    table.flush().map_err(|cause| ViewError::Io { path: "table".into(), cause })
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn names_are_only_text() {
        for (name, cell) in [
            ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+1+1", "'+1+1"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\\u0009=1"),
            ("a\u{1b}[2Jb\r\n", "a\\u001b[2Jb\\u000d\\u000a"),
            ("-5", "-5"),
            ("+1e3", "+1e3"),
            ("lake-001", "lake-001"),
            ("eval/return_mean", "eval/return_mean"),
        ] {
            assert_eq!(harmless(name), cell);
        }
    }
}
