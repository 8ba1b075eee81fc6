//! Running normalisation of input features.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::{ModelError, buffer, set_buffer};

const EPS: f64 = 1e-5;

/// Settings of [`InputNorm`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputNormConfig {
    /// Step size of the running moments after many updates; the first steps are larger.
    pub beta: f64,
    /// Mean square of every feature before the first update.
    pub init_nu: f64,
}

impl Default for InputNormConfig {
    fn default() -> Self {
        Self { beta: 1e-4, init_nu: 1.0 }
    }
}

impl InputNormConfig {
    /// Refuses step sizes that never move or forget everything, and squares that are none.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ModelError> {
        let beta = ("input_norm.beta", self.beta, self.beta > 0.0 && self.beta < 1.0, "above 0 and below 1");
        let nu = (
            "input_norm.init_nu",
            self.init_nu,
            self.init_nu > 0.0 && self.init_nu <= 1e12,
            "above 0 and at most 1e12",
        );
        match [beta, nu].into_iter().find(|(_, _, legal, _)| !legal) {
            Some((name, value, _, range)) => Err(ModelError::Range { name, value: value.to_string(), range }),
            None => Ok(()),
        }
    }

    /// Builds the layer for `d` features.
    pub fn init(&self, d: usize, device: &Device) -> InputNorm {
        InputNorm {
            mu: buffer(Tensor::zeros([d], device)),
            nu: buffer(Tensor::full([d], self.init_nu, device)),
            t: buffer(Tensor::ones([1], device)),
            beta: self.beta,
        }
    }
}

/// Keeps running first and second moments of each feature and normalises with them.
#[derive(Module, Debug)]
pub struct InputNorm {
    /// Mean, `[d]`.
    pub mu: Param<Tensor<1>>,
    /// Mean square, `[d]`.
    pub nu: Param<Tensor<1>>,
    /// Update count, starting at one, `[1]`.
    pub t: Param<Tensor<1>>,
    /// Step size after many updates.
    beta: f64,
}

/// Step size `β / (1 − (1−β)^t)` of running statistics after `t` updates. In single precision on
/// purpose, as the original: `1 − (1−β)^t` loses digits for small `t`. The power is taken on the host,
/// because that of a GPU is off by as many digits again.
pub fn adaptive_rate<const D: usize>(beta: f64, t: Tensor<D>) -> Tensor<D> {
    let decay = |t: f32| ((1.0 - beta) as f32).powf(t);
    let rates: Vec<f32> = t.to_data().iter::<f32>().map(|t| beta as f32 / (1.0 - decay(t))).collect();
    Tensor::from_data(TensorData::new(rates, t.dims()), &t.device())
}

impl InputNorm {
    /// Moves the statistics towards this batch. `x` is `[B, L, d]`, `mask` is `[B, L, 1]` with one
    /// for real timesteps. The step size `β / (1 − (1−β)^t)` starts near one half, so that the
    /// initial values are forgotten at once.
    pub fn update(&mut self, x: Tensor<3>, mask: Tensor<3>) {
        let x = x.detach();
        let count = mask.clone().sum();
        let t = self.t.val() + 1.0;
        let beta = adaptive_rate(self.beta, t.clone());
        let masked = x * mask;
        let mean = masked.clone().sum_dims_squeeze::<1, _>(&[0, 1]) / count.clone();
        let mean_square = masked.square().sum_dims_squeeze::<1, _>(&[0, 1]) / count;
        let keep = beta.clone().neg() + 1.0;
        let mu = self.mu.val() * keep.clone() + mean * beta.clone();
        let nu = self.nu.val() * keep + mean_square * beta;
        set_buffer(&mut self.mu, mu);
        set_buffer(&mut self.nu, nu);
        set_buffer(&mut self.t, t);
    }

    /// Standard deviation of each feature, `[d]`; the smallest where the estimate of the variance is
    /// negative.
    pub fn sigma(&self) -> Tensor<1> {
        (self.nu.val() - self.mu.val().square() + EPS).clamp_min(0.0).sqrt().clamp(1e-3, 1e6)
    }

    /// What features are divided by, `[d]`: σ, but one where a feature hardly varies (σ ≤ 0.01).
    fn divisor(&self) -> Tensor<1> {
        let sigma = self.sigma();
        sigma.ones_like().mask_where(sigma.clone().greater_elem(0.01), sigma)
    }

    /// `[..., d] → [..., d]`. A feature that hardly varies (σ ≤ 0.01) is only centred, without the clamp.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let varies = self.sigma().greater_elem(0.01).unsqueeze::<D>();
        let centred = x - self.mu.val().unsqueeze();
        let scaled = (centred.clone() / self.divisor().unsqueeze()).clamp(-1e4, 1e4);
        centred.clone().mask_where(varies.expand(centred.dims()), scaled)
    }

    /// Inverse of [`forward`](Self::forward) inside the clamp.
    pub fn denormalize<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x * self.divisor().unsqueeze() + self.mu.val().unsqueeze()
    }
}
