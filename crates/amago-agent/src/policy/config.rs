//! Settings of policies.

use burn::tensor::{Tensor, activation};

/// Which distribution the actor chooses actions from. In a file: `kind = "beta"` and the settings of
/// that kind.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyConfig {
    /// By the action space: `categorical` for discrete choices, `bernoulli` for bits,
    /// `tanh_gaussian` for numbers.
    Auto {},
    /// Independent choices. For discrete and multi-discrete actions.
    Categorical(CategoricalConfig),
    /// Independent bits. For multi-binary actions. No online loss.
    Bernoulli {},
    /// Squashed Gaussians. For boxes.
    TanhGaussian(TanhGaussianConfig),
    /// Stretched Beta distributions. For boxes.
    Beta(BetaConfig),
    /// A mixture of squashed Gaussians. For boxes. No online loss.
    Gmm(GmmConfig),
}

/// Settings of [`PolicyConfig::Categorical`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalConfig {
    /// Smallest probability of a legal option before renormalising. At 0 an option can get out of reach: where
    /// its probability is zero it has no gradient.
    pub min_prob: f32,
    /// Largest probability of an option before renormalising.
    pub max_prob: f32,
    /// Temperature of the Gumbel-softmax samples of the online loss.
    pub temperature: f32,
}

impl Default for CategoricalConfig {
    fn default() -> Self {
        Self { min_prob: 0.001, max_prob: 0.99, temperature: 0.5 }
    }
}

/// How an actor output becomes a positive number between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StdActivation {
    /// `tanh` between the logarithms of the bounds.
    Tanh,
    /// `softplus` plus the lower bound, cut at the upper one.
    Softplus,
}

impl StdActivation {
    /// From raw outputs of any shape.
    pub(super) fn forward(self, raw: Tensor<4>, low: f32, high: f32) -> Tensor<4> {
        match self {
            Self::Tanh => {
                let (low, high) = (f64::from(low).ln(), f64::from(high).ln());
                ((raw.tanh() + 1.0) * (0.5 * (high - low)) + low).exp()
            }
            Self::Softplus => (activation::softplus(raw, 1.0) + low).clamp_max(high),
        }
    }
}

/// Settings of [`PolicyConfig::TanhGaussian`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TanhGaussianConfig {
    /// How the deviation is kept within its bounds.
    pub std_activation: StdActivation,
    /// Smallest deviation before squashing.
    pub std_low: f32,
    /// Largest deviation before squashing.
    pub std_high: f32,
    /// Bounds of an action whose density is asked for.
    pub clip_actions: [f32; 2],
}

impl Default for TanhGaussianConfig {
    fn default() -> Self {
        Self {
            std_activation: StdActivation::Tanh,
            std_low: (-5.0_f64).exp() as f32,
            std_high: 2.0_f64.exp() as f32,
            clip_actions: [-0.99, 0.99],
        }
    }
}

/// Settings of [`PolicyConfig::Beta`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BetaConfig {
    /// Smallest first concentration; above one the density has a single peak.
    pub alpha_low: f32,
    /// Largest first concentration.
    pub alpha_high: f32,
    /// Smallest second concentration.
    pub beta_low: f32,
    /// Largest second concentration.
    pub beta_high: f32,
    /// How the concentrations are kept within their bounds.
    pub std_activation: StdActivation,
    /// Bounds of an action whose density is asked for.
    pub clip_actions: [f32; 2],
}

impl Default for BetaConfig {
    fn default() -> Self {
        Self {
            alpha_low: 1.0001,
            alpha_high: f32::MAX,
            beta_low: 1.0001,
            beta_high: f32::MAX,
            std_activation: StdActivation::Softplus,
            clip_actions: [-0.99, 0.99],
        }
    }
}

/// Settings of [`PolicyConfig::Gmm`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GmmConfig {
    /// Number of modes.
    pub modes: usize,
    /// How the deviation is kept within its bounds.
    pub std_activation: StdActivation,
    /// Smallest deviation before squashing.
    pub std_low: f32,
    /// Largest deviation before squashing.
    pub std_high: f32,
}

impl Default for GmmConfig {
    fn default() -> Self {
        Self { modes: 5, std_activation: StdActivation::Softplus, std_low: 1e-4, std_high: f32::MAX }
    }
}

