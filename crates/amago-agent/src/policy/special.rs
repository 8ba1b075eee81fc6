//! Special functions that the tensor library does not have.

use std::f64::consts::{FRAC_PI_2, PI};

use burn::tensor::{Device, Tensor};

/// Arguments are raised by this before an asymptotic series.
const SHIFT: usize = 6;

/// `ln Γ(x)` for positive `x`: Stirling's series at `x + 6` and the recurrence down to `x`. The
/// absolute error is that of single precision, around `1e-6`; the gradient is as good.
pub(super) fn ln_gamma<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let z = x.clone() + SHIFT as f64;
    let r = z.clone().recip();
    let r2 = r.clone().square();
    // r/12 − r³/360 + r⁵/1260
    let series = r * ((r2.clone() * (1.0 / 1260.0) - 1.0 / 360.0) * r2 + 1.0 / 12.0);
    let stirling = (z.clone() - 0.5) * z.clone().log() - z + series + 0.5 * (2.0 * PI).ln();
    // Two products, because one of six would overflow for large x.
    let product = |from: f64| (x.clone() + from) * (x.clone() + (from + 1.0)) * (x.clone() + (from + 2.0));
    stirling - product(0.0).log() - product(3.0).log()
}

/// `d/dx ln Γ(x)` for positive `x`, in the same way.
fn digamma<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let z = x.clone() + SHIFT as f64;
    let r = z.clone().recip();
    let r2 = r.clone().square();
    // ln z − r/2 − r²/12 + r⁴/120
    let series = z.log() - r * 0.5 + (r2.clone() * (1.0 / 120.0) - 1.0 / 12.0) * r2;
    (0..SHIFT).fold(series, |sum, i| sum - (x.clone() + i as f64).recip())
}

/// Derivatives of Beta samples by `α` and `β` at a fixed quantile, each `[N, 1]` like the arguments:
/// `dx/dα = −∂F/∂α / f` with the distribution function `F` and the density `f` at the sample, and
/// `∂F/∂α = ∫₀ˣ f(t) (ln t − E[ln t]) dt`.
///
/// Integrated numerically on the side of the mean that the sample is on. Concentrations are best at
/// least one: below, the integrand is singular at zero and the relative error grows beyond `1e-3`.
pub(super) fn beta_sample_gradients(x: Tensor<2>, alpha: Tensor<2>, beta: Tensor<2>) -> [Tensor<2>; 2] {
    let sum = alpha.clone() + beta.clone();
    // Where the sample is above the mean, its mirror image is below that of 1 − x.
    let above = x.clone().greater(alpha.clone() / sum.clone());
    let flipped = |x: &Tensor<2>, other: &Tensor<2>| x.clone().mask_where(above.clone(), other.clone());
    let y = flipped(&x, &(x.clone().neg() + 1.0));
    let (a, b) = (flipped(&alpha, &beta), flipped(&beta, &alpha));

    let mean = a.clone() / sum.clone();
    let std = (mean.clone() * (mean.clone().neg() + 1.0) / (sum.clone() + 1.0)).sqrt();
    // Ten deviations below the mean there is no mass left.
    let low = (mean - std * 10.0).clamp_min(0.0).min_pair(y.clone() * 0.5);
    let (nodes, weights) = nodes(&x.device());
    let span = y.clone() - low.clone();
    let t = low + span.clone() * nodes;
    let (ln_t, ln_rest) = (t.clone().log(), t.neg().log1p());
    let (ln_y, ln_y_rest) = (y.clone().log(), y.neg().log1p());
    let exponent =
        (a.clone() - 1.0) * (ln_t.clone() - ln_y) + (b.clone() - 1.0) * (ln_rest.clone() - ln_y_rest);
    let mass = exponent.exp() * weights * span;
    let total = digamma(sum);
    let by = |ln: Tensor<2>, concentration: Tensor<2>| {
        let expected = digamma(concentration) - total.clone();
        (mass.clone() * (ln - expected)).sum_dim(1).neg()
    };
    let (by_a, by_b) = (by(ln_t, a), by(ln_rest, b));
    let upright =
        |own: &Tensor<2>, mirrored: &Tensor<2>| own.clone().mask_where(above.clone(), mirrored.clone().neg());
    [upright(&by_a, &by_b), upright(&by_b, &by_a)]
}

