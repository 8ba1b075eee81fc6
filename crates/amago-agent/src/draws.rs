//! Random draws inside a loss, as a value: a test can inject recorded ones.

use burn::tensor::{Device, Distribution, Int, Tensor};

/// Source of the draws that one loss makes.
pub trait Draws {
    /// Critic indices for every target, `[S, B, L, G]`, each in `0..n_critics`, with replacement.
    fn critic_subset(&mut self, n_critics: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int>;

    /// `k` one-hot actions from probabilities `[B, L, G, A]`; gives `[K, B, L, G, A]`.
    fn actions(&mut self, probs: Tensor<4>, k: usize) -> Tensor<5>;

    /// Whole numbers below `n`: where the augmented images of one observation key are cut.
    fn image_shifts(&mut self, shape: [usize; 3], n: usize, device: &Device) -> Tensor<3, Int>;
}

/// Draws from the device's generator. Seed the device to make them repeatable.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomDraws;

impl Draws for RandomDraws {
    fn critic_subset(&mut self, n_critics: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        below(n_critics, shape, device)
    }

    fn actions(&mut self, probs: Tensor<4>, k: usize) -> Tensor<5> {
        let [b, l, g, a] = probs.dims();
        let device = probs.device();
        // Inverse transform: the action is the number of cumulative sums below a uniform draw.
        let sums = probs.detach().cumsum(3).unsqueeze_dim::<5>(0).expand([k, b, l, g, a]);
        let draw = Tensor::<5>::random([k, b, l, g, 1], Distribution::Uniform(0.0, 1.0), &device);
        let index = sums.lower_equal(draw.expand([k, b, l, g, a])).int().sum_dim(4).clamp(0, a as i64 - 1);
        let classes = Tensor::<1, Int>::arange(0..a as i64, &device).reshape([1, 1, 1, 1, a]);
        index.expand([k, b, l, g, a]).equal(classes.expand([k, b, l, g, a])).float()
    }

    fn image_shifts(&mut self, shape: [usize; 3], n: usize, device: &Device) -> Tensor<3, Int> {
        below(n, shape, device)
    }
}

/// Uniform whole numbers below `n`.
fn below<const D: usize>(n: usize, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let uniform = Tensor::<D>::random(shape, Distribution::Uniform(0.0, n as f64), device);
    // Rounding can lift a draw to the open end of the range.
    uniform.floor().int().clamp(0, n as i64 - 1)
}
