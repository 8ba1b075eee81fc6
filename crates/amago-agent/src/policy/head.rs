//! From actor outputs to policies, in one action space.

use amago_env::Space;
use burn::tensor::Tensor;

use super::{
    Bernoulli, Beta, Categorical, CategoricalConfig, Gmm, Policy, PolicyConfig, PolicyError, TanhGaussian,
    TanhGaussianConfig, categorical,
};
use crate::AgentConfig;

/// A policy's settings settled for an action space. Stateless: all weights are the actor's.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyHead {
    /// Never `auto`.
    config: PolicyConfig,
    space: Space,
}

impl AgentConfig {
    /// The policy that this agent has in an action space.
    ///
    /// # Errors
    /// When its kind is for other actions, or the online loss has weight and the kind has no samples
    /// with a gradient.
    pub fn policy_head(&self, space: &Space) -> Result<PolicyHead, PolicyError> {
        let head = PolicyHead::new(&self.actor.policy, space)?;
        head.config.validate(self.online_coeff)?;
        Ok(head)
    }
}

impl PolicyHead {
    /// Settles `auto`.
    ///
    /// # Errors
    /// When the kind is for other actions.
    pub fn new(config: &PolicyConfig, space: &Space) -> Result<Self, PolicyError> {
        use PolicyConfig as P;
        let config = match (config, space) {
            (P::Auto {}, Space::Discrete { .. } | Space::MultiDiscrete { .. }) => {
                P::Categorical(CategoricalConfig::default())
            }
            (P::Auto {}, Space::MultiBinary { .. }) => P::Bernoulli {},
            (P::Auto {}, Space::Box(_)) => P::TanhGaussian(TanhGaussianConfig::default()),
            (P::Categorical(_), Space::Discrete { .. } | Space::MultiDiscrete { .. })
            | (P::Bernoulli {}, Space::MultiBinary { .. })
            | (P::TanhGaussian(_) | P::Beta(_) | P::Gmm(_), Space::Box(_)) => config.clone(),
            _ => {
                let fitting = match space {
                    Space::Discrete { .. } | Space::MultiDiscrete { .. } => "\"categorical\"",
                    Space::MultiBinary { .. } => "\"bernoulli\"",
                    Space::Box(_) => "\"tanh_gaussian\", \"beta\", \"gmm\"",
                };
                return Err(PolicyError::Space { kind: config.kind(), space: space.to_string(), fitting });
            }
        };
        Ok(Self { config, space: space.clone() })
    }

    /// Actor outputs per discount.
    pub fn n_outputs(&self) -> usize {
        let a = self.space.width();
        match &self.config {
            PolicyConfig::TanhGaussian(_) | PolicyConfig::Beta(_) => 2 * a,
            PolicyConfig::Gmm(c) => c.modes * (2 * a + 1),
            _ => a,
        }
    }

    /// The policy of actor outputs. `mask` is one where an option is legal; only discrete choices look at it.
    ///
    /// # Shapes
    /// - outputs: `[B, L, G, n_outputs]`
    /// - mask: `[B, L, A]`
    pub fn policy(&self, outputs: Tensor<4>, mask: Option<Tensor<3>>) -> Policy {
        match &self.config {
            PolicyConfig::Categorical(config) => {
                let legal = mask.map(|mask| self.legal(mask, outputs.dims()[2]));
                Policy::Categorical(Categorical::new(outputs, legal, self.choices(), config))
            }
            PolicyConfig::TanhGaussian(config) => Policy::TanhGaussian(TanhGaussian::new(outputs, config)),
            PolicyConfig::Beta(config) => Policy::Beta(Beta::new(outputs, config)),
            PolicyConfig::Gmm(config) => Policy::Gmm(Gmm::new(outputs, config)),
            PolicyConfig::Bernoulli {} | PolicyConfig::Auto {} => Policy::Bernoulli(Bernoulli::new(outputs)),
        }
    }

    /// Actions of a buffer within what a policy can give. Padding may hold anything.
    ///
    /// # Shapes
    /// - actions, output: any one shape
    pub fn in_range<const D: usize>(&self, actions: Tensor<D>) -> Tensor<D> {
        match self.space {
            Space::Box(_) => actions.clamp(-1.0, 1.0),
            _ => actions.clamp(0.0, 1.0),
        }
    }

    /// Actions of a buffer as the critics see them: one-hot vectors are softened like the policy's own probabilities.
    ///
    /// # Shapes
    /// - actions, output: `[B, L, G, A]`
    /// - mask: `[B, L, A]`
    pub fn for_critics(&self, actions: Tensor<4>, mask: Option<Tensor<3>>) -> Tensor<4> {
        let actions = self.in_range(actions);
        let PolicyConfig::Categorical(config) = &self.config else { return actions };
        let legal = mask.map(|mask| self.legal(mask, actions.dims()[2]));
        categorical::soften(actions, legal.as_ref(), self.choices(), config)
    }

    /// The options of the largest choice, and the largest probability that one of them can have where all are legal:
    /// what the floor of the others leaves. Absent where actions are no choices.
    pub fn largest_prob(&self) -> Option<(usize, f32)> {
        let PolicyConfig::Categorical(CategoricalConfig { min_prob, max_prob, .. }) = &self.config else {
            return None;
        };
        let options = *self.choices().iter().max()?;
        Some((options, max_prob / (max_prob + min_prob * (options - 1) as f32)))
    }

    fn legal(&self, mask: Tensor<3>, n_gammas: usize) -> Tensor<4> {
        categorical::legal(mask, n_gammas, self.choices())
    }

    fn choices(&self) -> &[usize] {
        self.space.choices().unwrap_or_default()
    }
}
