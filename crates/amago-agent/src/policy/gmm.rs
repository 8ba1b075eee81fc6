//! A mixture of Gaussians squashed into `[-1, 1]`.

use burn::tensor::{Tensor, activation};

use super::GmmConfig;
use super::categorical::draw_one_hot;
use super::gaussian::normal_log_prob;
use crate::{Noise, NoiseSource};

/// Keeps the logarithms finite at the borders.
const EDGE: f64 = 1e-6;

/// `tanh` of a mixture of Gaussians over whole actions.
#[derive(Debug, Clone)]
pub struct Gmm {
    /// Means before squashing, `[B, L, G, M·A]`, numbers fastest.
    means: Tensor<4>,
    /// Standard deviations before squashing, `[B, L, G, M·A]`.
    stds: Tensor<4>,
    /// Log-weights of the modes, `[B, L, G, M]`.
    log_weights: Tensor<4>,
}

impl Gmm {
    /// From actor outputs `[B, L, G, 2MA + M]`: means, what becomes the deviations, logits.
    pub(super) fn new(outputs: Tensor<4>, config: &GmmConfig) -> Self {
        let (all, m) = (outputs.dims()[3], config.modes);
        let width = (all - m) / 2;
        let part = |start, len| outputs.clone().narrow(3, start, len);
        Self {
            means: part(0, width),
            stds: config.std_activation.forward(part(width, width), config.std_low, config.std_high),
            log_weights: activation::log_softmax(part(2 * width, m), 3),
        }
    }

    fn n_modes(&self) -> usize {
        self.log_weights.dims()[3]
    }

    /// `[B, L, G, M·A] → [B, L, G, M, A]`.
    fn by_mode(&self, x: &Tensor<4>) -> Tensor<5> {
        let [b, l, g, a] = self.dims();
        x.clone().reshape([b, l, g, self.n_modes(), a])
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        let [b, l, g, all] = self.means.dims();
        [b, l, g, all / self.n_modes()]
    }

    pub(super) fn map(&self, f: &dyn Fn(Tensor<4>) -> Tensor<4>) -> Self {
        let f = |x: &Tensor<4>| f(x.clone());
        Self { means: f(&self.means), stds: f(&self.stds), log_weights: f(&self.log_weights) }
    }

    pub(super) fn log_prob_terms(&self, actions: Tensor<4>) -> Tensor<4> {
        let above = (actions.clone() + 1.0).clamp_min(EDGE);
        let below = (actions.clone().neg() + 1.0).clamp_min(EDGE);
        let x = ((above / below).log() * 0.5).unsqueeze_dim::<5>(3);
        let inside = normal_log_prob(x, self.by_mode(&self.means), self.by_mode(&self.stds));
        let by_mode = inside.sum_dim(4).squeeze_dim::<4>(4) + self.log_weights.clone();
        // In this order: one plus the edge would round the edge away.
        let stretch = (actions.square().neg() + 1.0 + EDGE).log().sum_dim(3);
        log_sum_exp(by_mode) - stretch
    }

    pub(super) fn sample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let [b, l, g, a] = self.dims();
        let device = self.means.device();
        let uniform = noise.noise(Noise::Uniform, [k, b, l, g, 1], &device);
        let mode = draw_one_hot(self.log_weights.clone().exp(), uniform).unsqueeze_dim::<6>(5);
        let pick = |x: &Tensor<4>| -> Tensor<5> {
            (self.by_mode(x).unsqueeze_dim::<6>(0) * mode.clone()).sum_dim(4).squeeze_dim(4)
        };
        let normal = noise.noise(Noise::Normal, [k, b, l, g, a], &device);
        (pick(&self.means) + normal * pick(&self.stds)).tanh()
    }

    pub(super) fn greedy(&self) -> Tensor<4> {
        let weights = self.log_weights.clone().exp().unsqueeze_dim::<5>(4);
        (self.by_mode(&self.means) * weights).sum_dim(3).squeeze_dim::<4>(3).tanh()
    }
}

/// Over the last dimension, which becomes one.
fn log_sum_exp(x: Tensor<4>) -> Tensor<4> {
    // Shifted, or the exponentials of unlikely actions would all be zero.
    let highest = x.clone().detach().max_dim(3);
    (x - highest.clone()).exp().sum_dim(3).log() + highest
}
