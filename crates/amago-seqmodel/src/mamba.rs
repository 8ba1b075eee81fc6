//! The Mamba trajectory encoder.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::encoder::{read_row, write_row};
use crate::error::positive;
use crate::mamba_block::{BlockState, MambaBlock};
use crate::{Dense, EncoderState, ModelError, Norm, NormKind, SequenceEncoder};

/// Settings of the [`MambaEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MambaConfig {
    /// Width.
    pub d_model: usize,
    /// States per channel.
    pub d_state: usize,
    /// Timesteps that the convolution joins.
    pub d_conv: usize,
    /// Channels of a block per feature of the model.
    pub expand: usize,
    /// Blocks.
    pub n_layers: usize,
    /// Kind of all norms.
    pub norm: NormKind,
}

impl Default for MambaConfig {
    fn default() -> Self {
        Self { d_model: 256, d_state: 16, d_conv: 4, expand: 2, n_layers: 3, norm: NormKind::Layer }
    }
}

/// `x + mamba(norm(x))`.
#[derive(Module, Debug)]
struct ResidualMamba {
    norm: Norm,
    mamba: MambaBlock,
}

/// Linear input, residual blocks, final norm.
#[derive(Module, Debug)]
pub struct MambaEncoder {
    inp: Dense,
    mambas: Vec<ResidualMamba>,
    out_norm: Norm,
    d_model: usize,
}

/// State of every block.
#[derive(Debug, Clone)]
pub struct MambaState(Vec<BlockState>);

impl MambaConfig {
    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting that is zero or does not fit its norm.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[
            ("d_model", self.d_model),
            ("d_state", self.d_state),
            ("d_conv", self.d_conv),
            ("expand", self.expand),
            ("n_layers", self.n_layers),
        ])?;
        self.norm.validate("norm", "d_model", self.d_model)
    }

    /// Builds the encoder for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> MambaEncoder {
        let block = |_| ResidualMamba {
            norm: self.norm.init(self.d_model, device),
            mamba: MambaBlock::new(self, device),
        };
        MambaEncoder {
            inp: Dense::plain(d_input, self.d_model, device),
            mambas: (0..self.n_layers).map(block).collect(),
            out_norm: self.norm.init(self.d_model, device),
            d_model: self.d_model,
        }
    }
}

impl SequenceEncoder for MambaEncoder {
    type State = MambaState;

    fn d_output(&self) -> usize {
        self.d_model
    }

    /// A parallel scan over time; it keeps some six numbers per timestep, channel and state of every block
    /// for the backward pass.
    fn forward_seq(&self, x: Tensor<3>, _times: Tensor<2, Int>) -> Tensor<3> {
        let block = |x: Tensor<3>, b: &ResidualMamba| x.clone() + b.mamba.forward_seq(b.norm.forward(x));
        self.out_norm.forward(self.mambas.iter().fold(self.inp.forward(x), block))
    }

    fn forward_step(&self, x: Tensor<3>, _times: Tensor<2, Int>, state: &mut MambaState) -> Tensor<3> {
        let blocks = self.mambas.iter().zip(&mut state.0);
        let step = |x: Tensor<3>, (b, state): (&ResidualMamba, &mut BlockState)| {
            x.clone() + b.mamba.forward_step(b.norm.forward(x), state)
        };
        self.out_norm.forward(blocks.fold(self.inp.forward(x), step))
    }

    /// There is no window: the state forgets only what it learns to.
    fn rollout_state(&self, batch: usize, _context: usize, device: &Device) -> MambaState {
        MambaState(self.mambas.iter().map(|b| b.mamba.state(batch, device)).collect())
    }
}

impl EncoderState for MambaState {
    fn reset(&mut self, row: usize) {
        for BlockState { inputs, hidden } in &mut self.0 {
            for state in [inputs, hidden] {
                state.inplace(|s| s.slice_fill(row..row + 1, 0.0));
            }
        }
    }

    fn row(&self, row: usize) -> Option<Vec<f32>> {
        let mut values = Vec::new();
        for BlockState { inputs, hidden } in &self.0 {
            [inputs, hidden].into_iter().for_each(|state| read_row(state, row, &mut values));
        }
        Some(values)
    }

    fn set_row(&mut self, row: usize, mut values: &[f32]) {
        for BlockState { inputs, hidden } in &mut self.0 {
            [inputs, hidden].into_iter().for_each(|state| write_row(state, row, &mut values));
        }
    }
}
