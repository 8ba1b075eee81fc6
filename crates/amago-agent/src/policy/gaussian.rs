//! Gaussians squashed into `[-1, 1]`.

use std::f64::consts::{LN_2, PI};

use burn::tensor::{Tensor, activation};

use super::TanhGaussianConfig;
use crate::{Noise, NoiseSource};

/// `tanh` of an independent Gaussian per number (Haarnoja et al. 2018, arXiv 1801.01290).
#[derive(Debug, Clone)]
pub struct TanhGaussian {
    /// Mean before squashing, `[B, L, G, A]`.
    pub mean: Tensor<4>,
    /// Standard deviation before squashing, `[B, L, G, A]`.
    pub std: Tensor<4>,
    clip: [f32; 2],
}

impl TanhGaussian {
    /// From actor outputs `[B, L, G, 2A]`: means, then what becomes the deviations.
    pub(super) fn new(outputs: Tensor<4>, config: &TanhGaussianConfig) -> Self {
        let a = outputs.dims()[3] / 2;
        let std =
            config.std_activation.forward(outputs.clone().narrow(3, a, a), config.std_low, config.std_high);
        Self { mean: outputs.narrow(3, 0, a), std, clip: config.clip_actions }
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        self.mean.dims()
    }

    pub(super) fn map(&self, f: &dyn Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self { mean: f(self.mean.clone()), std: f(self.std.clone()), clip: self.clip }
    }

    /// Actions are clamped first: at the borders the density is infinite.
    pub(super) fn log_prob_terms(&self, actions: Tensor<4>) -> Tensor<4> {
        // Actions of a buffer may be at the borders, where `atanh` is infinite.
        let y = actions.clamp(self.clip[0], self.clip[1]);
        let x = (y.clone().log1p() - y.neg().log1p()) * 0.5;
        // ln(1 − tanh²x) in a form that does not cancel.
        let stretch = (x.clone().neg() - activation::softplus(x.clone() * -2.0, 1.0) + LN_2) * 2.0;
        normal_log_prob(x, self.mean.clone(), self.std.clone()) - stretch
    }

    pub(super) fn sample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        self.rsample(k, noise)
    }

    pub(super) fn rsample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let [b, l, g, a] = self.dims();
        let normal = noise.noise(Noise::Normal, [k, b, l, g, a], &self.mean.device());
        (self.mean.clone().unsqueeze_dim::<5>(0) + normal * self.std.clone().unsqueeze_dim::<5>(0)).tanh()
    }

    pub(super) fn greedy(&self) -> Tensor<4> {
        self.mean.clone().tanh()
    }
}

/// Log-density of `N(mean, std²)`.
pub(super) fn normal_log_prob<const D: usize>(x: Tensor<D>, mean: Tensor<D>, std: Tensor<D>) -> Tensor<D> {
    let scaled = (x - mean) / std.clone();
    (scaled.square() * 0.5 + std.log() + 0.5 * (2.0 * PI).ln()).neg()
}
