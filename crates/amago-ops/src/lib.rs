//! Operations that a training step spends its time in, each with one meaning and two ways to run.
//!
//! Every function here is defined by a composition of Burn's own operations. On the CPU backend (feature `flex`)
//! it runs as one fused kernel with a hand-written gradient instead: fewer passes over memory, matrix products
//! split over threads by rows, and no intermediate that the backward pass does not need. Other backends run the
//! composition. The tests hold both ways against each other, values and gradients.
//!
//! Every function checks the shapes that it gets, once per call, and panics with its name and the shapes where they
//! do not fit. No rows, sequences or samples give an empty result, without gradient where nothing has one.
//!
//! ```
//! use amago_ops::{AttentionPattern, causal_attention, linear};
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex();
//! // Two sequences of five timesteps with eight features; queries, keys and values of two heads of four.
//! let x = Tensor::<3>::ones([2, 5, 8], &device);
//! let qkv = linear(x, Tensor::ones([8, 24], &device), None, 1.0);
//! let attended = causal_attention(qkv, 2, &AttentionPattern::default(), 0.0);
//! assert_eq!(attended.dims(), [2, 5, 2, 4]);
//! ```
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod attention;
mod elementwise;
mod gelu;
mod head;
mod layer_norm;
mod linear;
mod parallel;
mod pattern;
mod precision;
mod random;
mod reparam;
mod shapes;

#[cfg(feature = "flex")]
mod cpu;

pub use attention::{cached_attention, causal_attention};
pub use elementwise::{AdamWStep, adamw, blend, square_sum};
pub use gelu::gelu;
pub use head::{Classified, ClassifierHead};
pub use layer_norm::layer_norm;
pub use linear::{ensemble_linear, linear};
pub use parallel::{host_device, is_fused, on_pool, parts, side_by_side, threads};
pub use pattern::{AttentionPattern, split_heads};
pub use precision::{has_bf16, use_bf16};
pub use random::{dropout, is_training, normal, random_key, repeatable, uniform, with_stream};
pub use reparam::{power_iteration, sigma_reparam};

/// Floating-point operations of all matrix products of the fused kernels so far, in this process. Those that Burn does
/// itself are small and not counted.
pub fn flops() -> u64 {
    #[cfg(feature = "flex")]
    return cpu::flops();
    #[cfg(not(feature = "flex"))]
    0
}
