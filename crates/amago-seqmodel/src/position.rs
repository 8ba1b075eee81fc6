//! Position features.

use burn::tensor::{Device, Int, Tensor};

/// Fixed sinusoids of the global timestep (Vaswani et al. 2017): sine on even, cosine on odd
/// features, base 10000. `times` is `[B, L]`, the result `[B, L, d_model]`; `d_model` is even.
pub fn sinusoid(times: Tensor<2, Int>, d_model: usize, device: &Device) -> Tensor<3> {
    let [batch, len] = times.dims();
    let half = d_model.div_ceil(2);
    let frequency: Vec<f32> =
        (0..half).map(|i| (-(2.0 * i as f64) * 10000f64.ln() / d_model as f64).exp() as f32).collect();
    let frequency = Tensor::<1>::from_floats(frequency.as_slice(), device).reshape([1, 1, half]);
    let angle = times.float().reshape([batch, len, 1]) * frequency;
    // Interleave: [.., half, 2] flattens to sin, cos, sin, cos, …
    Tensor::stack::<4>(vec![angle.clone().sin(), angle.cos()], 3).reshape([batch, len, d_model])
}
