//! The actor head.

use amago_seqmodel::{Activation, Mlp, MlpConfig, NormKind};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Settings of the actor head.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorConfig {
    /// Hidden layers.
    pub n_layers: usize,
    /// Width of the hidden layers.
    pub d_hidden: usize,
    /// Nonlinearity.
    pub activation: Activation,
    /// Smallest probability of an action before renormalising.
    pub min_prob: f32,
    /// Largest probability of an action before renormalising.
    pub max_prob: f32,
}

impl Default for ActorConfig {
    fn default() -> Self {
        Self {
            n_layers: 2,
            d_hidden: 256,
            activation: Activation::LeakyRelu,
            min_prob: 0.001,
            max_prob: 0.99,
        }
    }
}

/// MLP from state to `G × A` logits.
#[derive(Module, Debug)]
pub struct Actor {
    base: Mlp,
    n_gammas: usize,
    n_actions: usize,
}

impl ActorConfig {
    /// Builds the head.
    pub fn init(&self, d_state: usize, n_gammas: usize, n_actions: usize, device: &Device) -> Actor {
        let mlp = MlpConfig {
            d_input: d_state,
            d_hidden: self.d_hidden,
            d_output: n_gammas * n_actions,
            n_layers: self.n_layers,
            activation: self.activation,
            norm: NormKind::None,
            dropout: 0.0,
        };
        Actor { base: mlp.init(device), n_gammas, n_actions }
    }
}

impl Actor {
    /// `[B, L, D] → [B, L, G, A]`.
    pub fn forward(&self, state: Tensor<3>) -> Tensor<4> {
        let [batch, len, _] = state.dims();
        self.base.forward(state).reshape([batch, len, self.n_gammas, self.n_actions])
    }
}
