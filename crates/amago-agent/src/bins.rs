//! Values as classes: bins, labels and decoding.

use amago_seqmodel::{symexp, symlog};
use burn::tensor::{Device, Tensor, activation};

use crate::ConfigError;

/// Share of that Gaussian that must lie on the bins.
const LEAST_MASS: f64 = 1e-6;
/// Standard deviation of a chosen first prediction, in bin widths.
const INIT_WIDTH: f64 = 4.0;

/// How a target becomes a distribution over bins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// The two neighbouring bins, weighted by proximity.
    #[default]
    TwoHot,
    /// The mass of a Gaussian between the edges of each bin (Farebrother et al. 2024).
    HlGauss,
}

/// Settings of the bins.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BinConfig {
    /// Number of bins.
    pub count: usize,
    /// Smallest return, in units of the multiplied reward.
    pub min: f32,
    /// Largest return, in units of the multiplied reward.
    pub max: f32,
    /// Space the bins evenly in the signed logarithm of the return.
    pub symlog: bool,
    /// Kind of labels.
    pub labels: Labels,
    /// Standard deviation of the Gaussian of HL-Gauss labels, in widths of a bin.
    pub sigma: f32,
    /// First prediction of fresh critics; absent to leave it to chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_value: Option<f32>,
}

impl Default for BinConfig {
    fn default() -> Self {
        Self {
            count: 128,
            min: -1e5,
            max: 1e5,
            symlog: true,
            labels: Labels::TwoHot,
            sigma: 0.75,
            init_value: None,
        }
    }
}

impl BinConfig {
    /// One where a return is beyond the outermost bins, so that no prediction can reach it; else zero.
    ///
    /// # Shapes
    /// - returns, output: any one shape
    pub fn outside<const D: usize>(&self, returns: Tensor<D>) -> Tensor<D> {
        returns.clone().lower_elem(self.min).float() + returns.greater_elem(self.max).float()
    }

    /// Refuses bins that cannot hold a value.
    ///
    /// # Errors
    /// Names the settings that clash.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.count < 2 {
            return Err(ConfigError::BinCount(self.count));
        }
        let usable = self.min.is_finite() && self.max.is_finite() && self.min < self.max;
        if !usable {
            return Err(ConfigError::BinRange { min: self.min, max: self.max });
        }
        if !(self.sigma > 0.0 && self.sigma <= self.count as f32) {
            let range = "above 0 and at most critic.bins.count";
            return Err(ConfigError::Range { name: "critic.bins.sigma", value: self.sigma, range });
        }
        match self.init_value.filter(|value| !(self.min..=self.max).contains(value)) {
            Some(value) => Err(ConfigError::InitValue { value, min: self.min, max: self.max }),
            None => Ok(()),
        }
    }
}

/// The bins of a classification critic.
///
/// ```
/// use amago_agent::{BinConfig, Bins};
/// use burn::tensor::{Device, Tensor};
///
/// let bins = Bins::new(&BinConfig { count: 3, min: 0.0, max: 2.0, symlog: false, ..BinConfig::default() });
/// let labels = bins.encode(Tensor::<2>::from_floats([[0.5], [9.0]], &Device::flex()));
/// labels.into_data().assert_eq(&[[0.5f32, 0.5, 0.0], [0.0, 0.0, 1.0]].into(), false);
/// ```
#[derive(Debug, Clone)]
pub struct Bins {
    values: Vec<f32>,
    symlog: bool,
    labels: Labels,
    sigma: f64,
}

impl Bins {
    /// Evenly spaced between the transformed bounds.
    pub fn new(config: &BinConfig) -> Self {
        let (low, high) = (transformed(config.min, config.symlog), transformed(config.max, config.symlog));
        // In double precision: bins are rounded once, not with every step.
        let step = (high - low) / (config.count - 1) as f64;
        let values = (0..config.count).map(|i| (low + step * i as f64) as f32).collect();
        Self { values, symlog: config.symlog, labels: config.labels, sigma: f64::from(config.sigma) }
    }

    /// Number of bins.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Transformed value of each bin.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Logits whose expected value is about `value`: those of a Gaussian four bins wide around it. Near
    /// an edge it is cut off, and the expected value lies further inside.
    pub fn logits_around(&self, value: f32) -> Vec<f32> {
        let (centre, scale) = (transformed(value, self.symlog), 2.0 * (INIT_WIDTH * self.width()).powi(2));
        self.values.iter().map(|bin| (-(f64::from(*bin) - centre).powi(2) / scale) as f32).collect()
    }

    /// Expected value of logits over the last dimension, transformed back. The expectation comes first, the
    /// inverse transform after it.
    ///
    /// # Shapes
    /// - logits: `[..., bins]`
    /// - output: `[..., 1]`
    pub fn decode<const D: usize>(&self, logits: Tensor<D>) -> Tensor<D> {
        let bins = row::<D>(&self.values, &logits.device());
        self.to_return((activation::softmax(logits, D - 1) * bins).sum_dim(D - 1))
    }

    /// The return that an expected bin stands for.
    ///
    /// # Shapes
    /// - expected, output: any one shape
    pub fn to_return<const D: usize>(&self, expected: Tensor<D>) -> Tensor<D> {
        if self.symlog { symexp(expected) } else { expected }
    }

    /// Labels of targets. Those out of range go to the edge bin.
    ///
    /// # Shapes
    /// - targets: `[..., 1]`
    /// - output: `[..., bins]`
    pub fn encode<const D: usize>(&self, targets: Tensor<D>) -> Tensor<D> {
        let targets = if self.symlog { symlog(targets) } else { targets };
        match self.labels {
            Labels::TwoHot => self.two_hot(targets),
            Labels::HlGauss => self.hl_gauss(targets),
        }
    }

    fn width(&self) -> f64 {
        let last = self.values.len() - 1;
        f64::from(self.values[last] - self.values[0]) / last as f64
    }

    /// Weight `max(0, 1 − |x − bin| / width)`: non-zero for the two neighbours only.
    fn two_hot<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        // Else a target beyond the last bin would have no label at all.
        let x = x.clamp(self.values[0], self.values[self.values.len() - 1]);
        let bins = row::<D>(&self.values, &x.device());
        let distance = (x - bins).abs();
        (distance / self.width()).neg().add_scalar(1.0).clamp_min(0.0)
    }

    fn hl_gauss<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let n = self.count();
        let width = self.width() as f32;
        let edges: Vec<f32> = (0..=n).map(|i| self.values[0] + (i as f32 - 0.5) * width).collect();
        let scale = std::f64::consts::SQRT_2 * self.sigma * self.width();
        let cdf = ((row::<D>(&edges, &x.device()) - x.clone()) / scale).erf() * 0.5;
        let mass = cdf.clone().narrow(D - 1, 1, n) - cdf.narrow(D - 1, 0, n);
        let total = mass.clone().sum_dim(D - 1);
        // Far out of range hardly any mass is left on the bins, and single precision cannot resolve
        // it; its limit is all of it in the edge bin.
        let lost = total.clone().lower_elem(LEAST_MASS).expand(mass.dims());
        (mass / total).mask_where(lost, self.two_hot(x))
    }
}

fn transformed(x: f32, symlog: bool) -> f64 {
    let x = f64::from(x);
    if symlog { x.signum() * x.abs().ln_1p() } else { x }
}

fn row<const D: usize>(values: &[f32], device: &Device) -> Tensor<D> {
    Tensor::<1>::from_floats(values, device).unsqueeze()
}