/// A policy that cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// Clamps that leave no distribution.
    #[error(
        "actor.policy.min_prob = {min} and actor.policy.max_prob = {max} must satisfy 0 <= min < max <= 1"
    )]
    ProbRange {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// Bounds that are not positive or not in order.
    #[error(
        "actor.policy.{name}_low = {low} and actor.policy.{name}_high = {high} must satisfy 0 < low < high < infinity"
    )]
    Bounds {
        /// What is bounded: the first part of both settings.
        name: &'static str,
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// A range that is laid out from end to end, but has no end.
    #[error("actor.policy.std_activation = \"tanh\" needs actor.policy.{name}_high")]
    OpenRange {
        /// What is bounded.
        name: &'static str,
    },
    /// Bounds of actions that are not inside `[-1, 1]` or not in order.
    #[error("actor.policy.clip_actions = [{low}, {high}] must satisfy -1 < low < high < 1")]
    ClipRange {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// A number that must be positive and finite is not.
    #[error("actor.policy.{name} = {value} must be a positive number")]
    NotPositive {
        /// Setting.
        name: &'static str,
        /// Its value.
        value: f32,
    },
    /// A mixture of nothing.
    #[error("actor.policy.modes must be at least 1")]
    NoModes,
    /// A policy over other actions than those of the environment.
    #[error("actor.policy.kind = \"{kind}\" cannot choose actions of {space}; use {fitting} or \"auto\"")]
    Space {
        /// The policy.
        kind: &'static str,
        /// The action space.
        space: String,
        /// Policies for it.
        fitting: &'static str,
    },
    /// The online loss needs a differentiable sample.
    #[error(
        "online_coeff = {online_coeff} needs samples with a gradient, which actor.policy.kind = \"{kind}\" \
         does not have: set online_coeff = 0 (and offline_coeff above 0){}",
        alternative(kind)
    )]
    NotDifferentiable {
        /// Weight of the online loss.
        online_coeff: f32,
        /// The policy, also where the action space chose it.
        kind: &'static str,
    },
}

/// What to use instead of a policy without differentiable samples.
fn alternative(kind: &str) -> &'static str {
    if kind == "gmm" { ", or use \"tanh_gaussian\" or \"beta\"" } else { "" }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self::Auto {}
    }
}

impl PolicyConfig {
    /// Its name in a file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Auto {} => "auto",
            Self::Categorical(_) => "categorical",
            Self::Bernoulli {} => "bernoulli",
            Self::TanhGaussian(_) => "tanh_gaussian",
            Self::Beta(_) => "beta",
            Self::Gmm(_) => "gmm",
        }
    }

    /// Refuses numbers that leave no distribution, and an online loss without differentiable samples.
    /// What `auto` stands for is known with the action space only: see
    /// [`crate::AgentConfig::policy_head`].
    pub(crate) fn validate(&self, online_coeff: f32) -> Result<(), PolicyError> {
        match self {
            Self::Auto {} | Self::Bernoulli {} => {}
            Self::Categorical(c) => {
                if !(c.min_prob >= 0.0 && c.min_prob < c.max_prob && c.max_prob <= 1.0) {
                    return Err(PolicyError::ProbRange { min: c.min_prob, max: c.max_prob });
                }
                positive("temperature", c.temperature)?;
            }
            Self::TanhGaussian(c) => {
                bounds("std", c.std_low, c.std_high, c.std_activation)?;
                clip_range(c.clip_actions)?;
            }
            Self::Beta(c) => {
                bounds("alpha", c.alpha_low, c.alpha_high, c.std_activation)?;
                bounds("beta", c.beta_low, c.beta_high, c.std_activation)?;
                clip_range(c.clip_actions)?;
            }
            Self::Gmm(c) => {
                bounds("std", c.std_low, c.std_high, c.std_activation)?;
                if c.modes == 0 {
                    return Err(PolicyError::NoModes);
                }
            }
        }
        let differentiable = !matches!(self, Self::Bernoulli {} | Self::Gmm(_));
        if online_coeff > 0.0 && !differentiable {
            return Err(PolicyError::NotDifferentiable { online_coeff, kind: self.kind() });
        }
        Ok(())
    }
}

fn positive(name: &'static str, value: f32) -> Result<(), PolicyError> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(PolicyError::NotPositive { name, value }) }
}

fn bounds(name: &'static str, low: f32, high: f32, activation: StdActivation) -> Result<(), PolicyError> {
    if !(low > 0.0 && low < high && high.is_finite()) {
        return Err(PolicyError::Bounds { name, low, high });
    }
    // The largest number stands for no bound.
    let open = activation == StdActivation::Tanh && high == f32::MAX;
    if open { Err(PolicyError::OpenRange { name }) } else { Ok(()) }
}

fn clip_range([low, high]: [f32; 2]) -> Result<(), PolicyError> {
    let usable = -1.0 < low && low < high && high < 1.0;
    if usable { Ok(()) } else { Err(PolicyError::ClipRange { low, high }) }
}
