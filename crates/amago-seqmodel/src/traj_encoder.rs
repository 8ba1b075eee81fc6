//! The choice of trajectory encoder and its rollout state.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::{FeedForwardConfig, FeedForwardEncoder, KvCache, ModelError, Transformer, TransformerConfig};

/// Which trajectory encoder, with its settings.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrajEncoderConfig {
    /// Causal Transformer: remembers.
    Transformer(TransformerConfig),
    /// Residual feed-forward blocks: no memory.
    FeedForward(FeedForwardConfig),
}

impl Default for TrajEncoderConfig {
    fn default() -> Self {
        Self::Transformer(TransformerConfig::default())
    }
}

/// Turns a sequence of encoded timesteps into one state representation per timestep.
// There is one per agent: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum TrajEncoder {
    /// Causal Transformer.
    Transformer(Transformer),
    /// No memory.
    FeedForward(FeedForwardEncoder),
}

/// What an encoder carries from step to step of a rollout. One row per environment.
// There is one per rollout: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub enum RolloutState {
    /// Cached keys and values.
    Transformer(KvCache),
    /// Nothing.
    FeedForward,
}

impl RolloutState {
    /// Forgets one row, when its episode is over.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn reset(&mut self, row: usize) {
        match self {
            Self::Transformer(cache) => cache.reset(row),
            Self::FeedForward => {}
        }
    }
}

impl TrajEncoderConfig {
    /// Refuses settings that cannot be built.
    ///
    /// # Errors
    /// Names the settings that clash.
    pub fn validate(&self) -> Result<(), ModelError> {
        match self {
            Self::Transformer(c) => c.validate(),
            Self::FeedForward(c) => c.validate(),
        }
    }

    /// Builds the encoder for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> TrajEncoder {
        match self {
            Self::Transformer(c) => TrajEncoder::Transformer(c.init(d_input, device)),
            Self::FeedForward(c) => TrajEncoder::FeedForward(c.init(d_input, device)),
        }
    }
}

impl TrajEncoder {
    /// Output width.
    pub fn d_output(&self) -> usize {
        match self {
            Self::Transformer(m) => m.d_output(),
            Self::FeedForward(m) => m.d_output(),
        }
    }

    /// Whole sequences: `x` is `[B, L, d_input]`, `times` is `[B, L]`; gives `[B, L, d_output]`.
    pub fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        match self {
            Self::Transformer(m) => m.forward_seq(x, times),
            Self::FeedForward(m) => m.forward(x),
        }
    }

    /// One new timestep per row: `x` is `[B, 1, d_input]`, `times` is `[B, 1]`; gives
    /// `[B, 1, d_output]`.
    ///
    /// # Panics
    /// When the state was made by another kind of encoder or for another number of rows.
    pub fn forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, state: &mut RolloutState) -> Tensor<3> {
        match (self, state) {
            (Self::Transformer(m), RolloutState::Transformer(cache)) => m.forward_step(x, times, cache),
            (Self::FeedForward(m), RolloutState::FeedForward) => m.forward(x),
            _ => panic!("the rollout state belongs to another kind of encoder"),
        }
    }

    /// The state before the first step of `batch` rows, with a window of `context` timesteps.
    pub fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> RolloutState {
        match self {
            Self::Transformer(m) => RolloutState::Transformer(m.cache(batch, context, device)),
            Self::FeedForward(_) => RolloutState::FeedForward,
        }
    }

    /// What a training step does before its forward pass: one power iteration of every σ-reparam
    /// linear.
    pub fn begin_update(&mut self) {
        match self {
            Self::Transformer(m) => m.power_iteration(),
            Self::FeedForward(_) => {}
        }
    }
}
