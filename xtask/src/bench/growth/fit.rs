//! The exponent of a power law.

/// Slope of the least-squares line through the logarithms of places and values; NaN where there is none.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| logs.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let products = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>();
    products / logs.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::exponent;

    #[test]
    fn a_power_law_gives_its_exponent() {
        let points: Vec<_> = [1.0, 2.0, 4.0, 8.0].map(|x: f64| (x, 3.0 * x.powf(1.5))).into();
        assert!((exponent(&points) - 1.5).abs() < 1e-12);
        // Errors of the logarithms that the line leaves over: (-1, 2, -1).
        let bent = [(1.0, 1.0), (2.0, 4.0), (4.0, 2.0)];
        assert!((exponent(&bent) - 0.5).abs() < 1e-12);
        assert!(exponent(&bent[..1]).is_nan());
    }
}
