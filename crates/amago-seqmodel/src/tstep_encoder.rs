//! The choice of timestep encoder.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::{
    CnnTstepConfig, CnnTstepEncoder, FfTstepConfig, FfTstepEncoder, ModelError, ObsLayout, ObsTensors,
};

/// Which timestep encoder, with its settings.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TstepEncoderConfig {
    /// Vectors through an MLP.
    FeedForward(FfTstepConfig),
    /// Images through CNNs, vectors beside them.
    Cnn(CnnTstepConfig),
}

impl Default for TstepEncoderConfig {
    fn default() -> Self {
        Self::FeedForward(FfTstepConfig::default())
    }
}

/// Turns observation, previous reward and previous action into one vector per timestep, every timestep
/// by itself.
// There is one per agent: its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum TstepEncoder {
    /// Vectors through an MLP.
    FeedForward(FfTstepEncoder),
    /// Images through CNNs, vectors beside them.
    Cnn(CnnTstepEncoder),
}

impl TstepEncoderConfig {
    /// Refuses settings that cannot be built.
    ///
    /// # Errors
    /// Names the settings that clash.
    pub fn validate(&self) -> Result<(), ModelError> {
        match self {
            Self::FeedForward(c) => c.validate(),
            Self::Cnn(c) => c.validate(),
        }
    }

    /// Refuses observations that the encoder cannot read.
    ///
    /// # Errors
    /// Names the setting, the observation key and what to set instead.
    pub fn validate_obs(&self, obs: &ObsLayout) -> Result<(), ModelError> {
        match self {
            Self::FeedForward(c) => c.validate_obs(obs),
            Self::Cnn(c) => c.validate_obs(obs),
        }
    }

    /// Builds the encoder for observations that [`validate_obs`](Self::validate_obs) accepts and `d_rl2`
    /// features of previous reward and action.
    ///
    /// # Panics
    /// When the observations do not fit.
    pub fn init(&self, obs: &ObsLayout, d_rl2: usize, device: &Device) -> TstepEncoder {
        match self {
            Self::FeedForward(c) => TstepEncoder::FeedForward(c.init(obs, d_rl2, device)),
            Self::Cnn(c) => TstepEncoder::Cnn(c.init(obs, d_rl2, device)),
        }
    }
}

impl TstepEncoder {
    /// Output width.
    pub fn d_output(&self) -> usize {
        match self {
            Self::FeedForward(m) => m.d_output(),
            Self::Cnn(m) => m.d_output(),
        }
    }

    /// Random changes to the images of a training batch, where the encoder is set to make them. `draw(shape,
    /// n)` gives whole numbers from 0 to `n − 1`; see [`crate::shift_images`].
    ///
    /// # Shapes
    /// - draws: `[B, L, 2]` for each image key
    pub fn augment(
        &self,
        obs: ObsTensors,
        draw: impl FnMut([usize; 3], usize) -> Tensor<3, Int>,
    ) -> ObsTensors {
        match self {
            Self::FeedForward(_) => obs,
            Self::Cnn(m) => m.augment(obs, draw),
        }
    }

    /// Moves the input statistics towards a training batch. Called before the forward pass of an update.
    /// Gives the number of outliers in every column of the observation's vectors (see
    /// [`InputNorm`](crate::InputNorm)), where those are normalised.
    ///
    /// # Shapes
    /// - rl2s: `[B, L, 1+A]`
    /// - mask: `[B, L, 1]`, one where a timestep is real
    /// - output: a number for each column
    pub fn begin_update(&mut self, obs: &ObsTensors, rl2s: Tensor<3>, mask: Tensor<3>) -> Option<Tensor<1>> {
        match self {
            Self::FeedForward(m) => m.begin_update(obs, rl2s, mask),
            Self::Cnn(m) => m.begin_update(obs, mask),
        }
    }

    /// Every timestep by itself.
    ///
    /// # Shapes
    /// - rl2s: `[B, L, 1+A]`
    /// - output: `[B, L, d_output]`
    pub fn forward(&self, obs: &ObsTensors, rl2s: Tensor<3>) -> Tensor<3> {
        match self {
            Self::FeedForward(m) => m.forward(obs, rl2s),
            Self::Cnn(m) => m.forward(obs, rl2s),
        }
    }
}
