//! A weight with a given spectral norm.

use super::kernel::{Array, Kernel};
use super::rows::add_scaled;
use super::simd::vectorized;
use super::softmax::dot;

/// Inputs `W [I, O]`, `γ [1]`, `u [O]`, `v [I]`; output `γ W / (vᵀ W u)`, or `γ W` where `vᵀ W u` is zero. No gradient
/// for `u` and `v`.
#[derive(Debug)]
pub(crate) struct SigmaReparam;

impl Kernel<4> for SigmaReparam {
    /// The spectral norm.
    type Saved = Option<f32>;

    fn forward(&self, [w, gamma, u, v]: [&Array; 4]) -> (Array, Option<f32>) {
        let sigma = Some(bilinear(w.data(), u.data(), v.data())).filter(|sigma| *sigma != 0.0);
        let mut out = w.data().to_vec();
        scale(&mut out, gamma.data()[0] / sigma.unwrap_or(1.0));
        (Array::new(out, &w.dims()), sigma)
    }

    fn backward(
        &self,
        [w, gamma, u, v]: [&Array; 4],
        sigma: Option<f32>,
        mut grad: Array,
        _: [bool; 4],
    ) -> [Option<Array>; 4] {
        // `σ = vᵀ W u` depends on the weight, too, with the gradient `v uᵀ`: hence a part that is subtracted.
        // Singular vectors count as constants, as in the paper.
        let along = product_sum(grad.data(), w.data());
        let size = sigma.unwrap_or(1.0);
        let factor = gamma.data()[0] / size;
        // A norm that was put in for zero is a constant.
        let by_norm = if sigma.is_some() { factor * along / size } else { 0.0 };
        weight_gradient(grad.data_mut(), u.data(), v.data(), [factor, by_norm]);
        [Some(grad), Some(Array::new(vec![along / size], &[1])), None, None]
    }
}

/// `u ← Wᵀ v / ‖·‖`, then `v ← W u / ‖·‖`, or `v` where that is zero.
pub(crate) fn power_iteration(w: &Array, v: &Array) -> [Array; 2] {
    let mut u = vec![0.0; w.dims()[1]];
    weighted_rows(w.data(), v.data(), &mut u);
    unit(&mut u);
    let mut next = vec![0.0; v.data().len()];
    products(w.data(), &u, &mut next);
    unit(&mut next);
    if next.iter().all(|x| *x == 0.0) {
        next.copy_from_slice(v.data());
    }
    [u, next].map(|x| {
        let len = x.len();
        Array::new(x, &[len])
    })
}

fn unit(x: &mut [f32]) {
    let norm = dot(x, Some(x)).sqrt().max(1e-12);
    x.iter_mut().for_each(|x| *x /= norm);
}

vectorized! {
    /// `vᵀ W u`.
    fn bilinear(w: &[f32], u: &[f32], v: &[f32]) -> f32 {
        let mut sum = 0.0;
        for (row, v) in w.chunks_exact(u.len()).zip(v) {
            sum += dot(row, Some(u)) * v;
        }
        sum
    }
}

vectorized! {
    /// `Σ a ∘ b`.
    fn product_sum(a: &[f32], b: &[f32]) -> f32 {
        dot(a, Some(b))
    }
}

vectorized! {
    fn scale(x: &mut [f32], factor: f32) {
        x.iter_mut().for_each(|x| *x *= factor);
    }
}

vectorized! {
    /// `g ← a g − b v uᵀ`.
    fn weight_gradient(g: &mut [f32], u: &[f32], v: &[f32], factors: [f32; 2]) {
        let [a, b] = factors;
        for (row, v) in g.chunks_exact_mut(u.len()).zip(v) {
            for (g, u) in row.iter_mut().zip(u) {
                *g = a * *g - b * v * u;
            }
        }
    }
}

vectorized! {
    /// `Wᵀ v`.
    fn weighted_rows(w: &[f32], v: &[f32], out: &mut [f32]) {
        for (row, v) in w.chunks_exact(out.len()).zip(v) {
            add_scaled(out, row, *v);
        }
    }
}

vectorized! {
    /// `W u`.
    fn products(w: &[f32], u: &[f32], out: &mut [f32]) {
        for (out, row) in out.iter_mut().zip(w.chunks_exact(u.len())) {
            *out = dot(row, Some(u));
        }
    }
}
