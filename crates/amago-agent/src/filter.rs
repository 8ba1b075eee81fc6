//! Weights of imitated actions by their advantage.

use std::cmp::Ordering;

use burn::tensor::Tensor;

use crate::ConfigError;

/// `f(A)` in the offline actor loss `−f(A) log π(a|s)`.
///
/// ```
/// use amago_agent::Filter;
/// use burn::tensor::{Device, Tensor};
///
/// let advantage = Tensor::<1>::from_floats([-1.0, 0.0, 2.0], &Device::flex());
/// let weight = Filter::Binary { threshold: 0.0 }.weight(advantage);
/// weight.into_data().assert_eq(&[0.0f32, 0.0, 1.0].into(), false);
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// One where `A > threshold`, else zero.
    Binary {
        /// The threshold.
        #[serde(default)]
        threshold: f32,
    },
    /// `exp(β A)`, clamped.
    Exponential {
        /// Slope in the exponent.
        #[serde(default = "one")]
        beta: f32,
        /// Smallest and largest advantage before the exponential.
        #[serde(default = "no_clamp")]
        clamp_advantage: [f32; 2],
        /// Smallest and largest weight.
        #[serde(default = "exponential_clamp")]
        clamp_weight: [f32; 2],
    },
    /// `f0 + slope·A/β` below the hinge, then `A/β`; clamped; plus the binary filter.
    LeakyRamp {
        /// Temperature.
        #[serde(default = "two")]
        beta: f32,
        /// Where the ramp begins.
        #[serde(default = "hundredth")]
        hinge: f32,
        /// Slope below the hinge, relative to above it.
        #[serde(default = "twentieth")]
        slope: f32,
        /// Weight at zero advantage.
        #[serde(default = "hundredth")]
        f0: f32,
        /// Smallest and largest weight.
        #[serde(default = "ramp_clamp")]
        clamp_weight: [f32; 2],
        /// Whether to add the binary filter.
        #[serde(default = "yes")]
        add_binary: bool,
    },
}

fn one() -> f32 {
    1.0
}
fn two() -> f32 {
    2.0
}
fn hundredth() -> f32 {
    1e-2
}
fn twentieth() -> f32 {
    0.05
}
fn yes() -> bool {
    true
}
fn no_clamp() -> [f32; 2] {
    [f32::MIN, f32::MAX]
}
fn exponential_clamp() -> [f32; 2] {
    [1e-7, f32::MAX]
}
fn ramp_clamp() -> [f32; 2] {
    [1e-7, 10.0]
}

impl Default for Filter {
    fn default() -> Self {
        Filter::Binary { threshold: 0.0 }
    }
}

impl Filter {
    /// Refuses a temperature that is not positive, and clamps without a range.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (beta, clamps) = match self {
            Filter::Binary { .. } => return Ok(()),
            Filter::Exponential { beta, clamp_advantage, clamp_weight } => {
                let clamps =
                    vec![("filter.clamp_advantage", clamp_advantage), ("filter.clamp_weight", clamp_weight)];
                (*beta, clamps)
            }
            Filter::LeakyRamp { beta, clamp_weight, .. } => {
                (*beta, vec![("filter.clamp_weight", clamp_weight)])
            }
        };
        if beta <= 0.0 || !beta.is_finite() {
            return Err(ConfigError::NotPositive { name: "filter.beta", value: beta });
        }
        // NaN has no order.
        let empty = |[low, high]: &[f32; 2]| low.partial_cmp(high).is_none_or(Ordering::is_gt);
        match clamps.into_iter().find(|(_, clamp)| empty(clamp)) {
            Some((name, [low, high])) => Err(ConfigError::Clamp { name, low: *low, high: *high }),
            None => Ok(()),
        }
    }

    /// Weight of each advantage.
    ///
    /// # Shapes
    /// - advantage, output: any one shape
    pub fn weight<const D: usize>(&self, advantage: Tensor<D>) -> Tensor<D> {
        match self {
            // Above, not at: an action as good as the policy's own teaches nothing, and near ties spread it
            // (docs/LOG.md, 2026-11-22, early, AMAGO-2 on the 3×3 lake).
            Filter::Binary { threshold } => advantage.greater_elem(*threshold).float(),
            Filter::Exponential { beta, clamp_advantage, clamp_weight } => {
                clamp((clamp(advantage, clamp_advantage) * *beta).exp(), clamp_weight)
            }
            Filter::LeakyRamp { beta, hinge, slope, f0, clamp_weight, add_binary } => {
                let above = (advantage.clone() - *hinge).clamp_min(0.0);
                let below = (advantage.clone() - *hinge).clamp_max(0.0) * *slope;
                let ramp = (above + below + *slope * *hinge) / *beta + *f0;
                let weight = clamp(ramp, clamp_weight);
                if *add_binary { weight + advantage.greater_elem(0.0).float() } else { weight }
            }
        }
    }
}

fn clamp<const D: usize>(x: Tensor<D>, [low, high]: &[f32; 2]) -> Tensor<D> {
    x.clamp(*low, *high)
}
