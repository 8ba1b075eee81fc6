//! Kernels of the CPU backend.

mod attend;
mod attention;
mod block;
mod classify;
mod elementwise;
mod gemm;
mod head;
mod head_gradient;
mod kernel;
mod layer_norm;
mod linear;
mod pack;
mod random;
mod reparam;
mod rows;
mod simd;
mod softmax;
mod tile;
mod values;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use attend::attend;
pub(crate) use attention::Attention;
pub(crate) use block::Visible;
pub(crate) use classify::Classify;
pub(crate) use elementwise::{adamw, blend, square_sum};
pub(crate) use gemm::flops;
pub(crate) use head::{Expect, MAX_LAYERS, apply_any};
pub(crate) use kernel::{Input, apply, constant, runs_on};
pub(crate) use layer_norm::LayerNorm;
pub(crate) use linear::Linear;
pub(crate) use random::{Dropout, normal, uniform};
pub(crate) use reparam::{SigmaReparam, power_iteration};
pub(crate) use values::Values;
