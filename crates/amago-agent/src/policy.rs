//! The categorical policy over discrete actions, one distribution per discount.

use burn::tensor::{Tensor, activation};

/// Smallest single-precision step at one; keeps logarithms finite.
const EPS: f64 = f32::EPSILON as f64;

/// Softmax whose probabilities are clamped and renormalised, so that no action is ever ruled out.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Probabilities, `[B, L, G, A]`.
    pub probs: Tensor<4>,
    /// Their logarithms, `[B, L, G, A]`.
    pub log_probs: Tensor<4>,
}

impl Policy {
    /// From actor outputs `[B, L, G, A]`. The first normaliser takes no gradient.
    pub fn new(logits: Tensor<4>, [low, high]: [f32; 2]) -> Self {
        let clamped = soften(activation::softmax(logits, 3), [low, high]);
        let probs = clamped.clone() / clamped.sum_dim(3);
        let log_probs = probs.clone().clamp(EPS, 1.0 - EPS).log();
        Self { probs, log_probs }
    }

    /// The policy in `len` timesteps from `start` on.
    pub fn narrow(&self, start: usize, len: usize) -> Self {
        let cut = |x: &Tensor<4>| x.clone().narrow(1, start, len);
        Self { probs: cut(&self.probs), log_probs: cut(&self.log_probs) }
    }

    /// Log-probability of the action with the largest entry of `actions`, `[B, L, G, A]`-like
    /// one-hot vectors; gives `[B, L, G]`.
    pub fn log_prob(&self, one_hot: Tensor<4>) -> Tensor<3> {
        (self.log_probs.clone() * one_hot).sum_dim(3).squeeze_dim(3)
    }

    /// Entropy in nats, `[B, L, G]`.
    pub fn entropy(&self) -> Tensor<3> {
        (self.probs.clone() * self.log_probs.clone()).sum_dim(3).neg().squeeze_dim(3)
    }
}

/// Clamps probabilities and renormalises; the normaliser takes no gradient. Also applied to the
/// one-hot actions of the buffer before a critic sees them.
pub fn soften<const D: usize>(probs: Tensor<D>, [low, high]: [f32; 2]) -> Tensor<D> {
    let clamped = probs.clamp(low, high);
    clamped.clone() / clamped.sum_dim(D - 1).detach()
}
