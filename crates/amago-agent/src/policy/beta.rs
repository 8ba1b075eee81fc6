//! Beta distributions stretched to `[-1, 1]`.

use std::f64::consts::LN_2;

use burn::tensor::{Tensor, activation};

use super::BetaConfig;
use super::special::{beta_sample_gradients, ln_gamma};
use crate::{Noise, NoiseSource};

/// Proposals per gamma variate. Each is accepted with a probability of at least 0.98 (shape two), so
/// that all fail once in 10⁸ draws.
const PROPOSALS: usize = 5;
/// Keeps samples off the borders.
const EDGE: f64 = 1e-6;

/// `2x − 1` of an independent Beta distribution per number (Chou et al. 2017).
#[derive(Debug, Clone)]
pub struct Beta {
    /// First concentration, `[B, L, G, A]`.
    pub alpha: Tensor<4>,
    /// Second concentration, `[B, L, G, A]`.
    pub beta: Tensor<4>,
    clip: [f32; 2],
}

impl Beta {
    /// From actor outputs `[B, L, G, 2A]`: what becomes `α`, then what becomes `β`.
    pub(super) fn new(outputs: Tensor<4>, config: &BetaConfig) -> Self {
        let a = outputs.dims()[3] / 2;
        let part =
            |start, low, high| config.std_activation.forward(outputs.clone().narrow(3, start, a), low, high);
        Self {
            alpha: part(0, config.alpha_low, config.alpha_high),
            beta: part(a, config.beta_low, config.beta_high),
            clip: config.clip_actions,
        }
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        self.alpha.dims()
    }

    pub(super) fn map(&self, f: &dyn Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self { alpha: f(self.alpha.clone()), beta: f(self.beta.clone()), clip: self.clip }
    }

    /// Actions are clamped first: the density at the borders is zero or infinite.
    pub(super) fn log_prob_terms(&self, actions: Tensor<4>) -> Tensor<4> {
        let x = (actions.clamp(self.clip[0], self.clip[1]) + 1.0) * 0.5;
        let (alpha, beta) = (self.alpha.clone(), self.beta.clone());
        let shape = (alpha.clone() - 1.0) * x.clone().log() + (beta.clone() - 1.0) * x.neg().log1p();
        let norm = ln_gamma(alpha.clone() + beta.clone()) - ln_gamma(alpha) - ln_gamma(beta);
        shape + norm - LN_2
    }

    pub(super) fn sample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        self.draw(k, noise) * 2.0 - 1.0
    }

    /// Implicit reparametrisation (Figurnov et al. 2018, arXiv 1805.08498): the sample moves with its
    /// concentrations so that its quantile stays.
    pub(super) fn rsample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let x = self.draw(k, noise);
        let shape = x.dims();
        let wide = |x: &Tensor<4>| x.clone().unsqueeze_dim::<5>(0).expand(shape);
        let (alpha, beta) = (wide(&self.alpha), wide(&self.beta));
        let flat = |x: &Tensor<5>| x.clone().detach().reshape([shape.iter().product::<usize>(), 1]);
        let [by_alpha, by_beta] = beta_sample_gradients(flat(&x), flat(&alpha), flat(&beta));
        // Zero, with the gradient of its argument.
        let change = |x: Tensor<5>| x.clone() - x.detach();
        let moved = x + change(alpha) * by_alpha.reshape(shape) + change(beta) * by_beta.reshape(shape);
        moved * 2.0 - 1.0
    }

    /// The mean.
    pub(super) fn greedy(&self) -> Tensor<4> {
        self.alpha.clone() / (self.alpha.clone() + self.beta.clone()) * 2.0 - 1.0
    }

    /// Samples in `(0, 1)` without gradient: `X / (X + Y)` of two gamma variates.
    fn draw(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        // In logarithms: variates of small concentrations are below what single precision can hold.
        let x = ln_gamma_variate(self.alpha.clone().detach(), k, noise);
        let y = ln_gamma_variate(self.beta.clone().detach(), k, noise);
        activation::sigmoid(x - y).clamp(EDGE, 1.0 - EDGE)
    }
}

/// Logarithms of `k` gamma variates per concentration, `[K, B, L, G, A]`, by the method of Marsaglia
/// and Tsang (2000) at concentration plus one; a power of a uniform draw takes the one away again.
fn ln_gamma_variate(concentration: Tensor<4>, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
    let [b, l, g, a] = concentration.dims();
    let device = concentration.device();
    let wide = [k, b, l, g, a * PROPOSALS];
    let (normal, uniform) =
        (noise.noise(Noise::Normal, wide, &device), noise.noise(Noise::Uniform, wide, &device));
    // The method needs a concentration of one at least. All proposals are drawn at once, because a loop until
    // acceptance would ask the device each time.
    let boost = noise.noise(Noise::Uniform, [k, b, l, g, a], &device);
    let concentration = concentration.unsqueeze_dim::<5>(0);
    let d = (concentration.clone() + (1.0 - 1.0 / 3.0)).expand([k, b, l, g, a]);
    let c = (d.clone() * 9.0).sqrt().recip();
    // The first proposal that is accepted; where none is, the mode.
    let mut ln_v = d.zeros_like();
    for i in (0..PROPOSALS).rev() {
        let normal = normal.clone().narrow(4, i * a, a);
        let ln_u = uniform.clone().narrow(4, i * a, a).clamp_min(1e-30).log();
        let root = c.clone() * normal.clone() + 1.0;
        let proposed = root.clone().clamp_min(1e-10).log() * 3.0;
        let v = proposed.clone().exp();
        let bound = normal.square() * 0.5 + d.clone() * (proposed.clone() - v + 1.0);
        let accepted = ln_u.lower(bound).bool_and(root.greater_elem(0.0));
        ln_v = ln_v.mask_where(accepted, proposed);
    }
    d.log() + ln_v + boost.clamp_min(1e-30).log() / concentration
}
