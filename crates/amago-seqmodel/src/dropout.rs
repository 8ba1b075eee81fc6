//! Dropout with draws that several threads can make at once.

use burn::nn::Dropout;
use burn::tensor::{Device, Tensor};

/// What the layer does by itself, with the draws of `amago_ops`: nothing but in training.
pub(crate) fn drop_out<const D: usize>(x: Tensor<D>, layer: &Dropout) -> Tensor<D> {
    let prob = probability(&x.device(), layer);
    amago_ops::dropout(x, prob)
}

/// With what probability the layer drops something on this device.
pub(crate) fn probability(device: &Device, layer: &Dropout) -> f64 {
    if amago_ops::is_training(device) { layer.prob } else { 0.0 }
}
