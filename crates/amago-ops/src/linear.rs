//! Linear layers with a bias and a leaky ReLU in one pass.

use burn::tensor::{Tensor, activation};

use crate::precision::product;

/// `f(x W + b)` with `f(y) = y` where `y > 0`, else `slope · y`: slope 1 is the identity, 0 ReLU, 0.01 the usual
/// leaky ReLU. `x` is `[..., d_in]`, `weight` is `[d_in, d_out]`, `bias` is `[d_out]`; gives `[..., d_out]`.
///
/// # Panics
/// As [`ensemble_linear`].
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    slope: f64,
) -> Tensor<D> {
    let mut dims = x.dims();
    let [d_in, d_out] = weight.dims();
    assert_eq!(dims[D - 1], d_in, "inputs as wide as the weight");
    let rows = dims[..D - 1].iter().product::<usize>();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([d_out], &weight.device()));
    let x = x.reshape([1, rows, d_in]);
    let y = ensemble_linear(x, weight.unsqueeze(), bias.unsqueeze(), slope);
    dims[D - 1] = d_out;
    y.reshape(dims)
}

/// [`linear`] for `C` networks side by side: `x` is `[C, N, d_in]`, or `[1, N, d_in]` shared by all, `weight` is
/// `[C, d_in, d_out]`, `bias` is `[C, d_out]`; gives `[C, N, d_out]`.
///
/// # Panics
/// When the shapes do not fit, or the slope is above one.
pub fn ensemble_linear(x: Tensor<3>, weight: Tensor<3>, bias: Tensor<2>, slope: f64) -> Tensor<3> {
    let ([inputs, _, width], [networks, d_in, d_out]) = (x.dims(), weight.dims());
    assert!(inputs == 1 || inputs == networks, "{inputs} inputs for {networks} networks");
    assert_eq!((width, bias.dims()), (d_in, [networks, d_out]), "inputs and biases as wide as the weights");
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        let kernel = crate::cpu::Linear { slope: slope as f32 };
        return crate::cpu::apply(kernel, [x.into(), weight.into(), bias.into()]);
    }
    let y = product(x, weight) + bias.unsqueeze_dim(1);
    // Burn's own leaky ReLU has slope one at zero; the original has the small slope there.
    if slope == 1.0 { y } else { y.clone() * slope + activation::relu(y) * (1.0 - slope) }
}
