//! Compares tensors and keeps the worst error of each.

/// Errors of one case, gathered while it runs.
#[derive(Debug)]
pub struct Report {
    name: String,
    failures: Vec<String>,
    worst: (f64, String),
    compared: usize,
    pending: Option<String>,
}

impl Report {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            failures: Vec::new(),
            worst: (0.0, String::new()),
            compared: 0,
            pending: None,
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

    /// Says that this case needs a part that does not exist yet. Printed, never silent.
    pub fn pending(&mut self, why: &str) {
        self.pending = Some(why.to_owned());
    }

    pub(crate) fn finish(mut self) -> Vec<String> {
        match &self.pending {
            Some(why) => println!("PENDING {}: {why}", self.name),
            None if self.compared == 0 => {
                self.failures.push(format!("{}: the checker compared nothing", self.name))
            }
            None => println!(
                "{}: {} tensors, worst {:.1e} ({})",
                self.name, self.compared, self.worst.0, self.worst.1
            ),
        }
        self.failures
    }
}
