//! Causal multi-head attention with a learned scale per head.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Bool, Device, Tensor, activation};

use crate::dropout::drop_out;
use crate::pattern::split_heads;
use crate::{AttentionPattern, Dense, KvCache, Rotation};

/// Causal attention over a packed projection. `qkv` is `[B, L, 3·E·H]`, laid out as
/// `(three, head size E, heads H)` with heads fastest; the result is `[B, L, H, E]`. The scale is
/// `1/√E`.
pub fn causal_attention(qkv: Tensor<3>, n_heads: usize, dropout: &Dropout) -> Tensor<4> {
    if dropout.prob == 0.0 {
        return amago_ops::causal_attention(qkv, n_heads);
    }
    let [batch, len, packed] = qkv.dims();
    let size = packed / (3 * n_heads);
    let device = qkv.device();
    // [B, L, 3, E, H] → [3, B, H, L, E]
    let qkv = qkv.reshape([batch, len, 3, size, n_heads]).permute([2, 0, 4, 1, 3]);
    let part = |i: usize| qkv.clone().narrow(0, i, 1).squeeze_dim::<4>(0);
    let scores = part(0).matmul(part(1).transpose()) * (size as f64).powf(-0.5);
    let future = Tensor::<2, Bool>::tril_mask([len, len], 0, &device).unsqueeze::<4>();
    let weights = drop_out(activation::softmax(scores.mask_fill(future, f32::NEG_INFINITY), 3), dropout);
    weights.matmul(part(2)).swap_dims(1, 2)
}

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
    /// Whole sequences: `[B, L, D] → [B, L, D]`. With rotary positions, the rotation of every timestep.
    pub fn forward_seq(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
        let qkv = drop_out(self.qkv_projection.forward(x), &self.dropout_qkv);
        let qkv = self.rotate(qkv, rotation);
        self.output(if self.pattern.is_plain() {
            causal_attention(qkv, self.n_heads, &self.dropout_attn)
        } else {
            self.pattern.attention(qkv, self.n_heads, &self.dropout_attn)
        })
    }

    /// How much each timestep attends to each, `[B, H, L, L]`: rows sum to one. For looking at; dropout has no
    /// part in it.
    pub fn weights(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<4> {
        let qkv = self.rotate(self.qkv_projection.forward(x), rotation);
        let [query, key, _] = split_heads(qkv, self.n_heads);
        self.pattern.weights(query, key)
    }

    /// One new timestep per row, `[B, 1, D] → [B, 1, D]`, against the cached keys and values. The cache
    /// holds no key that the pattern hides.
    pub fn forward_step(
        &self,
        x: Tensor<3>,
        rotation: Option<&Rotation>,
        layer: usize,
        cache: &mut KvCache,
    ) -> Tensor<3> {
        let qkv = self.rotate(self.qkv_projection.forward(x), rotation);
        let [query, key, value] = split_heads(qkv, self.n_heads);
        let size = query.dims()[3];
        let (keys, values) = cache.append(layer, key, value);
        if self.pattern.keeps_scores() {
            let (used, unused) = (cache.used(), cache.unused());
            let out = amago_ops::cached_attention(query, [keys, values], &used, unused);
            return self.output(out.swap_dims(1, 2));
        }
        let scores = self.pattern.adjust(query.matmul(keys.transpose()) * (size as f64).powf(-0.5));
        let scores = scores.mask_fill(cache.unused(), f32::NEG_INFINITY);
        let out = activation::softmax(scores, 3).matmul(values);
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

    fn output(&self, heads: Tensor<4>) -> Tensor<3> {
        let [batch, len, n_heads, size] = heads.dims();
        let scaled = heads * self.head_scaler.val();
        self.out_projection.forward(scaled.reshape([batch, len, n_heads * size]))
    }
}
