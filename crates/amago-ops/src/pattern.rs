//! Attention that sees only some keys, or bounds its scores, composed of Burn's operations.

use burn::tensor::{Bool, Device, Int, Tensor, activation};

use crate::precision::product;
use crate::shapes::require;

/// Which keys a query sees, beside those in the future, and how its scores are changed.
///
/// ```
/// use amago_ops::AttentionPattern;
/// use burn::tensor::{Device, Tensor};
///
/// let pattern = AttentionPattern { window_size: 1, ..AttentionPattern::default() };
/// // Where all keys are equal, a query looks at all that it sees alike: at itself and one before it.
/// let equal = Tensor::<4>::ones([1, 1, 3, 2], &Device::flex());
/// let weights = pattern.weights(equal.clone(), equal);
/// let expected = [[[[1.0f32, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]]];
/// weights.into_data().assert_eq(&expected.into(), false);
/// ```
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
    /// Keys that a rollout must keep beside the sinks, if `context` are wanted at most.
    pub fn keys_kept(&self, context: usize) -> usize {
        match self.window_size {
            0 => context,
            size => context.min(size.saturating_add(1)),
        }
    }

    /// How much each query attends to each key; rows sum to one.
    ///
    /// # Shapes
    /// - query, key: `[B, H, L, E]`
    /// - output: `[B, H, L, L]`
    ///
    /// # Panics
    /// When their shapes differ, or heads have no width.
    pub fn weights(&self, query: Tensor<4>, key: Tensor<4>) -> Tensor<4> {
        let shapes = [query.dims(), key.dims()];
        let [b, h, len, size] = shapes[0];
        require!(
            shapes[0] == shapes[1] && size > 0,
            "AttentionPattern::weights",
            "queries and keys of one shape [B, H, L, E]",
            shapes
        );
        let device = query.device();
        if [b, h, len].contains(&0) {
            return Tensor::zeros([b, h, len, len], &device);
        }
        let keys = times(len, &device).unsqueeze::<2>();
        let (hidden, sinks) = self.near(times(len, &device).unsqueeze_dim(1), keys);
        self.softmax(query, key, hidden, || sinks)
    }

    /// Whether scores are left as they are.
    pub(crate) fn keeps_scores(&self) -> bool {
        self.sink_bias == 0.0 && self.logit_clip <= 0.0
    }

    /// Biased and clipped scores. `sinks`, asked for where they have a bias, is true where a key is a sink, of a shape
    /// that can be broadcast.
    fn adjust<const D: usize, const S: usize>(
        &self,
        scores: Tensor<D>,
        sinks: impl FnOnce() -> Tensor<S, Bool>,
    ) -> Tensor<D> {
        let biased = match self.sink_bias {
            0.0 => scores,
            bias => scores + (sinks().float() * bias).unsqueeze::<D>(),
        };
        if self.logit_clip > 0.0 { biased.clamp(-self.logit_clip, self.logit_clip) } else { biased }
    }

    /// Attention of queries, keys and values `[B, H, L, E]` with dropout on its weights; gives the same shape.
    /// With a window, sequences are cut into blocks as long as it, and a block meets its own keys and those of the
    /// block before it: time and memory grow with `L`, not with its square.
    pub(crate) fn attention(&self, [query, key, value]: [Tensor<4>; 3], dropout: f64) -> Tensor<4> {
        let [b, h, len, size] = query.dims();
        let window = self.window_size;
        if window == 0 || len - 1 <= window {
            return product(crate::dropout(self.weights(query, key), dropout), value);
        }
        let (n, sinks, device) = (len.div_ceil(window), self.sink_size.min(len), query.device());
        let blocks = |x: Tensor<4>| {
            let padding = Tensor::zeros([b, h, n * window - len, size], &device);
            Tensor::cat(vec![x, padding], 2).reshape([b, h, n, window, size])
        };
        let with_past = |x: Tensor<4>| {
            let first = || x.clone().narrow(2, 0, sinks).unsqueeze_dim::<5>(2).expand([b, h, n, sinks, size]);
            let first = (sinks > 0).then(first);
            let here = blocks(x);
            let none = Tensor::zeros([b, h, 1, window, size], &device);
            let before = Tensor::cat(vec![none, here.clone().narrow(2, 0, n - 1)], 2);
            Tensor::cat(first.into_iter().chain([before, here]).collect(), 3)
        };
        let (hidden, of_sinks) = self.in_blocks(n, sinks, &device);
        let weights = self.softmax(blocks(query), with_past(key), hidden, || of_sinks);
        let out = product(crate::dropout(weights, dropout), with_past(value));
        out.reshape([b, h, n * window, size]).narrow(2, 0, len)
    }

    /// Weights of keys `[..., K, E]` for queries `[..., Q, E]`, `[..., Q, K]`. `hidden` is true where a query must not
    /// see a key, `sinks` where a key is a sink, both of a shape that can be broadcast.
    pub(crate) fn softmax<const D: usize, const S: usize, const Z: usize>(
        &self,
        query: Tensor<D>,
        key: Tensor<D>,
        hidden: Tensor<S, Bool>,
        sinks: impl FnOnce() -> Tensor<Z, Bool>,
    ) -> Tensor<D> {
        let size = query.dims()[D - 1];
        let scores = product(query, key.transpose()) * (size as f64).powf(-0.5);
        let scores = self.adjust(scores, sinks).mask_fill(hidden.unsqueeze::<D>(), f32::NEG_INFINITY);
        activation::softmax(scores, D - 1)
    }

    /// True where a query must not see a key that lies in its window or is a sink, and where keys are sinks.
    fn near<const S: usize>(
        &self,
        query: Tensor<S, Int>,
        key: Tensor<S, Int>,
    ) -> (Tensor<S, Bool>, Tensor<S, Bool>) {
        let age = query - key.clone();
        let sinks = key.lower_elem(whole(self.sink_size));
        let future = age.clone().lower_elem(0);
        if self.window_size == 0 {
            return (future, sinks);
        }
        let left = age.greater_elem(whole(self.window_size));
        let no_sink = sinks.clone().bool_not().expand(left.dims());
        (future.bool_or(left.bool_and(no_sink)), sinks)
    }

    /// The same for `n` blocks of queries, whose keys are the sinks, the block before and the block itself:
    /// `[n, window, sinks + 2 window]` and `[n, 1, sinks + 2 window]`. A sink is seen in the first columns where the
    /// two blocks do not hold it.
    fn in_blocks(&self, n: usize, sinks: usize, device: &Device) -> (Tensor<3, Bool>, Tensor<3, Bool>) {
        let window = self.window_size;
        let query = times(n * window, device).reshape([n, window, 1]);
        let start = times(n, device).reshape([n, 1, 1]) * window as i64 - window as i64;
        let key = times(2 * window, device).reshape([1, 1, 2 * window]) + start.clone();
        let (hidden, of_sinks) = self.near(query, key.clone());
        let hidden = hidden.bool_or(key.lower_elem(0).expand([n, window, 2 * window]));
        if sinks == 0 {
            return (hidden, of_sinks);
        }
        let first = times(sinks, device).reshape([1, 1, sinks]).expand([n, 1, sinks]);
        let twice = first.greater_equal(start.expand([n, 1, sinks])).expand([n, window, sinks]);
        let all = Tensor::ones([n, 1, sinks], device);
        (Tensor::cat(vec![twice, hidden], 2), Tensor::cat(vec![all, of_sinks], 2))
    }
}

