//! One Transformer layer: pre-norm with the extra norms of NormFormer (arXiv 2110.09456).

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};

use crate::dropout::drop_out;
use crate::{
    Activation, ActivationLayer, AttentionConfig, AttentionLayer, Dense, KvCache, Norm, NormKind, Rotation,
};

/// `x + norm2(attn(norm1(x)))`, then `x + dropout(ff2(norm4(act(ff1(norm3(x))))))`.
#[derive(Module, Debug)]
pub struct TransformerLayer {
    attention_layer: AttentionLayer,
    ff1: Dense,
    ff2: Dense,
    norm1: Norm,
    norm2: Norm,
    norm3: Norm,
    norm4: Norm,
    dropout_ff: Dropout,
    activation: ActivationLayer,
}

/// Shape of a [`TransformerLayer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerConfig {
    /// The attention part.
    pub attention: AttentionConfig,
    /// Hidden width of the feed-forward part.
    pub d_ff: usize,
    /// Nonlinearity of the feed-forward part.
    pub activation: Activation,
    /// Kind of all norms.
    pub norm: NormKind,
    /// Whether the two extra norms exist.
    pub normformer_norms: bool,
    /// Dropout after the feed-forward part.
    pub dropout_ff: f64,
}

impl LayerConfig {
    /// Builds the layer.
    pub fn init(&self, device: &Device) -> TransformerLayer {
        let d = self.attention.d_model;
        let sigma = self.attention.sigma_reparam;
        let extra = if self.normformer_norms { self.norm } else { NormKind::None };
        TransformerLayer {
            attention_layer: self.attention.init(device),
            ff1: Dense::new(sigma, [d, self.d_ff], true, device),
            ff2: Dense::new(sigma, [self.d_ff, d], true, device),
            norm1: self.norm.init(d, device),
            norm2: extra.init(d, device),
            norm3: self.norm.init(d, device),
            norm4: extra.init(self.d_ff, device),
            dropout_ff: DropoutConfig::new(self.dropout_ff).init(),
            activation: self.activation.init(device),
        }
    }
}

impl TransformerLayer {
    /// Whole sequences. With rotary positions, the rotation of every timestep.
    ///
    /// # Shapes
    /// - x, output: `[B, L, D]`
    pub fn forward_seq(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
        let attended = self.attention_layer.forward_seq(self.norm1.forward(x.clone()), rotation);
        self.feed_forward(x + self.norm2.forward(attended))
    }

    /// [`AttentionLayer::weights`] of what the layer attends over.
    ///
    /// # Shapes
    /// - x: `[B, L, D]`
    /// - output: `[B, H, L, L]`
    pub fn attention(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<4> {
        self.attention_layer.weights(self.norm1.forward(x), rotation)
    }

    /// One new timestep per row.
    ///
    /// # Shapes
    /// - x, output: `[B, 1, D]`
    pub fn forward_step(
        &self,
        x: Tensor<3>,
        rotation: Option<&Rotation>,
        layer: usize,
        cache: &mut KvCache,
    ) -> Tensor<3> {
        let normed = self.norm1.forward(x.clone());
        let attended = self.attention_layer.forward_step(normed, rotation, layer, cache);
        self.feed_forward(x + self.norm2.forward(attended))
    }

    /// One step of power iteration in every σ-reparam linear.
    pub fn power_iteration(&mut self) {
        self.attention_layer.power_iteration();
        self.ff1.power_iteration();
        self.ff2.power_iteration();
    }

    /// [`Dense::settle`] in every linear.
    pub(crate) fn settle(&mut self) {
        self.attention_layer.settle();
        self.ff1.settle();
        self.ff2.settle();
    }

    fn feed_forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = self.ff1.activated(self.norm3.forward(x.clone()), &self.activation);
        x + drop_out(self.ff2.forward(self.norm4.forward(hidden)), &self.dropout_ff)
    }
}
