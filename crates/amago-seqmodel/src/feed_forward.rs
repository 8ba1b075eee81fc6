//! A trajectory encoder without memory: what is left of a Transformer without attention.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::error::positive;
use crate::{Activation, ActivationLayer, Dense, ModelError, Norm, NormKind, Replay, SequenceEncoder};

/// Settings of the [`FeedForwardEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedForwardConfig {
    /// Width.
    pub d_model: usize,
    /// Hidden width of a block.
    pub d_ff: usize,
    /// Blocks.
    pub n_layers: usize,
    /// Nonlinearity.
    pub activation: Activation,
    /// Norm at the end of each block's input.
    pub norm: NormKind,
}

impl Default for FeedForwardConfig {
    fn default() -> Self {
        Self {
            d_model: 256,
            d_ff: 1024,
            n_layers: 1,
            activation: Activation::LeakyRelu,
            norm: NormKind::None,
        }
    }
}

/// `x + act(ff2(act(ff1(norm(x)))))`.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    norm: Norm,
    ff1: Dense,
    ff2: Dense,
    activation: ActivationLayer,
}

impl ResidualBlock {
    /// A block of width `d_model`.
    pub fn new([d_model, d_ff]: [usize; 2], norm: NormKind, activation: Activation, device: &Device) -> Self {
        Self {
            norm: norm.init(d_model, device),
            ff1: Dense::plain(d_model, d_ff, device),
            ff2: Dense::plain(d_ff, d_model, device),
            activation: activation.init(device),
        }
    }

    /// `[..., d] → [..., d]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let hidden = self.ff1.activated(self.norm.forward(x.clone()), &self.activation);
        x + self.ff2.activated(hidden, &self.activation)
    }
}

/// Linear, residual blocks, linear, layer norm.
#[derive(Module, Debug)]
pub struct FeedForwardEncoder {
    traj_emb: Dense,
    traj_blocks: Vec<ResidualBlock>,
    traj_last: Dense,
    out_norm: Norm,
    d_model: usize,
    activation: ActivationLayer,
}

impl FeedForwardConfig {
    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting that is zero.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[("d_model", self.d_model), ("d_ff", self.d_ff), ("n_layers", self.n_layers)])?;
        self.norm.validate("norm", "d_model", self.d_model)
    }

    /// Builds the encoder for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> FeedForwardEncoder {
        let d = self.d_model;
        let block = || ResidualBlock::new([d, self.d_ff], self.norm, self.activation, device);
        FeedForwardEncoder {
            traj_emb: Dense::plain(d_input, d, device),
            traj_blocks: (0..self.n_layers).map(|_| block()).collect(),
            traj_last: Dense::plain(d, d, device),
            out_norm: NormKind::Layer.init(d, device),
            d_model: d,
            activation: self.activation.init(device),
        }
    }
}

impl FeedForwardEncoder {
    /// `[..., d_input] → [..., d_model]`; every timestep by itself.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let x = self.traj_emb.activated(x, &self.activation);
        let x = self.traj_blocks.iter().fold(x, |x, block| block.forward(x));
        self.out_norm.forward(self.traj_last.forward(x))
    }
}

impl SequenceEncoder for FeedForwardEncoder {
    type State = ();

    fn d_output(&self) -> usize {
        self.d_model
    }

    fn forward_seq(&self, x: Tensor<3>, _times: Tensor<2, Int>) -> Tensor<3> {
        self.forward(x)
    }

    fn forward_step(&self, x: Tensor<3>, _times: Tensor<2, Int>, (): &mut ()) -> Tensor<3> {
        self.forward(x)
    }

    fn rollout_state(&self, _batch: usize, _context: usize, _device: &Device) {}

    fn replay(&self, _context: usize) -> Replay {
        Replay::NOTHING
    }
}
