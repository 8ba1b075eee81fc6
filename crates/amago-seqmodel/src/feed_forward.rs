//! A trajectory encoder without memory: what is left of a Transformer without attention.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor};

use crate::dropout::drop_out;
use crate::error::{dropout, positive};
use crate::mlp::hidden;
use crate::{Activation, ActivationLayer, Dense, ModelError, Norm, NormKind, Replay, SequenceEncoder};

/// Settings of the [`FeedForwardEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeedForwardConfig {
    /// Width.
    pub d_model: usize,
    /// Hidden width of a block; four times `d_model` when absent.
    pub d_ff: Option<usize>,
    /// Blocks.
    pub n_layers: usize,
    /// Dropout after each nonlinearity and after the norm of the output.
    pub dropout: f64,
    /// Nonlinearity.
    pub activation: Activation,
    /// Norm before each nonlinearity of a block.
    pub norm: NormKind,
    /// Norm of the output.
    pub out_norm: NormKind,
    /// σ-reparam in the linear layers.
    pub sigma_reparam: bool,
}

impl Default for FeedForwardConfig {
    fn default() -> Self {
        Self {
            d_model: 256,
            d_ff: None,
            n_layers: 1,
            dropout: 0.0,
            activation: Activation::LeakyRelu,
            norm: NormKind::None,
            out_norm: NormKind::Layer,
            sigma_reparam: false,
        }
    }
}

/// `x + h2` with `h1 = dropout(act(norm1(ff1(x))))` and `h2 = dropout(act(norm2(ff2(h1))))`.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    ff1: Dense,
    norm1: Norm,
    ff2: Dense,
    norm2: Norm,
    dropout: Dropout,
    activation: ActivationLayer,
}

impl ResidualBlock {
    /// The block with its input added.
    ///
    /// # Shapes
    /// - x, output: `[..., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let h = hidden(x.clone(), &self.ff1, &self.norm1, &self.activation, &self.dropout);
        x + hidden(h, &self.ff2, &self.norm2, &self.activation, &self.dropout)
    }
}

/// Linear, residual blocks, linear, norm.
#[derive(Module, Debug)]
pub struct FeedForwardEncoder {
    traj_emb: Dense,
    traj_blocks: Vec<ResidualBlock>,
    traj_last: Dense,
    out_norm: Norm,
    d_model: usize,
    dropout: Dropout,
    activation: ActivationLayer,
}

impl FeedForwardConfig {
    /// Hidden width of a block, chosen or not.
    pub fn width_of_blocks(&self) -> usize {
        self.d_ff.unwrap_or(4 * self.d_model)
    }

    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting that is zero, drops everything or does not fit its norm.
    pub fn validate(&self) -> Result<(), ModelError> {
        let d_ff = self.width_of_blocks();
        positive(&[("d_model", self.d_model), ("d_ff", d_ff), ("n_layers", self.n_layers)])?;
        dropout(&[("dropout", self.dropout)])?;
        self.norm.validate("norm", "d_ff", d_ff)?;
        self.norm.validate("norm", "d_model", self.d_model)?;
        self.out_norm.validate("out_norm", "d_model", self.d_model)
    }

    /// Builds the encoder for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> FeedForwardEncoder {
        let d = self.d_model;
        let linear = |dims| Dense::new(self.sigma_reparam, dims, true, device);
        FeedForwardEncoder {
            traj_emb: linear([d_input, d]),
            traj_blocks: (0..self.n_layers).map(|_| self.block(device)).collect(),
            traj_last: linear([d, d]),
            out_norm: self.out_norm.init(d, device),
            d_model: d,
            dropout: DropoutConfig::new(self.dropout).init(),
            activation: self.activation.init(device),
        }
    }

    /// Builds one block.
    pub fn block(&self, device: &Device) -> ResidualBlock {
        let (d, d_ff) = (self.d_model, self.width_of_blocks());
        ResidualBlock {
            ff1: Dense::new(self.sigma_reparam, [d, d_ff], true, device),
            norm1: self.norm.init(d_ff, device),
            ff2: Dense::new(self.sigma_reparam, [d_ff, d], true, device),
            norm2: self.norm.init(d, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            activation: self.activation.init(device),
        }
    }
}

impl FeedForwardEncoder {
    /// Every timestep by itself.
    ///
    /// # Shapes
    /// - x: `[..., d_input]`
    /// - output: `[..., d_model]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let x = drop_out(self.traj_emb.activated(x, &self.activation), &self.dropout);
        let x = self.traj_blocks.iter().fold(x, |x, block| block.forward(x));
        drop_out(self.out_norm.forward(self.traj_last.forward(x)), &self.dropout)
    }

    /// Every linear layer.
    fn linears(&mut self) -> impl Iterator<Item = &mut Dense> {
        let blocks = self.traj_blocks.iter_mut().flat_map(|block| [&mut block.ff1, &mut block.ff2]);
        [&mut self.traj_emb, &mut self.traj_last].into_iter().chain(blocks)
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

    fn for_acting(&self) -> Self {
        let mut copy = self.valid();
        copy.linears().for_each(Dense::settle);
        copy
    }

    fn begin_update(&mut self) {
        self.linears().for_each(Dense::power_iteration);
    }
}
