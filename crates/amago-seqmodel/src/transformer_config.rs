//! Settings of the Transformer.

use burn::nn::DropoutConfig;
use burn::tensor::Device;

use crate::error::{dropout, positive};
use crate::{
    Activation, AttentionConfig, AttentionPattern, Dense, LayerConfig, ModelError, NormKind, PositionKind,
    PositionTable, Transformer,
};

/// Settings of the [`Transformer`].
///
/// ```
/// use amago_seqmodel::{SequenceEncoder, TransformerConfig};
/// use burn::tensor::Device;
///
/// let config = TransformerConfig { d_model: 16, n_heads: 4, n_layers: 2, ..TransformerConfig::default() };
/// config.validate()?;
/// assert_eq!(config.init(5, &Device::flex()).d_output(), 16);
/// // What cannot be built is refused by name.
/// let error = TransformerConfig { n_heads: 3, ..config }.validate().unwrap_err();
/// assert_eq!(error.to_string(), "n_heads = 3 does not divide d_model = 16");
/// # Ok::<(), amago_seqmodel::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerConfig {
    /// Width.
    pub d_model: usize,
    /// Attention heads; must divide `d_model`.
    pub n_heads: usize,
    /// Hidden width of the feed-forward part.
    pub d_ff: usize,
    /// Layers.
    pub n_layers: usize,
    /// Dropout after the feed-forward part.
    pub dropout_ff: f64,
    /// Dropout on the embedding.
    pub dropout_emb: f64,
    /// Dropout on the attention weights.
    pub dropout_attn: f64,
    /// Dropout on queries, keys and values.
    pub dropout_qkv: f64,
    /// Nonlinearity.
    pub activation: Activation,
    /// Kind of all norms.
    pub norm: NormKind,
    /// σ-reparam in the linear layers.
    pub sigma_reparam: bool,
    /// The two extra norms per layer.
    pub normformer_norms: bool,
    /// Learned scale per head.
    pub head_scaling: bool,
    /// How timesteps are told apart.
    pub pos_emb: PositionKind,
    /// Size of the table of `pos_emb = "learned"`: above the longest episode. A run whose task is longer is refused;
    /// should later timesteps come all the same, as from foreign data, they share the last vector.
    pub max_time: usize,
    /// A timestep attends to itself and this many before it; 0 for all of them.
    pub window_size: usize,
    /// First timesteps that stay visible beside the window: those of the episode when acting, those
    /// of the sampled slice when learning. 0 for none.
    pub sink_size: usize,
    /// Added to the attention scores of the sinks.
    pub sink_bias: f64,
    /// Largest absolute attention score; 0 for no limit.
    pub logit_clip: f64,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            d_model: 256,
            n_heads: 8,
            d_ff: 1024,
            n_layers: 3,
            dropout_ff: 0.05,
            dropout_emb: 0.05,
            dropout_attn: 0.0,
            dropout_qkv: 0.0,
            activation: Activation::LeakyRelu,
            norm: NormKind::Layer,
            sigma_reparam: true,
            normformer_norms: true,
            head_scaling: true,
            pos_emb: PositionKind::Fixed,
            max_time: 1024,
            window_size: 0,
            sink_size: 0,
            sink_bias: 0.0,
            logit_clip: 0.0,
        }
    }
}

impl TransformerConfig {
    /// Refuses shapes that cannot be built and settings that would do nothing.
    ///
    /// # Errors
    /// Names the settings that clash.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[
            ("d_model", self.d_model),
            ("n_heads", self.n_heads),
            ("d_ff", self.d_ff),
            ("n_layers", self.n_layers),
            ("max_time", self.max_time),
        ])?;
        let (n_heads, d_model) = (self.n_heads, self.d_model);
        if !d_model.is_multiple_of(n_heads) {
            return Err(ModelError::Heads { n_heads, d_model });
        }
        if self.pos_emb == PositionKind::Fixed && !d_model.is_multiple_of(2) {
            return Err(ModelError::OddWidth(d_model));
        }
        if self.pos_emb == PositionKind::Rope && !(d_model / n_heads).is_multiple_of(2) {
            return Err(ModelError::OddHead { n_heads, d_model });
        }
        dropout(&[
            ("dropout_ff", self.dropout_ff),
            ("dropout_emb", self.dropout_emb),
            ("dropout_attn", self.dropout_attn),
            ("dropout_qkv", self.dropout_qkv),
        ])?;
        self.validate_pattern()?;
        self.norm.validate("norm", "d_model", self.d_model)?;
        self.norm.validate("norm", "d_ff", self.d_ff)
    }

    fn validate_pattern(&self) -> Result<(), ModelError> {
        if self.sink_size > 0 && self.window_size == 0 {
            return Err(ModelError::SinksWithoutWindow(self.sink_size));
        }
        if self.sink_bias != 0.0 && self.sink_size == 0 {
            return Err(ModelError::BiasWithoutSinks(self.sink_bias.to_string()));
        }
        let bias = ("sink_bias", self.sink_bias, self.sink_bias.is_finite());
        let clip = ("logit_clip", self.logit_clip, self.logit_clip.is_finite() && self.logit_clip >= 0.0);
        match [bias, clip].into_iter().find(|(_, _, legal)| !legal) {
            Some((name, value, _)) => Err(ModelError::Score { name, value: value.to_string() }),
            None => Ok(()),
        }
    }

    /// Settings of one layer.
    pub fn layer(&self) -> LayerConfig {
        LayerConfig {
            attention: AttentionConfig {
                d_model: self.d_model,
                n_heads: self.n_heads,
                head_scaling: self.head_scaling,
                sigma_reparam: self.sigma_reparam,
                dropout_qkv: self.dropout_qkv,
                dropout_attn: self.dropout_attn,
                pattern: self.pattern(),
            },
            d_ff: self.d_ff,
            activation: self.activation,
            norm: self.norm,
            normformer_norms: self.normformer_norms,
            dropout_ff: self.dropout_ff,
        }
    }

    /// Which keys a query sees.
    pub fn pattern(&self) -> AttentionPattern {
        AttentionPattern {
            window_size: self.window_size,
            sink_size: self.sink_size,
            sink_bias: self.sink_bias,
            logit_clip: self.logit_clip,
        }
    }

    /// Builds the model for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> Transformer {
        let layer = self.layer();
        let learned = self.pos_emb == PositionKind::Learned;
        Transformer {
            position_embedding: learned.then(|| PositionTable::new(self.max_time, self.d_model, device)),
            inp: Dense::plain(d_input, self.d_model, device),
            layers: (0..self.n_layers).map(|_| layer.init(device)).collect(),
            norm: self.norm.init(self.d_model, device),
            dropout: DropoutConfig::new(self.dropout_emb).init(),
            n_heads: self.n_heads,
            d_model: self.d_model,
            pos_emb: self.pos_emb,
            pattern: self.pattern(),
        }
    }
}
