//! Kernels of the CPU backend.

mod attention;
mod classify;
mod gemm;
mod head;
mod kernel;
mod layer_norm;
mod linear;
mod softmax;

pub(crate) use attention::Attention;
pub(crate) use classify::Classify;
pub(crate) use head::{Expect, MAX_LAYERS, apply_any};
pub(crate) use kernel::{Input, apply, constant, runs_on};
pub(crate) use layer_norm::LayerNorm;
pub(crate) use linear::Linear;
