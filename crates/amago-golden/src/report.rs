//! Compares tensors and keeps the worst error of each.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

/// Errors of one case, gathered while it runs.
#[derive(Debug)]
pub struct Report {
    name: String,
    failures: Vec<String>,
    worst: (f64, String),
    /// Worst relative error by stage, for the table of `docs/parity.md`.
    stages: Map<String, Value>,
    updates: usize,
    compared: usize,
}

impl Report {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            failures: Vec::new(),
            worst: (0.0, String::new()),
            stages: Map::new(),
            updates: 0,
            compared: 0,
        }
    }

    /// From here on, what is compared is the result of so many updates of weights since the recorded ones.
    pub fn after_updates(&mut self, updates: usize) {
        self.updates = updates;
    }

    fn stage(&self, tensor: &str) -> &'static str {
        match self.updates {
            0 if tensor.contains("grad") => "gradient",
            0 => "forward",
            1 => "one_update",
            _ => "more_updates",
        }
    }

    /// Compares with `‖out − ref‖ / ‖ref‖ ≤ tolerance`; a zero reference must be met absolutely.
    pub fn close(&mut self, tensor: &str, got: &[f32], expected: &[f32], tolerance: f64) {
        self.close_above(0.0, tensor, got, expected, tolerance);
    }

    /// The same, but a reference smaller than `floor` counts as that large.
    pub(crate) fn close_above(
        &mut self,
        floor: f64,
        tensor: &str,
        got: &[f32],
        expected: &[f32],
        tolerance: f64,
    ) {
        if got.len() != expected.len() {
            self.failures.push(format!(
                "{}: {tensor}: {} values, expected {}",
                self.name,
                got.len(),
                expected.len()
            ));
            return;
        }
        let norm = |it: &mut dyn Iterator<Item = f64>| it.map(|x| x * x).sum::<f64>().sqrt();
        let diff = norm(&mut got.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let size = norm(&mut expected.iter().map(|x| f64::from(*x))).max(floor);
        let error = if size > 0.0 { diff / size } else { diff };
        self.compared += 1;
        // NaN is larger than any tolerance.
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error > self.worst.0 {
            self.worst = (error, tensor.to_owned());
        }
        let stage = self.stages.entry(self.stage(tensor)).or_insert(json!(0.0));
        *stage = json!(stage.as_f64().map_or(error, |worst| worst.max(error)));
        if error > tolerance {
            self.failures
                .push(format!("{}: {tensor}: relative error {error:.2e} > {tolerance:.0e}", self.name));
        }
    }

    /// Compares exactly.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, expected: &T) {
        self.compared += 1;
        if got != expected {
            self.failures.push(format!("{}: {what}: got {got:?}, expected {expected:?}", self.name));
        }
    }

    /// Says that this case needs a part that does not exist, which is a failure.
    pub fn unsupported(&mut self, why: &str) {
        self.compared += 1;
        self.failures.push(format!("{}: not supported: {why}", self.name));
    }

    /// Appends a line about this case to a file: `{"case", "family", "compared", stage: worst error, …}`.
    pub(crate) fn record(&self, family: &str, file: &Path) {
        let mut line = self.stages.clone();
        line.extend([
            ("case".to_owned(), json!(self.name)),
            ("family".to_owned(), json!(family)),
            ("compared".to_owned(), json!(self.compared)),
        ]);
        let out = OpenOptions::new().create(true).append(true).open(file);
        let written = out.and_then(|mut out| writeln!(out, "{}", Value::Object(line)));
        written.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }

    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.compared == 0 {
            self.failures.push(format!("{}: the checker compared nothing", self.name));
        }
        let (worst, tensor) = &self.worst;
        println!("{}: {} tensors, worst {worst:.1e} ({tensor})", self.name, self.compared);
        self.failures
    }
}
