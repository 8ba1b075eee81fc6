//! The causal Transformer over timesteps.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor};

use crate::attention::AttentionConfig;
use crate::error::{dropout, positive};
use crate::kv_cache::KvCacheShape;
use crate::layer::LayerConfig;
use crate::{Activation, Dense, KvCache, ModelError, Norm, NormKind, TransformerLayer, sinusoid};

/// Settings of the [`Transformer`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
        }
    }
}

/// Linear input plus positions, layers, final norm.
#[derive(Module, Debug)]
pub struct Transformer {
    inp: Dense,
    layers: Vec<TransformerLayer>,
    norm: Norm,
    dropout: Dropout,
    n_heads: usize,
    d_model: usize,
}

impl TransformerConfig {
    /// Refuses shapes that cannot be built.
    ///
    /// # Errors
    /// Names the settings that clash.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[
            ("d_model", self.d_model),
            ("n_heads", self.n_heads),
            ("d_ff", self.d_ff),
            ("n_layers", self.n_layers),
        ])?;
        if !self.d_model.is_multiple_of(self.n_heads) {
            return Err(ModelError::Heads { n_heads: self.n_heads, d_model: self.d_model });
        }
        if !self.d_model.is_multiple_of(2) {
            return Err(ModelError::OddWidth(self.d_model));
        }
        dropout(&[
            ("dropout_ff", self.dropout_ff),
            ("dropout_emb", self.dropout_emb),
            ("dropout_attn", self.dropout_attn),
            ("dropout_qkv", self.dropout_qkv),
        ])?;
        self.norm.validate(self.d_model)?;
        self.norm.validate(self.d_ff)
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
            },
            d_ff: self.d_ff,
            activation: self.activation,
            norm: self.norm,
            normformer_norms: self.normformer_norms,
            dropout_ff: self.dropout_ff,
        }
    }

    /// Builds the model for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> Transformer {
        let layer = self.layer();
        Transformer {
            inp: Dense::plain(d_input, self.d_model, device),
            layers: (0..self.n_layers).map(|_| layer.init(device)).collect(),
            norm: self.norm.init(self.d_model, device),
            dropout: DropoutConfig::new(self.dropout_emb).init(),
            n_heads: self.n_heads,
            d_model: self.d_model,
        }
    }
}

impl Transformer {
    /// Output width.
    pub fn d_output(&self) -> usize {
        self.d_model
    }

    /// Whole sequences: `x` is `[B, L, d_input]`, `times` the global timesteps `[B, L]`; the result
    /// is `[B, L, d_model]`. Right padding needs no mask: attention is causal.
    pub fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        let x = self.layers.iter().fold(self.embed(x, times), |x, layer| layer.forward_seq(x));
        self.norm.forward(x)
    }

    /// One new timestep per row: `x` is `[B, 1, d_input]`, `times` is `[B, 1]`.
    pub fn forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<3> {
        cache.begin_step();
        let mut x = self.embed(x, times);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward_step(x, i, cache);
        }
        cache.end_step();
        self.norm.forward(x)
    }

    /// An empty cache for `batch` rows and a window of `context` timesteps.
    pub fn cache(&self, batch: usize, context: usize, device: &Device) -> KvCache {
        let shape = KvCacheShape {
            batch,
            capacity: context,
            n_layers: self.layers.len(),
            n_heads: self.n_heads,
            head_size: self.d_model / self.n_heads,
        };
        KvCache::new(shape, device)
    }

    /// One step of power iteration in every σ-reparam linear.
    pub fn power_iteration(&mut self) {
        self.layers.iter_mut().for_each(TransformerLayer::power_iteration);
    }

    fn embed(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        let positions = sinusoid(times, self.d_model, &x.device());
        self.dropout.forward(self.inp.forward(x) + positions)
    }
}
