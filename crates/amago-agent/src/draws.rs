//! Random draws inside a loss, as a value: a test can inject recorded ones.

use burn::tensor::{Device, Int, Tensor};

use crate::Policy;

/// A standard distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Uniform in `[0, 1)`.
    Uniform,
    /// Zero mean, unit variance.
    Normal,
    /// `−ln(−ln u)` with `u` uniform.
    Gumbel,
}

/// Source of independent standard draws, from which policies make actions.
pub trait NoiseSource {
    /// Fresh draws.
    ///
    /// # Shapes
    /// - output: `shape`
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5>;
}

/// What sampled actions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The value of the next states in the TD target.
    Target,
    /// The value of the states in the advantage.
    Value,
    /// The online actor loss: the only samples with a gradient.
    Online,
    /// An estimate of the policy's entropy.
    Entropy,
}

/// Source of the draws that one loss makes.
pub trait Draws: NoiseSource + Send {
    /// Critic indices for every target, each in `0..n_critics`, with replacement.
    ///
    /// # Shapes
    /// - output: `shape`, which is `[S, B, L, G]`
    fn critic_subset(&mut self, n_critics: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int>;

    /// `k` actions of a policy, with a gradient where the purpose asks for one.
    ///
    /// # Shapes
    /// - output: `[K, B, L, G, A]`
    fn actions(&mut self, policy: &Policy, k: usize, purpose: Purpose) -> Tensor<5>;

    /// Whole numbers below `n`: where the augmented images of one observation key are cut.
    ///
    /// # Shapes
    /// - output: `shape`, which is `[B, L, 2]`
    fn image_shifts(&mut self, shape: [usize; 3], n: usize, device: &Device) -> Tensor<3, Int>;

    /// A source for a part of the batch that is computed at the same time as the others; absent where draws come
    /// in an order, as recorded ones do.
    fn fork(&self) -> Option<Box<dyn Draws>> {
        None
    }
}

/// Draws of [`amago_ops::uniform`] and [`amago_ops::normal`]. Seed the device to make them repeatable.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomDraws;

impl NoiseSource for RandomDraws {
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        match kind {
            Noise::Uniform => amago_ops::uniform(shape, device),
            Noise::Normal => amago_ops::normal(shape, device),
            Noise::Gumbel => {
                // Away from both ends, where the logarithms are infinite.
                let uniform = self.noise(Noise::Uniform, shape, device).clamp(1e-10, 1.0 - 1e-7);
                uniform.log().neg().log().neg()
            }
        }
    }
}

impl Draws for RandomDraws {
    fn critic_subset(&mut self, n_critics: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        below(n_critics, shape, device)
    }

    fn actions(&mut self, policy: &Policy, k: usize, purpose: Purpose) -> Tensor<5> {
        match purpose {
            // Elsewhere a gradient would only be recorded and thrown away.
            Purpose::Online => policy.rsample(k, self),
            _ => policy.sample(k, self),
        }
    }

    fn image_shifts(&mut self, shape: [usize; 3], n: usize, device: &Device) -> Tensor<3, Int> {
        below(n, shape, device)
    }

    fn fork(&self) -> Option<Box<dyn Draws>> {
        Some(Box::new(*self))
    }
}

/// Uniform whole numbers below `n`.
fn below<const D: usize>(n: usize, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let uniform = amago_ops::uniform(shape, device) * n as f64;
    // Rounding can lift a draw to the open end of the range.
    uniform.floor().int().clamp(0, n as i64 - 1)
}
