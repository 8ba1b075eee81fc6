//! Dropout with draws that several threads can make at once.

use burn::nn::Dropout;
use burn::tensor::Tensor;

/// What the layer does by itself, with the draws of `amago_ops`: nothing where no gradient is recorded.
pub(crate) fn drop_out<const D: usize>(x: Tensor<D>, layer: &Dropout) -> Tensor<D> {
    if !layer.training.is_enabled() || !x.device().is_autodiff() {
        return x;
    }
    amago_ops::dropout(x, layer.prob)
}
