//! Independent bits.

use burn::tensor::{Tensor, activation};

use crate::{Noise, NoiseSource};

/// One Bernoulli distribution per bit.
#[derive(Debug, Clone)]
pub struct Bernoulli {
    logits: Tensor<4>,
}

impl Bernoulli {
    /// From actor outputs `[B, L, G, A]`, the logits.
    pub(super) fn new(logits: Tensor<4>) -> Self {
        Self { logits }
    }

    /// Probability that each bit is set.
    ///
    /// # Shapes
    /// - output: `[B, L, G, A]`
    pub fn probs(&self) -> Tensor<4> {
        activation::sigmoid(self.logits.clone())
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        self.logits.dims()
    }

    pub(super) fn map(&self, f: &dyn Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self { logits: f(self.logits.clone()) }
    }

    pub(super) fn log_prob_terms(&self, bits: Tensor<4>) -> Tensor<4> {
        bits * self.logits.clone() - activation::softplus(self.logits.clone(), 1.0)
    }

    pub(super) fn entropy(&self) -> Tensor<3> {
        let surprise = self.log_prob_terms(self.probs());
        surprise.sum_dim(3).neg().squeeze_dim(3)
    }

    pub(super) fn sample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let [b, l, g, a] = self.dims();
        let shape = [k, b, l, g, a];
        let uniform = noise.noise(Noise::Uniform, shape, &self.logits.device());
        uniform.lower(self.probs().unsqueeze_dim::<5>(0).expand(shape)).float()
    }

    pub(super) fn greedy(&self) -> Tensor<4> {
        // A threshold: cut down to a whole number, as in the original, 0.98 would be 0.
        self.probs().greater_elem(0.5).float()
    }
}
