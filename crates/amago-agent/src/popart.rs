//! Scale-free value learning (van Hasselt et al. 2016, arXiv 1602.07714).

use amago_seqmodel::{adaptive_rate, buffer, set_buffer};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::AgentConfig;

/// Running moments of the TD targets per discount, and the affine map that keeps unnormalised
/// predictions where they are when the moments move. Only this map is corrected, never the
/// critics' weights.
///
/// ```
/// use amago_agent::{AgentConfig, PopArt};
/// use burn::tensor::{Device, Tensor, Tolerance};
///
/// let device = Device::flex();
/// let config = AgentConfig { multi_gammas: Vec::new(), ..AgentConfig::amago() };
/// let mut popart = PopArt::new(&config, &device);
/// let outputs = Tensor::<3>::from_floats([[[0.5], [-0.3]]], &device);
/// let before = popart.denormalized(outputs.clone());
/// popart.update(Tensor::full([1, 2, 1], 40.0, &device), Tensor::ones([1, 2, 1], &device));
/// // The moments have moved, the predictions in return units have not.
/// let after = popart.denormalized(outputs);
/// after.into_data().assert_approx_eq::<f32>(&before.into_data(), Tolerance::absolute(1e-3));
/// ```
#[derive(Module, Debug)]
pub struct PopArt {
    mu: Param<Tensor<2>>,
    nu: Param<Tensor<2>>,
    w: Param<Tensor<2>>,
    b: Param<Tensor<2>>,
    t: Param<Tensor<2>>,
    /// Step size of the next update, where it is known already.
    rate: Option<Tensor<2>>,
    beta: f64,
    enabled: bool,
}

impl PopArt {
    /// Fresh statistics for every discount of an agent. When not enabled both maps are the identity.
    pub fn new(config: &AgentConfig, device: &Device) -> Self {
        let n_gammas = config.gammas().len();
        let full = |x: f32| buffer(Tensor::full([n_gammas, 1], x, device));
        Self {
            mu: full(0.0),
            nu: full(config.popart_init_nu),
            w: full(1.0),
            b: full(0.0),
            t: full(1.0),
            rate: None,
            beta: config.popart_beta,
            enabled: config.popart,
        }
    }

    /// Standard deviation per discount.
    ///
    /// # Shapes
    /// - output: `[G]`
    pub fn sigma(&self) -> Tensor<1> {
        sigma(self.mu.val(), self.nu.val()).squeeze_dim(1)
    }

    /// Every statistic by name, `[G]` each; none where they are not used.
    pub(crate) fn statistics(&self) -> Vec<(&'static str, Tensor<1>)> {
        let row = |x: &Param<Tensor<2>>| x.val().squeeze_dim::<1>(1);
        let all = [("mu", row(&self.mu)), ("nu", row(&self.nu)), ("w", row(&self.w)), ("b", row(&self.b))];
        let all = all.into_iter().chain([("sigma", self.sigma())]);
        if self.enabled { all.collect() } else { Vec::new() }
    }

    /// Finds out how far the next [`update`](Self::update) moves. That takes a number from the device, which would have
    /// to finish all of the forward pass first if it were asked in the middle of it.
    pub fn begin_update(&mut self) {
        if self.enabled {
            self.rate = Some(adaptive_rate(self.beta, self.t.val() + 1.0));
        }
    }

    /// Moves the statistics towards targets.
    ///
    /// # Shapes
    /// - targets: `[B, L, G]`
    /// - mask: `[B, L, 1]`, one where a transition is real
    pub fn update(&mut self, targets: Tensor<3>, mask: Tensor<3>) {
        if !self.enabled {
            return;
        }
        let g = targets.dims()[2];
        let (old_mu, old_sigma) = (self.mu.val(), sigma(self.mu.val(), self.nu.val()));
        let count = mask.clone().sum().reshape([1, 1]);
        // Padding may hold anything.
        let masked = targets.detach() * mask;
        let mean = |x: Tensor<3>| x.sum_dims(&[0, 1]).reshape([g, 1]) / count.clone();
        let t = self.t.val() + 1.0;
        let beta = self.rate.take().unwrap_or_else(|| adaptive_rate(self.beta, t.clone()));
        let keep = beta.clone().neg() + 1.0;
        let mu = self.mu.val() * keep.clone() + mean(masked.clone()) * beta.clone();
        let nu = self.nu.val() * keep + mean(masked.square()) * beta;
        let new_sigma = sigma(mu.clone(), nu.clone());
        // So that `σ (w x + b) + μ` of every output stays what it was. The paper corrects the last layer for that;
        // there is one such map here for all critics, target copies included.
        let w = self.w.val() * old_sigma.clone() / new_sigma.clone();
        let b = (old_sigma * self.b.val() + old_mu - mu.clone()) / new_sigma;
        set_buffer(&mut self.mu, mu);
        set_buffer(&mut self.nu, nu);
        set_buffer(&mut self.w, w);
        set_buffer(&mut self.b, b);
        set_buffer(&mut self.t, t);
    }

    /// Targets in normalised units: `(y − μ) / σ`.
    ///
    /// # Shapes
    /// - targets, output: `[..., G]`
    pub fn normalize_targets<const D: usize>(&self, targets: Tensor<D>) -> Tensor<D> {
        if !self.enabled {
            return targets;
        }
        (targets - row(self.mu.val())) / self.sigma().unsqueeze()
    }

    /// Network outputs in normalised units: `w x + b`.
    ///
    /// # Shapes
    /// - outputs, result: `[..., G]`
    pub fn normalized<const D: usize>(&self, outputs: Tensor<D>) -> Tensor<D> {
        if !self.enabled {
            return outputs;
        }
        outputs * row(self.w.val()) + row(self.b.val())
    }

    /// Network outputs in return units: `σ (w x + b) + μ`.
    ///
    /// # Shapes
    /// - outputs, result: `[..., G]`
    pub fn denormalized<const D: usize>(&self, outputs: Tensor<D>) -> Tensor<D> {
        if !self.enabled {
            return outputs;
        }
        self.normalized(outputs) * self.sigma().unsqueeze() + row(self.mu.val())
    }
}

fn sigma(mu: Tensor<2>, nu: Tensor<2>) -> Tensor<2> {
    // A difference of two large numbers may come out negative. At the start it is `popart_init_nu`: where
    // returns are far below ten, that blows up errors for long (docs/LOG.md, 2026-11-22, early, reward
    // scale).
    (nu - mu.square()).clamp(1e-4, 1e8).sqrt().clamp(1e-4, 1e6)
}

/// `[G, 1]` as a row for broadcasting over a last dimension of `G`.
fn row<const D: usize>(x: Tensor<2>) -> Tensor<D> {
    x.squeeze_dim::<1>(1).unsqueeze()
}
