//! Buffers: module state that is saved with the weights but never trained.

use burn::module::Param;
use burn::tensor::Tensor;

/// A tensor that is stored with the module and gets no gradient.
///
/// # Shapes
/// - value: any
pub fn buffer<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(value).set_require_grad(false)
}

/// Replaces the value of a buffer and keeps its identity.
///
/// # Shapes
/// - value: as the one before
pub fn set_buffer<const D: usize>(buffer: &mut Param<Tensor<D>>, value: Tensor<D>) {
    *buffer = buffer.clone().map(|_| value.detach());
}
