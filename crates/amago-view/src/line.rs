//! The lines of `metrics.jsonl`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One epoch of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Every number of the line by its path, parts joined by a slash: `eval/return_mean`.
    pub scalars: BTreeMap<String, f64>,
    /// Every histogram of the line by its path.
    pub histograms: BTreeMap<String, Histogram>,
}

/// Numbers counted in bins.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Histogram {
    /// Smallest number.
    pub min: f64,
    /// Largest number.
    pub max: f64,
    /// Sum of the numbers.
    pub sum: f64,
    /// Sum of their squares.
    pub sum_squares: f64,
    /// Edges of the bins, ascending; one more than `counts`.
    pub edges: Vec<f64>,
    /// Numbers in each bin.
    pub counts: Vec<u64>,
}

/// Where a run happened, from the header.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// When it started, seconds since 1970 UTC.
    pub started: f64,
    /// Version of the program.
    pub version: String,
    /// Device that computed.
    pub device: String,
    /// Name of the processor.
    pub cpu: Option<String>,
    /// Threads of the machine.
    pub threads: Option<usize>,
    /// Operating system and architecture.
    pub system: String,
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// The header.
    Header(Machine),
    /// An epoch.
    Epoch(Record),
}

/// Reads one line; `None` for a kind that is unknown.
pub(crate) fn parse(text: &str) -> Result<Option<Line>, String> {
    let mut value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match value["kind"].as_str() {
        Some("header") => {
            let machine = serde_json::from_value(value["machine"].take());
            Ok(Some(Line::Header(machine.unwrap_or_default())))
        }
        Some("epoch") => {
            let epoch = value["epoch"].as_u64().ok_or("a line without its epoch")?;
            let epoch = usize::try_from(epoch).map_err(|e| e.to_string())?;
            let mut record = Record { epoch, ..Record::default() };
            record.take("", &value);
            Ok(Some(Line::Epoch(record)))
        }
        Some(_) => Ok(None),
        None => Err("a line without its kind".to_owned()),
    }
}

impl Record {
    /// A number by its path.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.scalars.get(name).copied()
    }

    fn take(&mut self, path: &str, value: &Value) {
        match value {
            Value::Number(x) => {
                self.scalars.extend(x.as_f64().map(|x| (path.to_owned(), x)));
            }
            Value::Object(fields) => match Histogram::of(value) {
                Some(histogram) => drop(self.histograms.insert(path.to_owned(), histogram)),
                None => {
                    for (name, value) in fields {
                        let slash = if path.is_empty() { "" } else { "/" };
                        self.take(&format!("{path}{slash}{name}"), value);
                    }
                }
            },
            _ => {}
        }
    }
}

impl Histogram {
    /// A histogram, and no numbers that are called as its parts are: an environment may call its metrics as it likes.
    fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok().filter(Self::is_whole)
    }

    fn is_whole(&self) -> bool {
        self.edges.len() == self.counts.len() + 1 && !self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_the_names_of_their_paths() {
        let text = r#"{"kind":"epoch","epoch":3,"env_steps":10,"train":null,
            "eval":{"metrics":{"attempt 0 success":0.5},"success":null,
            "return_histogram":{"min":0,"max":1,"sum":1,"sum_squares":1,"edges":[0,0.5,1],"counts":[1,1]}}}"#;
        let Ok(Some(Line::Epoch(record))) = parse(text) else { panic!("an epoch") };
        let names: Vec<_> = record.scalars.iter().map(|(name, x)| (name.as_str(), *x)).collect();
        assert_eq!(names, [("env_steps", 10.0), ("epoch", 3.0), ("eval/metrics/attempt 0 success", 0.5)]);
        assert_eq!(record.histograms["eval/return_histogram"].counts, [1, 1]);
        assert_eq!(record.epoch, 3);
    }

    #[test]
    fn a_metric_may_have_any_name() {
        let parts = ["min", "max", "sum", "sum_squares", "edges", "counts", "kind", "epoch", "*", "a/b", ""];
        let metrics: Value =
            parts.iter().enumerate().map(|(i, name)| (name.to_string(), Value::from(i))).collect();
        let line = serde_json::json!({"kind": "epoch", "epoch": 1, "eval": {"metrics": metrics}});
        let Ok(Some(Line::Epoch(record))) = parse(&line.to_string()) else { panic!("an epoch") };
        for (i, name) in parts.iter().enumerate() {
            assert_eq!(record.get(&format!("eval/metrics/{name}")), Some(i as f64), "{name}");
        }
        assert_eq!((record.scalars.len(), record.epoch), (parts.len() + 1, 1));
        // So may a task.
        let line =
            r#"{"kind":"epoch","epoch":1,"eval":{"tasks":{"counts":{"episodes":2,"return_mean":1.5}}}}"#;
        let Ok(Some(Line::Epoch(record))) = parse(line) else { panic!("an epoch") };
        assert_eq!(record.get("eval/tasks/counts/return_mean"), Some(1.5));
    }

    #[test]
    fn headers_and_broken_lines() {
        let header = parse(r#"{"kind":"header","machine":{"device":"cpu","started":5.0}}"#);
        let Ok(Some(Line::Header(machine))) = header else { panic!("a header") };
        assert_eq!((machine.device.as_str(), machine.started), ("cpu", 5.0));
        assert_eq!(parse(r#"{"kind":"header"}"#), Ok(Some(Line::Header(Machine::default()))));
        assert_eq!(parse(r#"{"kind":"later"}"#), Ok(None));
        for broken in ["{", "{}", r#"{"kind":"epoch"}"#] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
