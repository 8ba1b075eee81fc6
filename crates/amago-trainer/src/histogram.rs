//! Numbers of many episodes, counted in bins.

/// Bins of a histogram.
const BINS: usize = 20;

/// Equal bins from the smallest to the largest number, and sums from which mean and deviation follow.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Histogram {
    min: f64,
    max: f64,
    sum: f64,
    sum_squares: f64,
    /// One more than `counts`.
    edges: Vec<f64>,
    counts: Vec<usize>,
}

impl Histogram {
    /// Counts finite numbers; `None` without any. Equal ones are one bin.
    pub fn of(values: &[f64]) -> Option<Self> {
        let min = values.iter().copied().reduce(f64::min)?;
        let max = values.iter().copied().reduce(f64::max)?;
        // Bins without a width would hold nothing.
        let bins = if max > min { BINS } else { 1 };
        let width = (max - min) / bins as f64;
        let mut counts = vec![0; bins];
        for value in values {
            let bin = if width > 0.0 { ((value - min) / width) as usize } else { 0 };
            // The largest number is the end of the last bin.
            counts[bin.min(bins - 1)] += 1;
        }
        let mut edges: Vec<f64> = (0..bins).map(|i| min + width * i as f64).collect();
        edges.push(max);
        let sum_squares = values.iter().map(|x| x * x).sum();
        Some(Self { min, max, sum: values.iter().sum(), sum_squares, edges, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_its_bin() {
        let h = Histogram::of(&[0.0, 0.04, 0.05, 1.0, 0.96]).expect("numbers");
        assert_eq!((h.min, h.max, h.edges.len(), h.counts.len()), (0.0, 1.0, BINS + 1, BINS));
        assert_eq!((h.counts[0], h.counts[1], h.counts[BINS - 1]), (2, 1, 2));
        assert_eq!(h.counts.iter().sum::<usize>(), 5);
        assert!((h.sum - 2.05).abs() < 1e-12 && (h.sum_squares - 1.9257).abs() < 1e-12);
        let one = Histogram::of(&[3.0, 3.0]).expect("numbers");
        assert_eq!((one.edges, one.counts), (vec![3.0, 3.0], vec![2]));
        assert_eq!(Histogram::of(&[]), None);
    }
}
