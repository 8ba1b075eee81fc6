//! Layer normalisation (Ba et al. 2016).

use burn::tensor::{Tensor, module};

use crate::shapes::require;

/// Normalises the last dimension to zero mean and unit variance, then scales and shifts it:
/// `(x − mean) / √(var + eps) · weight + bias`.
///
/// # Shapes
/// - x: `[..., d]`
/// - weight, bias: `[d]`
/// - output: `[..., d]`
///
/// # Panics
/// When the shapes do not fit, or rows have no entries.
///
/// # Examples
/// ```
/// use amago_ops::layer_norm;
/// use burn::tensor::{Device, Tensor, Tolerance};
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_floats([[1.0, 3.0], [10.0, 30.0]], &device);
/// let y = layer_norm(x, Tensor::ones([2], &device), Tensor::zeros([2], &device), 1e-5);
/// let expected = [[-1.0f32, 1.0], [-1.0, 1.0]].into();
/// y.into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
/// ```
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