/// A bound of positions as a tensor compares with it, on devices with short integers too.
pub(crate) fn whole(n: usize) -> i64 {
    n.min(i32::MAX as usize) as i64
}

fn times(n: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::arange(0..n as i64, device)
}

/// Queries, keys and values from a packed projection.
///
/// # Shapes
/// - qkv: `[B, L, 3·E·H]` with heads fastest
/// - outputs: `[B, H, L, E]` each
///
/// # Panics
/// When the width of `qkv` is no multiple of `3·H`, or zero.
pub fn split_heads(qkv: Tensor<3>, n_heads: usize) -> [Tensor<4>; 3] {
    let [batch, len, _] = qkv.dims();
    let size = head_size("split_heads", qkv.dims(), n_heads);
    let qkv = qkv.reshape([batch, len, 3, size, n_heads]).permute([2, 0, 4, 1, 3]);
    std::array::from_fn(|i| qkv.clone().narrow(0, i, 1).squeeze_dim::<4>(0))
}

/// Width of a head in a packed projection.
pub(crate) fn head_size(function: &str, qkv: [usize; 3], n_heads: usize) -> usize {
    let packed = n_heads.checked_mul(3).filter(|packed| *packed > 0);
    let fits = qkv[2] > 0 && packed.is_some_and(|packed| qkv[2].is_multiple_of(packed));
    require!(fits, function, "queries, keys and values [B, L, 3 E H] of every head", qkv, n_heads);
    qkv[2] / 3 / n_heads
}
