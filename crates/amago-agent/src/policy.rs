//! Policies: distributions over action vectors, one per state and discount.

mod bernoulli;
mod beta;
mod categorical;
mod config;
mod gaussian;
mod gmm;
mod head;
mod special;

use burn::tensor::Tensor;

pub use bernoulli::Bernoulli;
pub use beta::Beta;
pub use categorical::Categorical;
pub use config::{
    BetaConfig, CategoricalConfig, GmmConfig, PolicyConfig, PolicyError, StdActivation, TanhGaussianConfig,
};
pub use gaussian::TanhGaussian;
pub use gmm::Gmm;
pub use head::PolicyHead;

use crate::{Draws, NoiseSource, Purpose};

/// A distribution over action vectors `[A]` in every state and for every discount, `[B, L, G]`.
///
/// | kind | action vector | entropy | samples with gradient |
/// |---|---|---|---|
/// | categorical | one-hot, one block per choice | exact | straight-through Gumbel-softmax |
/// | Bernoulli | bits | exact | none |
/// | tanh-Gaussian | numbers in `[-1, 1]` | estimate | location and scale |
/// | Beta | numbers in `[-1, 1]` | estimate | implicit |
/// | mixture of tanh-Gaussians | numbers in `[-1, 1]` | estimate | none |
///
/// ```
/// use amago_agent::{PolicyConfig, PolicyHead, RandomDraws};
/// use amago_env::Space;
/// use burn::tensor::{Device, Tensor};
///
/// // What `auto` stands for follows from the space.
/// let head = PolicyHead::new(&PolicyConfig::default(), &Space::Discrete { n: 3 })?;
/// let outputs = Tensor::<4>::from_floats([[[[0.0, 2.0, 1.0]]]], &Device::flex());
/// let policy = head.policy(outputs, None);
/// policy.greedy().into_data().assert_eq(&[[[[0.0f32, 1.0, 0.0]]]].into(), false);
/// assert_eq!(policy.sample(5, &mut RandomDraws).dims(), [5, 1, 1, 1, 3]);
/// assert!(policy.log_prob(policy.greedy()).into_scalar::<f32>() < 0.0);
/// # Ok::<(), amago_agent::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub enum Policy {
    /// Independent discrete choices.
    Categorical(Categorical),
    /// Independent bits.
    Bernoulli(Bernoulli),
    /// Independent Gaussians, squashed.
    TanhGaussian(TanhGaussian),
    /// Independent Beta distributions, stretched.
    Beta(Beta),
    /// A mixture of Gaussians, squashed.
    Gmm(Gmm),
}

/// The same expression for every kind.
macro_rules! each {
    ($policy:expr, $p:ident => $call:expr) => {
        match $policy {
            Policy::Categorical($p) => $call,
            Policy::Bernoulli($p) => $call,
            Policy::TanhGaussian($p) => $call,
            Policy::Beta($p) => $call,
            Policy::Gmm($p) => $call,
        }
    };
}

impl Policy {
    /// `[B, L, G, A]`.
    pub fn dims(&self) -> [usize; 4] {
        each!(self, p => p.dims())
    }

    /// The same after an operation on all parameters, which are `[B, L, G, ·]`.
    fn map(&self, f: &dyn Fn(Tensor<4>) -> Tensor<4>) -> Self {
        match self {
            Self::Categorical(p) => Self::Categorical(p.map(f)),
            Self::Bernoulli(p) => Self::Bernoulli(p.map(f)),
            Self::TanhGaussian(p) => Self::TanhGaussian(p.map(f)),
            Self::Beta(p) => Self::Beta(p.map(f)),
            Self::Gmm(p) => Self::Gmm(p.map(f)),
        }
    }

    /// The policy in `len` timesteps from `start` on.
    pub fn timesteps(&self, start: usize, len: usize) -> Self {
        self.map(&|x| x.narrow(1, start, len))
    }

    /// The policy of one discount alone; `G` becomes one.
    pub fn discount(&self, index: usize) -> Self {
        self.map(&|x| x.narrow(2, index, 1))
    }

    /// The policy without gradient.
    pub fn detach(&self) -> Self {
        self.map(&Tensor::detach)
    }

    /// What [`Policy::log_prob`] adds up: one term per entry of the action, except for mixtures, which have
    /// one for the whole action. Of one-hot blocks the entry taken counts; bits are not divided by their
    /// number yet.
    ///
    /// # Shapes
    /// - actions: `[B, L, G, A]`
    /// - output: `[B, L, G, A]`, of mixtures `[B, L, G, 1]`
    pub fn log_prob_terms(&self, actions: Tensor<4>) -> Tensor<4> {
        each!(self, p => p.log_prob_terms(actions))
    }

    /// Log-probability or log-density of actions. Of bits it is the mean instead of the sum, as in the original.
    ///
    /// # Shapes
    /// - actions: `[B, L, G, A]`
    /// - output: `[B, L, G]`
    pub fn log_prob(&self, actions: Tensor<4>) -> Tensor<3> {
        let terms = self.log_prob_terms(actions);
        match self {
            Self::Bernoulli(_) => terms.mean_dim(3).squeeze_dim(3),
            _ => terms.sum_dim(3).squeeze_dim(3),
        }
    }

    /// Entropy in nats, without gradient: exact where it has a simple form, else minus the log-density of one sample.
    ///
    /// # Shapes
    /// - output: `[B, L, G]`
    pub fn entropy(&self, draws: &mut dyn Draws) -> Tensor<3> {
        let policy = self.detach();
        match &policy {
            Self::Categorical(p) => p.entropy(),
            Self::Bernoulli(p) => p.entropy(),
            _ => {
                let sample = draws.actions(&policy, 1, Purpose::Entropy).squeeze_dim(0);
                policy.log_prob(sample).neg()
            }
        }
    }

    /// `k` independent actions without gradient.
    ///
    /// # Shapes
    /// - output: `[K, B, L, G, A]`
    pub fn sample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        let policy = self.detach();
        each!(&policy, p => p.sample(k, noise))
    }

    /// `k` independent actions whose gradient reaches the parameters.
    ///
    /// # Shapes
    /// - output: `[K, B, L, G, A]`
    ///
    /// # Panics
    /// For the kinds that have none; [`crate::AgentConfig::policy_head`] refuses them where the loss
    /// needs them.
    pub fn rsample(&self, k: usize, noise: &mut dyn NoiseSource) -> Tensor<5> {
        match self {
            Self::Categorical(p) => p.rsample(k, noise),
            Self::TanhGaussian(p) => p.rsample(k, noise),
            Self::Beta(p) => p.rsample(k, noise),
            Self::Bernoulli(_) | Self::Gmm(_) => panic!("this policy has no differentiable samples"),
        }
    }

    /// The action to take without chance: the likeliest option of each choice, bits that are likelier set
    /// than not, else the mean (of tanh policies that before squashing).
    ///
    /// # Shapes
    /// - output: `[B, L, G, A]`
    pub fn greedy(&self) -> Tensor<4> {
        each!(self, p => p.greedy())
    }
}
