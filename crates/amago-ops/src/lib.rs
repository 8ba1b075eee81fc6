//! Operations that a training step spends its time in, each with one meaning and two ways to run.
//!
//! Every function here is defined by a composition of Burn's own operations. On the CPU backend (feature `flex`)
//! it runs as one fused kernel with a hand-written gradient instead: fewer passes over memory, matrix products
//! split over threads by rows, and no intermediate that the backward pass does not need. Other backends run the
//! composition. The tests hold both ways against each other, values and gradients.
#![warn(missing_docs)]

mod attention;
mod gelu;
mod head;
mod layer_norm;
mod linear;

#[cfg(feature = "flex")]
mod cpu;

pub use attention::causal_attention;
pub use gelu::gelu;
pub use head::{Classified, ClassifierHead};
pub use layer_norm::layer_norm;
pub use linear::{ensemble_linear, linear};
