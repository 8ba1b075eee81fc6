//! A weight with a given spectral norm.

use super::kernel::{Array, Kernel};
use super::rows::add_scaled;
use super::simd::vectorized;
use super::softmax::dot;

/// Inputs `W [I, O]`, `γ [1]`, `u [O]`, `v [I]`; output `γ W / (vᵀ W u)`. No gradient for `u` and `v`.
#[derive(Debug)]
pub(crate) struct SigmaReparam;

impl Kernel<4> for SigmaReparam {
    /// The spectral norm.
    type Saved = f32;

    fn forward(&self, [w, gamma, u, v]: [&Array; 4]) -> (Array, f32) {
        let sigma = bilinear(w.data(), u.data(), v.data());
        let mut out = w.data().to_vec();
        scale(&mut out, gamma.data()[0] / sigma);
        (Array::new(out, &w.dims()), sigma)
    }

    fn backward(
        &self,
        [w, gamma, u, v]: [&Array; 4],
        sigma: f32,
        mut grad: Array,
        _: [bool; 4],
    ) -> [Option<Array>; 4] {
        let along = product_sum(grad.data(), w.data());
        let factor = gamma.data()[0] / sigma;
        weight_gradient(grad.data_mut(), u.data(), v.data(), [factor, factor * along / sigma]);
        [Some(grad), Some(Array::new(vec![along / sigma], &[1])), None, None]
    }
}

/// `u ← Wᵀ v / ‖·‖`, then `v ← W u / ‖·‖`.
pub(crate) fn power_iteration(w: &Array, v: &Array) -> [Array; 2] {
    let mut u = vec![0.0; w.dims()[1]];
    weighted_rows(w.data(), v.data(), &mut u);
    unit(&mut u);
    let mut v = vec![0.0; v.data().len()];
    products(w.data(), &u, &mut v);
    unit(&mut v);
    [u, v].map(|x| {
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
