//! Causal multi-head attention with a learned scale per head.

use amago_ops::{AttentionPattern, split_heads};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};

use crate::dropout::{drop_out, probability};
use crate::{Dense, KvCache, Rotation};

/// Projections around attention.
#[derive(Module, Debug)]
pub struct AttentionLayer {
    /// Scale of each head's output, `[1, 1, H, 1]`.
    pub head_scaler: Param<Tensor<4>>,
    qkv_projection: Dense,
    out_projection: Dense,
    dropout_qkv: Dropout,
    dropout_attn: Dropout,
    n_heads: usize,
    #[module(skip)]
    pattern: AttentionPattern,
}

/// Shape of an [`AttentionLayer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionConfig {
    /// Width of the model.
    pub d_model: usize,
    /// Number of heads.
    pub n_heads: usize,
    /// Whether each head's output has a learned scale.
    pub head_scaling: bool,
    /// Whether the projections are σ-reparametrised.
    pub sigma_reparam: bool,
    /// Dropout after the packed projection.
    pub dropout_qkv: f64,
    /// Dropout on the attention weights.
    pub dropout_attn: f64,
    /// Which keys a query sees.
    pub pattern: AttentionPattern,
}

impl AttentionConfig {
    /// Builds the layer.
    pub fn init(&self, device: &Device) -> AttentionLayer {
        let d = self.d_model;
        let scaler = Param::from_tensor(Tensor::ones([1, 1, self.n_heads, 1], device));
        AttentionLayer {
            head_scaler: scaler.set_require_grad(self.head_scaling),
            qkv_projection: Dense::new(self.sigma_reparam, [d, 3 * d], false, device),
            out_projection: Dense::new(self.sigma_reparam, [d, d], true, device),
            dropout_qkv: DropoutConfig::new(self.dropout_qkv).init(),
            dropout_attn: DropoutConfig::new(self.dropout_attn).init(),
            n_heads: self.n_heads,
            pattern: self.pattern,
        }
    }
}

impl AttentionLayer {
    /// Whole sequences. With rotary positions, the rotation of every timestep.
    ///
    /// # Shapes
    /// - x, output: `[B, L, D]`
    pub fn forward_seq(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
        let qkv = drop_out(self.qkv_projection.forward(x), &self.dropout_qkv);
        let qkv = self.rotate(qkv, rotation);
        let dropout = probability(&qkv.device(), &self.dropout_attn);
        self.output(amago_ops::causal_attention(qkv, self.n_heads, &self.pattern, dropout))
    }

    /// How much each timestep attends to each: rows sum to one. For looking at; dropout has no part in it.
    ///
    /// # Shapes
    /// - x: `[B, L, D]`
    /// - output: `[B, H, L, L]`
    pub fn weights(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<4> {
        let qkv = self.rotate(self.qkv_projection.forward(x), rotation);
        let [query, key, _] = split_heads(qkv, self.n_heads);
        self.pattern.weights(query, key)
    }

    /// One new timestep per row, against the cached keys and values. The cache holds no key that the pattern hides.
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
        let qkv = self.rotate(self.qkv_projection.forward(x), rotation);
        let [query, key, value] = split_heads(qkv, self.n_heads);
        let (keys, values) = cache.append(layer, key, value);
        let filled = (&*cache.used(), cache.unused());
        let out = amago_ops::cached_attention(query, [keys, values], filled, &self.pattern);
        self.output(out.swap_dims(1, 2))
    }

    fn rotate(&self, qkv: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
        match rotation {
            Some(rotation) => rotation.apply(qkv, self.n_heads),
            None => qkv,
        }
    }

    /// One step of power iteration in both projections.
    pub fn power_iteration(&mut self) {
        self.qkv_projection.power_iteration();
        self.out_projection.power_iteration();
    }

    /// [`Dense::settle`] in both projections.
    pub(crate) fn settle(&mut self) {
        self.qkv_projection.settle();
        self.out_projection.settle();
    }

    fn output(&self, heads: Tensor<4>) -> Tensor<3> {
        let [batch, len, n_heads, size] = heads.dims();
        let scaled = heads * self.head_scaler.val();
        self.out_projection.forward(scaled.reshape([batch, len, n_heads * size]))
    }
}
