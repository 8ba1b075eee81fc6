//! The actor head: from states to the parameters of a policy.

use amago_seqmodel::{Activation, ActivationLayer, Dense, Mlp, MlpConfig, Norm, NormKind};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::PolicyConfig;

/// Shape of the actor head.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// Layers in a row.
    #[default]
    Mlp,
    /// Residual blocks (BRO, Nauman et al. 2024, arXiv 2405.16158).
    Residual,
}

/// Settings of the actor head.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActorConfig {
    /// Shape of the head.
    pub kind: ActorKind,
    /// Hidden layers, or residual blocks.
    pub n_layers: usize,
    /// Width of the hidden layers, or between residual blocks.
    pub d_hidden: usize,
    /// Width inside a residual block.
    pub d_ff: usize,
    /// Normalisation in residual blocks.
    pub norm: NormKind,
    /// Nonlinearity.
    pub activation: Activation,
    /// Dropout after each nonlinearity of the layers in a row; with residual blocks, of those before them.
    pub dropout: f64,
    /// Distribution over actions.
    pub policy: PolicyConfig,
}

impl Default for ActorConfig {
    fn default() -> Self {
        Self {
            kind: ActorKind::Mlp,
            n_layers: 2,
            d_hidden: 256,
            d_ff: 512,
            norm: NormKind::Layer,
            activation: Activation::LeakyRelu,
            dropout: 0.0,
            policy: PolicyConfig::default(),
        }
    }
}

/// From states to the outputs of every discount.
#[derive(Module, Debug)]
pub struct Actor {
    net: ActorNet,
    n_gammas: usize,
}

/// The network of an [`Actor`].
// There are two per agent: their size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
enum ActorNet {
    Mlp(Mlp),
    Residual(ResidualNet),
}

/// `linear → act → linear`, blocks, `linear`.
#[derive(Module, Debug)]
struct ResidualNet {
    inp: Mlp,
    residual_blocks: Vec<ResidualBlock>,
    out: Dense,
}

/// `x + norm(linear(act(norm(linear(x)))))`.
#[derive(Module, Debug)]
struct ResidualBlock {
    up: Dense,
    up_norm: Norm,
    down: Dense,
    down_norm: Norm,
    activation: ActivationLayer,
}

impl ActorConfig {
    /// Builds the head for states of width `d_state` with `n_outputs` outputs per discount.
    pub fn init(&self, d_state: usize, n_gammas: usize, n_outputs: usize, device: &Device) -> Actor {
        let d_output = n_gammas * n_outputs;
        let net = match self.kind {
            ActorKind::Mlp => ActorNet::Mlp(self.mlp([d_state, d_output], self.n_layers).init(device)),
            ActorKind::Residual => ActorNet::Residual(ResidualNet {
                inp: self.mlp([d_state, self.d_hidden], 1).init(device),
                residual_blocks: (0..self.n_layers).map(|_| self.block(device)).collect(),
                out: Dense::plain(self.d_hidden, d_output, device),
            }),
        };
        Actor { net, n_gammas }
    }

    fn mlp(&self, [d_input, d_output]: [usize; 2], n_layers: usize) -> MlpConfig {
        let Self { d_hidden, activation, dropout, .. } = *self;
        MlpConfig { d_input, d_hidden, d_output, n_layers, activation, norm: NormKind::None, dropout }
    }

    fn block(&self, device: &Device) -> ResidualBlock {
        ResidualBlock {
            up: Dense::plain(self.d_hidden, self.d_ff, device),
            up_norm: self.norm.init(self.d_ff, device),
            down: Dense::plain(self.d_ff, self.d_hidden, device),
            down_norm: self.norm.init(self.d_hidden, device),
            activation: self.activation.init(device),
        }
    }
}

impl Actor {
    /// The outputs of every discount.
    ///
    /// # Shapes
    /// - state: `[B, L, D]`
    /// - output: `[B, L, G, n_outputs]`
    pub fn forward(&self, state: Tensor<3>) -> Tensor<4> {
        let [batch, len, _] = state.dims();
        let outputs = match &self.net {
            ActorNet::Mlp(net) => net.forward(state),
            ActorNet::Residual(net) => net.forward(state),
        };
        // One network for all discounts: they share everything but the last layer.
        let width = outputs.dims()[2] / self.n_gammas;
        outputs.reshape([batch, len, self.n_gammas, width])
    }
}

impl ResidualNet {
    fn forward(&self, state: Tensor<3>) -> Tensor<3> {
        let x = self.inp.forward(state);
        self.out.forward(self.residual_blocks.iter().fold(x, |x, block| x.clone() + block.forward(x)))
    }
}

impl ResidualBlock {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = self.activation.forward(self.up_norm.forward(self.up.forward(x)));
        self.down_norm.forward(self.down.forward(hidden))
    }
}
