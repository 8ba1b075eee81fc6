//! Curves against an axis, alone or over several seeds.

/// What a metric is shown against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Axis {
    /// Steps over all environments.
    #[default]
    EnvSteps,
    /// Updates.
    Updates,
    /// Epochs.
    Epochs,
    /// Seconds since the start.
    Time,
}

impl Axis {
    /// All axes.
    pub const ALL: [Self; 4] = [Self::EnvSteps, Self::Updates, Self::Epochs, Self::Time];

    /// The metric that measures it.
    pub fn metric(self) -> &'static str {
        match self {
            Self::EnvSteps => "env_steps",
            Self::Updates => "updates",
            Self::Epochs => "epoch",
            Self::Time => "time/wall",
        }
    }

    /// What stands beside it.
    pub fn title(self) -> &'static str {
        match self {
            Self::EnvSteps => "environment steps",
            Self::Updates => "updates",
            Self::Epochs => "epochs",
            Self::Time => "seconds",
        }
    }

    /// The next one, round and round.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|axis| *axis == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Mean and spread of several curves at one place of the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Place on the axis.
    pub x: f64,
    /// Mean over the curves.
    pub mean: f64,
    /// Standard deviation over them (of the sample, divisor `n − 1`); zero for a single one.
    pub std: f64,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t; zero for a single curve.
    pub confidence: f64,
    /// Number of curves.
    pub n: usize,
}

/// Puts curves on the places of the axis that the first one has and all of them reach, linearly between
/// points, and takes mean and spread.
///
/// ```
/// use amago_view::band;
///
/// let seeds = [vec![(0.0, 1.0), (10.0, 3.0)], vec![(0.0, 3.0), (20.0, 3.0)]];
/// let found = band(&seeds);
/// let means: Vec<_> = found.iter().map(|point| (point.x, point.mean, point.n)).collect();
/// assert_eq!(means, [(0.0, 2.0, 2), (10.0, 3.0, 2)]);
/// ```
pub fn band(curves: &[Vec<(f64, f64)>]) -> Vec<Band> {
    let curves: Vec<_> = curves.iter().filter(|c| !c.is_empty()).collect();
    let Some(first) = curves.first() else { return Vec::new() };
    let at = |x: f64| {
        let values: Option<Vec<f64>> = curves.iter().map(|c| interpolate(c, x)).collect();
        values.map(|values| spread(x, &values))
    };
    first.iter().filter_map(|(x, _)| at(*x)).collect()
}

/// Smallest and largest finite number, apart; zero and one without any.
pub(crate) fn limits(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    values.filter(|x| x.is_finite()).for_each(|x| (low, high) = (low.min(x), high.max(x)));
    match high - low {
        apart if apart > 0.0 => (low, high),
        0.0 => (low - 0.5 * low.abs().max(1.0), high + 0.5 * high.abs().max(1.0)),
        _ => (0.0, 1.0),
    }
}

/// A curve of bands at a place, linearly between its points; absent outside it.
pub(crate) fn at(curve: &[Band], x: f64) -> Option<Band> {
    let line = |f: fn(&Band) -> f64| interpolate(&curve.iter().map(|b| (b.x, f(b))).collect::<Vec<_>>(), x);
    Some(Band {
        x,
        mean: line(|b| b.mean)?,
        std: line(|b| b.std)?,
        confidence: line(|b| b.confidence)?,
        n: curve.first()?.n,
    })
}

/// Mean and spread of some values.
pub(crate) fn spread(x: f64, values: &[f64]) -> Band {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let std = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 };
    Band { x, mean, std, confidence: t_quantile(n) * std / (n.max(1) as f64).sqrt(), n }
}

/// Value of a curve at `x`; absent outside it. A share of the last step counts as reached, because runs of
/// equal settings end at slightly different places in time.
fn interpolate(curve: &[(f64, f64)], x: f64) -> Option<f64> {
    let (first, last) = (curve.first()?, curve.last()?);
    let slack = 0.02 * last.0.abs();
    if x < first.0 - slack || x > last.0 + slack {
        return None;
    }
    let after = curve.partition_point(|p| p.0 < x);
    let Some((x1, y1)) = curve.get(after).copied() else { return Some(last.1) };
    let Some((x0, y0)) = after.checked_sub(1).map(|i| curve[i]) else { return Some(first.1) };
    Some(if x1 > x0 { y0 + (y1 - y0) * (x - x0) / (x1 - x0) } else { y1 })
}

/// Two-sided 95 % quantile of Student's t with `n − 1` degrees of freedom; from 31 curves on that of the
/// normal distribution, with the first correction in `1/(n − 1)`.
fn t_quantile(n: usize) -> f64 {
    const TABLE: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    match n {
        0 | 1 => 0.0,
        _ => TABLE.get(n - 2).copied().unwrap_or_else(|| {
            // Cornish-Fisher expansion of the quantile about the normal one.
            let (z, v) = (1.959_964_f64, (n - 1) as f64);
            z + (z.powi(3) + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_meet_on_one_axis() {
        let a = vec![(0.0, 0.0), (10.0, 1.0), (20.0, 2.0), (30.0, 9.0)];
        let b = vec![(0.0, 2.0), (20.0, 4.0)];
        let found = band(&[a, b, vec![]]);
        let points: Vec<_> = found.iter().map(|p| (p.x, p.mean, p.n)).collect();
        assert_eq!(points, [(0.0, 1.0, 2), (10.0, 2.0, 2), (20.0, 3.0, 2)]);
        let root = 2.0_f64.sqrt();
        assert!(found.iter().all(|p| (p.std - root).abs() < 1e-12));
        assert!((found[0].confidence - 12.706).abs() < 1e-9, "{:?}", found[0]);
        assert_eq!(band(&[]), []);
    }

    #[test]
    fn quantiles_of_student() {
        // Tables of the distribution: 3.182 for three degrees of freedom, 2.042 for thirty, 1.984 for a
        // hundred.
        for (n, expected) in [(4, 3.182), (31, 2.042), (101, 1.984)] {
            assert!((t_quantile(n) - expected).abs() < 1e-3, "{n}: {}", t_quantile(n));
        }
    }

    #[test]
    fn axes_follow_each_other() {
        let mut axis = Axis::default();
        for _ in 0..Axis::ALL.len() {
            axis = axis.next();
        }
        assert_eq!(axis, Axis::EnvSteps);
    }
}