/// Nodes in `(0, 1)` and weights of tanh-sinh quadrature, `[1, n]` each: it does not mind
/// singularities at the ends.
fn nodes(device: &Device) -> (Tensor<2>, Tensor<2>) {
    const STEP: f64 = 0.2;
    const HALF: i32 = 15;
    let at = |i: i32| {
        let u = f64::from(i) * STEP;
        let inner = FRAC_PI_2 * u.sinh();
        // (1 + tanh inner) / 2, exact near zero as well.
        let node = 1.0 / (1.0 + (-2.0 * inner).exp());
        (node as f32, (STEP * FRAC_PI_2 * u.cosh() / (2.0 * inner.cosh().powi(2))) as f32)
    };
    let (nodes, weights): (Vec<f32>, Vec<f32>) = (-HALF..=HALF).map(at).unzip();
    let row = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), device).unsqueeze::<2>();
    (row(nodes), row(weights))
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn column(values: &[f32]) -> Tensor<2> {
        let device = amago_golden::modules::device();
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), &device)
    }

    fn check(got: Tensor<2>, expected: &[f64], tolerance: f64) {
        for (got, expected) in got.into_data().iter::<f64>().zip(expected) {
            assert!((got - expected).abs() <= tolerance * expected.abs().max(1.0), "{got}, not {expected}");
        }
    }

    /// From tables: Abramowitz and Stegun (1964), and factorials.
    #[test]
    fn ln_gamma_and_digamma_at_known_points() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        let x = column(&[0.5, 1.0, 1.5, 2.0, 5.0, 11.0, 171.0]);
        let ln_factorial = |n: u32| (1..=n).map(|i| f64::from(i).ln()).sum::<f64>();
        let half = PI.sqrt().ln();
        let expected =
            [half, 0.0, half - 2.0_f64.ln(), 0.0, ln_factorial(4), ln_factorial(10), ln_factorial(170)];
        check(ln_gamma(x.clone()), &expected, 3e-6);
        let harmonic = |n: u32| (1..=n).map(|i| f64::from(i).recip()).sum::<f64>() - EULER;
        let half = -EULER - 2.0 * 2.0_f64.ln();
        let expected = [half, harmonic(0), half + 2.0, harmonic(1), harmonic(4), harmonic(10), harmonic(170)];
        check(digamma(x), &expected, 3e-6);
    }

    /// Distribution function of a Beta distribution, by the midpoint rule in double precision.
    fn distribution(x: f64, a: f64, b: f64) -> f64 {
        const N: usize = 200_000;
        let integral = |end: f64| {
            let density = |i: usize| {
                let t = end * (i as f64 + 0.5) / N as f64;
                t.powf(a - 1.0) * (1.0 - t).powf(b - 1.0)
            };
            (0..N).map(density).sum::<f64>() * end / N as f64
        };
        integral(x) / integral(1.0)
    }

    #[test]
    fn gradients_of_samples_keep_their_quantile() {
        let cases = [
            (0.3, 1.5, 2.0),
            (0.9, 1.5, 2.0),
            (0.02, 1.0001, 3.0),
            (0.6, 1.0001, 1.0001),
            (0.7, 40.0, 20.0),
            (0.5, 40.0, 20.0),
            (0.999, 300.0, 1.2),
        ];
        for (x, a, b) in cases {
            let [by_a, by_b] =
                beta_sample_gradients(column(&[x as f32]), column(&[a as f32]), column(&[b as f32]));
            let h = 1e-4;
            let slope = |lower: f64, upper: f64, step: f64| (upper - lower) / (2.0 * step);
            let wide = 1e-4 * x * (1.0 - x);
            let density = slope(distribution(x - wide, a, b), distribution(x + wide, a, b), wide);
            let moved_a = -slope(distribution(x, a - h, b), distribution(x, a + h, b), h) / density;
            let moved_b = -slope(distribution(x, a, b - h), distribution(x, a, b + h), h) / density;
            let error = |got: Tensor<2>, expected: f64| {
                (got.into_scalar::<f32>() as f64 - expected).abs() / expected.abs()
            };
            assert!(error(by_a, moved_a) < 2e-3, "dx/dα at {x}, {a}, {b}: {moved_a}");
            assert!(error(by_b, moved_b) < 2e-3, "dx/dβ at {x}, {a}, {b}: {moved_b}");
        }
    }
}
