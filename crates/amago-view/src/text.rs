//! Numbers and small curves as text.

/// A number in at most nine characters.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    match size {
        _ if !x.is_finite() => x.to_string(),
        0.0 => "0".to_owned(),
        _ if size >= 1e6 => format!("{x:.2e}"),
        _ if size >= 1000.0 => format!("{x:.0}"),
        _ if size >= 100.0 => format!("{x:.1}"),
        _ if size >= 1.0 => format!("{x:.2}"),
        _ if size >= 0.001 => format!("{x:.4}"),
        _ => format!("{x:.1e}"),
    }
}

/// A whole number in at most seven characters.
pub(crate) fn count(x: f64) -> String {
    match x.abs() {
        size if size >= 1e7 => format!("{:.1} M", x / 1e6),
        size if size >= 1e5 => format!("{:.0} k", x / 1e3),
        size if size >= 1e4 => format!("{:.1} k", x / 1e3),
        _ => format!("{x:.0}"),
    }
}

/// A time span as a person says it.
pub(crate) fn span(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s:02} s"),
        (0, h, m, _) => format!("{h} h {m:02} min"),
        (d, h, ..) => format!("{d} d {h:02} h"),
    }
}

/// The last values of a curve, one character each, from its lowest to its highest.
pub(crate) fn spark(values: &[f64], width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = thin(values, width);
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = |x: f64| if high > low { ((x - low) / (high - low) * 7.0).round() as usize } else { 3 };
    shown.iter().map(|x| LEVELS[level(*x).min(7)]).collect()
}

/// Means of equal stretches of the finite values, at most `width` of them.
fn thin(values: &[f64], width: usize) -> Vec<f64> {
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let n = finite.len().min(width);
    let cut = |i: usize| i * finite.len() / n;
    (0..n).map(|i| &finite[cut(i)..cut(i + 1)]).map(|s| s.iter().sum::<f64>() / s.len() as f64).collect()
}

/// The end of a text, at most `width` characters, after an ellipsis where something is missing.
pub(crate) fn ending(text: &str, width: usize) -> String {
    let n = text.chars().count();
    if n <= width {
        return text.to_owned();
    }
    let rest: String = text.chars().skip(n + 1 - width.max(1)).collect();
    format!("…{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (x, text) in [
            (0.0, "0"),
            (1234567.0, "1.23e6"),
            (-1234.4, "-1234"),
            (5.297, "5.30"),
            (0.0123, "0.0123"),
            (-0.00001, "-1.0e-5"),
        ] {
            assert_eq!(number(x), text);
        }
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!([400.0, 11_520.0, 250_000.0, 2e7].map(count), ["400", "11.5 k", "250 k", "20.0 M"]);
    }

    #[test]
    fn spans_and_sparks() {
        assert_eq!([3.2, 75.0, 3720.0, 90_000.0].map(span), ["3 s", "1 min 15 s", "1 h 02 min", "1 d 01 h"]);
        assert_eq!(spark(&[0.0, 1.0, f64::NAN, 2.0], 9), "▁▅█");
        assert_eq!(spark(&[0.0, 0.0, 4.0, 4.0], 2), "▁█");
        assert_eq!(spark(&[], 5), "");
        assert_eq!(ending("runs/lake-001", 8), "…ake-001");
    }
}
