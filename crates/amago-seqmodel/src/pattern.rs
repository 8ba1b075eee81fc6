//! Attention that sees only some keys, or bounds its scores.

use burn::nn::Dropout;
use burn::tensor::{Bool, Device, Int, Tensor, activation};

use crate::dropout::drop_out;

/// Which keys a query sees, beside those in the future, and how its scores are changed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AttentionPattern {
    /// A query sees its own key and this many before it; 0 for all of them.
    pub window_size: usize,
    /// The first keys of a sequence, which stay visible when the window has left them
    /// (attention sinks, Xiao et al. 2023, arXiv 2309.17453).
    pub sink_size: usize,
    /// Added to the scores of the sinks.
    pub sink_bias: f64,
    /// Largest absolute score; 0 for no limit. Applied last.
    pub logit_clip: f64,
}

impl AttentionPattern {
    /// Whether this is nothing but causal attention.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Keys that a rollout must keep beside the sinks, if `context` are wanted at most.
    pub(crate) fn keys_kept(&self, context: usize) -> usize {
        match self.window_size {
            0 => context,
            size => context.min(size + 1),
        }
    }

    /// Causal attention of this pattern over a packed projection, shapes as in
    /// [`causal_attention`](crate::causal_attention).
    pub fn attention(&self, qkv: Tensor<3>, n_heads: usize, dropout: &Dropout) -> Tensor<4> {
        let [query, key, value] = split_heads(qkv, n_heads);
        drop_out(self.weights(query, key), dropout).matmul(value).swap_dims(1, 2)
    }

    /// How much each query attends to each key, `[B, H, L, L]`, from queries and keys `[B, H, L, E]`.
    pub(crate) fn weights(&self, query: Tensor<4>, key: Tensor<4>) -> Tensor<4> {
        let [_, _, len, size] = query.dims();
        let hidden = self.hidden(len, &query.device());
        let scores = self.adjust(query.matmul(key.transpose()) * (size as f64).powf(-0.5));
        activation::softmax(scores.mask_fill(hidden.unsqueeze::<4>(), f32::NEG_INFINITY), 3)
    }

    /// Whether scores are left as they are.
    pub(crate) fn keeps_scores(&self) -> bool {
        self.sink_bias == 0.0 && self.logit_clip <= 0.0
    }

    /// Biased and clipped scores; the last dimension is over keys, the sinks first.
    pub(crate) fn adjust(&self, scores: Tensor<4>) -> Tensor<4> {
        let keys = scores.dims()[3];
        let biased = if self.sink_bias == 0.0 {
            scores
        } else {
            let bias: Vec<f32> =
                (0..keys).map(|k| if k < self.sink_size { self.sink_bias as f32 } else { 0.0 }).collect();
            let bias = Tensor::<1>::from_floats(bias.as_slice(), &scores.device());
            scores + bias.unsqueeze::<4>()
        };
        if self.logit_clip > 0.0 { biased.clamp(-self.logit_clip, self.logit_clip) } else { biased }
    }

    /// True where query `q` must not see key `k`, `[L, L]`.
    fn hidden(&self, len: usize, device: &Device) -> Tensor<2, Bool> {
        let steps = Tensor::<1, Int>::arange(0..len as i64, device);
        let keys = steps.clone().reshape([1, len]);
        let age = steps.reshape([len, 1]) - keys.clone();
        let future = age.clone().lower_elem(0);
        if self.window_size == 0 {
            return future;
        }
        let left = age.greater_elem(self.window_size as i64);
        let no_sink = keys.greater_equal_elem(self.sink_size as i64).expand([len, len]);
        future.bool_or(left.bool_and(no_sink))
    }
}

/// Queries, keys and values from a packed projection, `[B, L, 3·E·H]` with heads fastest, each
/// `[B, H, L, E]`.
pub(crate) fn split_heads(qkv: Tensor<3>, n_heads: usize) -> [Tensor<4>; 3] {
    let [batch, len, packed] = qkv.dims();
    let qkv = qkv.reshape([batch, len, 3, packed / (3 * n_heads), n_heads]).permute([2, 0, 4, 1, 3]);
    std::array::from_fn(|i| qkv.clone().narrow(0, i, 1).squeeze_dim::<4>(0))
}
