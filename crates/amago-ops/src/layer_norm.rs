//! Layer normalisation (Ba et al. 2016).

use burn::tensor::{Tensor, module};

use crate::shapes::require;

/// Normalises the last dimension to zero mean and unit variance, then scales and shifts it:
/// `(x − mean) / √(var + eps) · weight + bias`. `x` is `[..., d]`, `weight` and `bias` are `[d]`.
///
/// # Panics
/// When the shapes do not fit, or rows have no entries.
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<D> {
    let (dims, affine) = (x.dims(), [weight.dims(), bias.dims()]);
    require!(
        dims[D - 1] > 0 && affine == [[dims[D - 1]]; 2],
        "layer_norm",
        "rows with entries, and a weight and a bias for each",
        dims,
        affine
    );
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        return crate::cpu::apply(
            crate::cpu::LayerNorm { eps: eps as f32 },
            [x.into(), weight.into(), bias.into()],
        );
    }
    module::layer_norm(x, weight, Some(bias), eps)
}
