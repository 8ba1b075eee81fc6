//! Independent discrete choices as one-hot blocks side by side.

use burn::tensor::{Int, Tensor, activation};

use super::CategoricalConfig;
use crate::{Noise, NoiseSource};

/// Smallest single-precision step at one; keeps logarithms finite.
const EPS: f64 = f32::EPSILON as f64;
/// Logit of an illegal option: finite, because differences and products of infinities are NaN, in gradients too.
const IMPOSSIBLE: f32 = -1e9;
/// Keeps a draw below the sum of the probabilities, where rounding could lift it to.
const BELOW_ONE: f64 = 1.0 - 1e-6;

/// Softmax per choice, with probabilities clamped and renormalised, so that no legal option is ever
/// ruled out. Illegal options have probability zero.
#[derive(Debug, Clone)]
pub struct Categorical {
    /// Probabilities, `[B, L, G, A]`.
    pub probs: Tensor<4>,
    /// Their logarithms, `[B, L, G, A]`; finite also where a probability is zero.
    pub log_probs: Tensor<4>,
    /// One where an option is legal, `[B, L, G, A]`; absent where all are.
    legal: Option<Tensor<4>>,
    choices: Vec<usize>,
    temperature: f64,
}

impl Categorical {
    /// From actor outputs `[B, L, G, A]`. The first normaliser takes no gradient.
    pub(super) fn new(
        outputs: Tensor<4>,
        legal: Option<Tensor<4>>,
        choices: &[usize],
        config: &CategoricalConfig,
    ) -> Self {
        let logits = mask(outputs, legal.as_ref());
        let probs = by_choice(logits, choices, |x| activation::softmax(x, 3));
        let clamped = soften(probs, legal.as_ref(), choices, config);
        let probs = by_choice(clamped, choices, |x| x.clone() / x.sum_dim(3));
        // Entropies multiply it by a probability that may be zero.
        let log_probs = probs.clone().clamp(EPS, 1.0 - EPS).log();
        let (choices, temperature) = (choices.to_vec(), f64::from(config.temperature));
        Self { probs, log_probs, legal, choices, temperature }
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        self.probs.dims()
    }

    pub(super) fn map(&self, f: &dyn Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            probs: f(self.probs.clone()),
            log_probs: f(self.log_probs.clone()),
            legal: self.legal.clone().map(f),
            choices: self.choices.clone(),
            temperature: self.temperature,
        }
    }

    pub(super) fn log_prob_terms(&self, one_hot: Tensor<4>) -> Tensor<4> {
        self.log_probs.clone() * one_hot
    }

    pub(super) fn entropy(&self) -> Tensor<3> {
        (self.probs.clone() * self.log_probs.clone()).sum_dim(3).neg().squeeze_dim(3)
    }

    pub(super) fn sample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let [b, l, g, _] = self.dims();
        let shape = [k, b, l, g, self.choices.len()];
        let draws = noise.noise(Noise::Uniform, shape, &self.probs.device());
        let mut start = 0;
        let blocks = self.choices.iter().enumerate().map(|(i, n)| {
            let probs = self.probs.clone().narrow(3, start, *n);
            start += n;
            draw_one_hot(probs, draws.clone().narrow(4, i, 1))
        });
        join(blocks.collect())
    }

    /// Straight-through Gumbel-softmax (Jang et al. 2017, arXiv 1611.01144): one-hot forward, the
    /// gradient of the softmax backward.
    pub(super) fn rsample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let [b, l, g, a] = self.dims();
        let gumbel = noise.noise(Noise::Gumbel, [k, b, l, g, a], &self.probs.device());
        // The probability of an illegal option is zero, but its clamped logarithm would still be drawn now
        // and then.
        let logits = mask(self.log_probs.clone(), self.legal.as_ref()).unsqueeze_dim::<5>(0);
        let scores = (logits + gumbel) / self.temperature;
        let soft = by_choice(scores, &self.choices, |x| activation::softmax(x, 4));
        let hard = by_choice(soft.clone().detach(), &self.choices, largest);
        hard - soft.clone().detach() + soft
    }

    pub(super) fn greedy(&self) -> Tensor<4> {
        by_choice(self.probs.clone(), &self.choices, largest)
    }
}

