//! Gaussian error linear units (Hendrycks and Gimpel 2016, arXiv 1606.08415).

use std::f64::consts::SQRT_2;

use burn::tensor::Tensor;

/// `x · Φ(x)` with the normal distribution `Φ`, elementwise.
///
/// Burn's own operation has the gradient of the tanh approximation on most backends, which is off by 4e-4; on the
/// CPU backend it is exact. Elsewhere the definition is composed, whose gradient is exact too.
///
/// # Shapes
/// - input: any
/// - output: the same
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        return burn::tensor::activation::gelu(x);
    }
    x.clone() * ((x / SQRT_2).erf() + 1.0) * 0.5
}
