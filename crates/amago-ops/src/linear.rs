//! Linear layers with a bias and a leaky ReLU in one pass.

use burn::tensor::{Tensor, activation};

use crate::precision::product;
use crate::shapes::{entries, require};

/// `f(x W + b)` with `f(y) = y` where `y > 0`, else `slope · y`: slope 1 is the identity, 0 ReLU, 0.01 the usual
/// leaky ReLU.
///
/// # Shapes
/// - x: `[..., d_in]`
/// - weight: `[d_in, d_out]`
/// - bias: `[d_out]`
/// - output: `[..., d_out]`
///
/// # Panics
/// As [`ensemble_linear`].
///
/// # Examples
/// ```
/// use amago_ops::linear;
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_floats([[1.0, -2.0]], &device);
/// let y = linear(x, Tensor::eye(2, &device), None, 0.01);
/// y.into_data().assert_eq(&[[1.0f32, -0.02]].into(), false);
/// ```
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    slope: f64,
) -> Tensor<D> {
    let mut dims = x.dims();
    let [d_in, d_out] = weight.dims();
    let (inputs, weights, biases) = (dims, [d_in, d_out], bias.as_ref().map_or([d_out], Tensor::dims));
    require!(
        inputs[D - 1] == d_in && biases == [d_out],
        "linear",
        "inputs and a bias as wide as the weight",
        inputs,
        weights,
        biases
    );
    let empty = dims.contains(&0) || d_out == 0;
    dims[D - 1] = d_out;
    if empty {
        // Without inputs only the biases are left; a reshape would take a zero for the size before.
        let bias = bias.unwrap_or_else(|| Tensor::zeros([d_out], &weight.device()));
        return match entries(&dims) {
            0 => Tensor::zeros(dims, &x.device()),
            _ => leaky(bias.unsqueeze::<D>().expand(dims), slope),
        };
    }
    let rows = entries(&dims[..D - 1]);
    let x = x.reshape([1, rows, d_in]);
    affine(x, weight.unsqueeze(), bias.map(Tensor::unsqueeze), slope).reshape(dims)
}

/// [`linear`] for `C` networks side by side.
///
/// # Shapes
/// - x: `[C, N, d_in]`, or `[1, N, d_in]` shared by all
/// - weight: `[C, d_in, d_out]`
/// - bias: `[C, d_out]`
/// - output: `[C, N, d_out]`
///
/// # Panics
/// When the shapes do not fit, there is no network, or the slope is above one.
pub fn ensemble_linear(x: Tensor<3>, weight: Tensor<3>, bias: Tensor<2>, slope: f64) -> Tensor<3> {
    let (inputs, weights, biases) = (x.dims(), weight.dims(), bias.dims());
    let [networks, d_in, d_out] = weights;
    require!(
        networks > 0
            && [1, networks].contains(&inputs[0])
            && inputs[2] == d_in
            && biases == [networks, d_out],
        "ensemble_linear",
        "one input or one for every network, and inputs and biases as wide as the weights",
        inputs,
        weights,
        biases
    );
    affine(x, weight, Some(bias), slope)
}

/// The layers themselves, of shapes that fit.
fn affine(x: Tensor<3>, weight: Tensor<3>, bias: Option<Tensor<2>>, slope: f64) -> Tensor<3> {
    require!(slope <= 1.0, "ensemble_linear", "a slope of at most one", slope);
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        let [networks, _, d_out] = weight.dims();
        let bias = bias.unwrap_or_else(|| Tensor::zeros([networks, d_out], &weight.device()));
        let kernel = crate::cpu::Linear { slope: slope as f32 };
        return crate::cpu::apply(kernel, [x.into(), weight.into(), bias.into()]);
    }
    let y = product(x, weight);
    // No bias is no addition: a GPU would make zeros first, and add them.
    let y = match bias {
        Some(bias) => y + bias.unsqueeze_dim(1),
        None => y,
    };
    leaky(y, slope)
}

/// Burn's own leaky ReLU has slope one at zero; the original has the small slope there.
fn leaky<const D: usize>(y: Tensor<D>, slope: f64) -> Tensor<D> {
    if slope == 1.0 { y } else { y.clone() * slope + activation::relu(y) * (1.0 - slope) }
}