/// Clamps probabilities `[B, L, G, A]` or one-hot actions, rules out what is illegal, and
/// renormalises each choice; the normaliser takes no gradient. Without a floor, a choice of padding or of an illegal
/// option may have nothing left: it stays zero.
pub(super) fn soften(
    probs: Tensor<4>,
    legal: Option<&Tensor<4>>,
    choices: &[usize],
    config: &CategoricalConfig,
) -> Tensor<4> {
    let clamped = probs.clamp(config.min_prob, config.max_prob);
    let clamped = match legal {
        Some(legal) => clamped * legal.clone(),
        None => clamped,
    };
    by_choice(clamped, choices, |x| {
        let sum = x.clone().sum_dim(3).detach();
        let nothing = sum.clone().equal_elem(0.0);
        x / sum.mask_fill(nothing, 1.0)
    })
}

/// A mask of the environment, `[B, L, A]`, for `n_gammas` discounts. A choice without a legal option
/// (padding, or the end of a task) is one where everything is legal.
pub(super) fn legal(mask: Tensor<3>, n_gammas: usize, choices: &[usize]) -> Tensor<4> {
    let [b, l, a] = mask.dims();
    let mask = mask.greater_elem(0.5).float().unsqueeze_dim::<4>(2);
    let legal = by_choice(mask, choices, |x| {
        let none = x.clone().max_dim(3).neg() + 1.0;
        x + none
    });
    legal.expand([b, l, n_gammas, a])
}

fn mask(logits: Tensor<4>, legal: Option<&Tensor<4>>) -> Tensor<4> {
    match legal {
        Some(legal) => logits.mask_fill(legal.clone().lower_elem(0.5), IMPOSSIBLE),
        None => logits,
    }
}

/// Applies `f` to the block of each choice in the last dimension.
fn by_choice<const D: usize>(
    x: Tensor<D>,
    choices: &[usize],
    f: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    if choices.len() == 1 {
        return f(x);
    }
    let mut start = 0;
    let blocks = choices.iter().map(|n| {
        let block = x.clone().narrow(D - 1, start, *n);
        start += n;
        f(block)
    });
    join(blocks.collect())
}

fn join<const D: usize>(mut blocks: Vec<Tensor<D>>) -> Tensor<D> {
    if blocks.len() == 1 { blocks.remove(0) } else { Tensor::cat(blocks, D - 1) }
}

/// One-hot vectors of options `[..., 1]` out of `n`.
fn one_hot<const D: usize>(index: Tensor<D, Int>, n: usize) -> Tensor<D> {
    let mut dims = index.dims();
    dims[D - 1] = n;
    let options = Tensor::<1, Int>::arange(0..n as i64, &index.device()).unsqueeze::<D>();
    index.expand(dims).equal(options.expand(dims)).float()
}

/// One-hot vector of the largest entry.
fn largest<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let n = x.dims()[D - 1];
    one_hot(x.argmax(D - 1), n)
}

/// One-hot draws from probabilities `[B, L, G, n]` by inverse transform of uniform draws
/// `[K, B, L, G, 1]`: the option is the number of cumulative sums that are not above the draw.
pub(super) fn draw_one_hot(probs: Tensor<4>, uniform: Tensor<5>) -> Tensor<5> {
    let [b, l, g, n] = probs.dims();
    let k = uniform.dims()[0];
    let sums = probs.cumsum(3).unsqueeze_dim::<5>(0);
    // Below the last sum, so that rounding never picks an option of probability zero.
    let threshold = uniform * (sums.clone().narrow(4, n - 1, 1) * BELOW_ONE);
    let all = [k, b, l, g, n];
    one_hot(sums.expand(all).lower_equal(threshold.expand(all)).int().sum_dim(4), n)
}
