//! Linear layers with a bias and an activation in one pass.

use burn::tensor::Tensor;

use crate::Activation;

/// `f(x W + b)`. `x` is `[..., d_in]`, `weight` is `[d_in, d_out]`, `bias` is `[d_out]`; gives `[..., d_out]`.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let mut dims = x.dims();
    let [d_in, d_out] = weight.dims();
    let rows = dims.iter().product::<usize>() / d_in;
    let bias = bias.unwrap_or_else(|| Tensor::zeros([d_out], &weight.device()));
    let x = x.reshape([1, rows, d_in]);
    let y = ensemble_linear(x, weight.unsqueeze(), bias.unsqueeze(), activation);
    dims[D - 1] = d_out;
    y.reshape(dims)
}

/// [`linear`] for `C` networks side by side: `x` is `[C, N, d_in]`, or `[1, N, d_in]` shared by all, `weight` is
/// `[C, d_in, d_out]`, `bias` is `[C, d_out]`; gives `[C, N, d_out]`.
pub fn ensemble_linear(
    x: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<2>,
    activation: Activation,
) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        let inputs = [x.into(), weight.into(), bias.into()];
        return match activation.slope() {
            Some(slope) => crate::cpu::apply(crate::cpu::Linear { slope: slope as f32 }, inputs),
            None => activation.forward(crate::cpu::apply(crate::cpu::Linear { slope: 1.0 }, inputs)),
        };
    }
    activation.forward(x.matmul(weight) + bias.unsqueeze_dim(1))
}
