//! Causal attention over a packed projection.

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Int, Tensor, module};

use crate::AttentionPattern;
use crate::pattern::{head_size, split_heads};
use crate::precision::product;
use crate::shapes::require;

/// `softmax(q kᵀ / √E + mask) v` per head, where the mask hides the future and what the pattern hides, with dropout on
/// the weights. With a window, time and memory grow with `L`.
///
/// # Shapes
/// - qkv: `[B, L, 3·E·H]`, laid out as `(three, head size E, heads H)` with heads fastest
/// - output: `[B, L, H, E]`
///
/// # Panics
/// When the width of `qkv` is no multiple of `3·H`, or zero; when `dropout` is no probability below one.
///
/// # Examples
/// ```
/// use amago_ops::{AttentionPattern, causal_attention};
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// let device = Device::flex();
/// // One head of width two: queries are columns 0 and 1, keys 2 and 3, values 4 and 5.
/// let qkv = Tensor::<3>::random([1, 4, 6], Distribution::Normal(0.0, 1.0), &device);
/// let out = causal_attention(qkv.clone(), 1, &AttentionPattern::default(), 0.0);
/// // The first timestep sees itself alone: its output is its own value.
/// let (first, value) = (out.narrow(1, 0, 1).squeeze_dim::<3>(2), qkv.narrow(1, 0, 1).narrow(2, 4, 2));
/// first.into_data().assert_eq(&value.into_data(), false);
/// ```
pub fn causal_attention(
    qkv: Tensor<3>,
    n_heads: usize,
    pattern: &AttentionPattern,
    dropout: f64,
) -> Tensor<4> {
    let [batch, len, _] = qkv.dims();
    let size = head_size("causal_attention", qkv.dims(), n_heads);
    if batch == 0 || len == 0 {
        return Tensor::zeros([batch, len, n_heads, size], &qkv.device());
    }
    let simple = dropout == 0.0 && pattern.keeps_scores();
    #[cfg(feature = "flex")]
    if simple && crate::cpu::runs_on(&qkv.device()) {
        let window = if pattern.window_size == 0 { usize::MAX } else { pattern.window_size };
        let visible = crate::cpu::Visible { window, sinks: pattern.sink_size };
        return crate::cpu::apply(crate::cpu::Attention { n_heads, visible }, [qkv.into()]);
    }
    let recorded = qkv.device().is_autodiff();
    let [query, key, value] = split_heads(qkv, n_heads);
    let out = if simple && pattern.window_size == 0 && !recorded {
        // Where no gradient is wanted the backend may have a kernel that keeps no `L × L` matrix.
        let options = AttentionModuleOptions { is_causal: true, ..AttentionModuleOptions::default() };
        module::attention(query, key, value, None, None, options)
    } else {
        pattern.attention([query, key, value], dropout)
    };
    out.swap_dims(1, 2)
}

/// `softmax(q kᵀ / √E) v` for one query per head over cached keys and values, of which row `b` has the first
/// `used[b]`; `unused` says the same. The cache holds no key that the pattern hides, and begins with its
/// sinks. On the CPU slots that are not used have no part in it: their number changes no bit.
///
/// # Shapes
/// - query: `[B, H, 1, E]`
/// - keys, values: `[B, H, S, E]`
/// - used: `B` numbers of slots; unused: `[B, 1, 1, S]`
/// - output: `[B, H, 1, E]`
///
/// # Panics
/// When the shapes do not fit, a row has used no slot or more than there are, or heads have no width.
pub fn cached_attention(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    (used, unused): (&[usize], Tensor<4, Bool>),
    pattern: &AttentionPattern,
) -> Tensor<4> {
    let ([b, h, _, e], slots) = (query.dims(), keys.dims()[2]);
    let shapes = [query.dims(), keys.dims(), values.dims(), unused.dims()];
    require!(
        shapes == [[b, h, 1, e], [b, h, slots, e], [b, h, slots, e], [b, 1, 1, slots]] && e > 0,
        "cached_attention",
        "one query per head [B, H, 1, E] and keys and values [B, H, S, E] with unused slots [B, 1, 1, S]",
        shapes
    );
    require!(
        used.len() == b && used.iter().all(|used| (1..=slots).contains(used)),
        "cached_attention",
        "the number of used slots of every row",
        slots,
        used,
        b
    );
    if b == 0 || h == 0 {
        return query;
    }
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&query.device()) && !query.device().is_autodiff() {
        let device = query.device();
        let [query, keys, values] = [query, keys, values].map(crate::cpu::constant);
        return crate::cpu::attend(&query, [&keys, &values], used, pattern).on(&device);
    }
    let device = keys.device();
    let sinks = || {
        Tensor::<1, Int>::arange(0..slots as i64, &device)
            .lower_elem(crate::pattern::whole(pattern.sink_size))
    };
    product(pattern.softmax(query, keys, unused, sinks), values)
}
