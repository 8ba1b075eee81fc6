//! The choice of trajectory encoder.

use burn::tensor::Device;

use crate::{
    FeedForwardConfig, GruConfig, Identity, MambaConfig, ModelError, TrajEncoder, TransformerConfig,
};

/// Which trajectory encoder, with its settings. In a file: `kind = "transformer"` and the options of
/// that kind.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrajEncoderConfig {
    /// Causal Transformer: remembers as far as its window reaches.
    Transformer(TransformerConfig),
    /// Gated recurrent units: a recurrent state without a window.
    Gru(GruConfig),
    /// Selective state-space model: likewise.
    Mamba(MambaConfig),
    /// Residual feed-forward blocks: no memory.
    FeedForward(FeedForwardConfig),
    /// The encoded timesteps as they are: no memory.
    Identity {},
    /// An encoder that the running program brings along; see [`TrajEncoder::new`].
    Own {
        /// A label, so that a run says what it was made with.
        name: String,
    },
}

impl Default for TrajEncoderConfig {
    fn default() -> Self {
        Self::Transformer(TransformerConfig::default())
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
            Self::Gru(c) => c.validate(),
            Self::Mamba(c) => c.validate(),
            Self::FeedForward(c) => c.validate(),
            Self::Identity {} | Self::Own { .. } => Ok(()),
        }
    }

    /// Builds the encoder for inputs of width `d_input`.
    ///
    /// # Panics
    /// For [`Own`](Self::Own), which only its program can build.
    pub fn init(&self, d_input: usize, device: &Device) -> TrajEncoder {
        match self {
            Self::Transformer(c) => TrajEncoder::new(c.init(d_input, device)),
            Self::Gru(c) => TrajEncoder::new(c.init(d_input, device)),
            Self::Mamba(c) => TrajEncoder::new(c.init(d_input, device)),
            Self::FeedForward(c) => TrajEncoder::new(c.init(d_input, device)),
            Self::Identity {} => TrajEncoder::new(Identity::new(d_input)),
            Self::Own { name } => panic!("the encoder \"{name}\" must be built by its own program"),
        }
    }
}
