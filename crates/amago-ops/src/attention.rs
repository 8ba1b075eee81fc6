//! Causal attention over a packed projection.

use burn::tensor::{Bool, Tensor, activation};

/// `softmax(q kᵀ / √E + causal mask) v` per head. `qkv` is `[B, L, 3·E·H]`, laid out as
/// `(three, head size E, heads H)` with heads fastest; gives `[B, L, H, E]`.
pub fn causal_attention(qkv: Tensor<3>, n_heads: usize) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&qkv.device()) {
        return crate::cpu::apply(crate::cpu::Attention { n_heads }, [qkv.into()]);
    }
    let [batch, len, packed] = qkv.dims();
    let size = packed / (3 * n_heads);
    let device = qkv.device();
    // [B, L, 3, E, H] → [3, B, H, L, E]
    let qkv = qkv.reshape([batch, len, 3, size, n_heads]).permute([2, 0, 4, 1, 3]);
    let part = |i: usize| qkv.clone().narrow(0, i, 1).squeeze_dim::<4>(0);
    let scores = part(0).matmul(part(1).transpose()) * (size as f64).powf(-0.5);
    let future = Tensor::<2, Bool>::tril_mask([len, len], 0, &device).unsqueeze::<4>();
    let weights = activation::softmax(scores.mask_fill(future, f32::NEG_INFINITY), 3);
    weights.matmul(part(2)).swap_dims(1, 2)
}

/// `softmax(q kᵀ / √E) v` for one query per head, `[B, H, 1, E]`, over cached keys and values `[B, H, S, E]`, of
/// which row `b` has the first `used[b]`; `unused` says the same, `[B, 1, 1, S]`. Gives `[B, H, 1, E]`.
pub fn cached_attention(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    used: &[usize],
    unused: Tensor<4, Bool>,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&query.device()) && !query.device().is_autodiff() {
        let device = query.device();
        let [query, keys, values] = [query, keys, values].map(crate::cpu::constant);
        return crate::cpu::attend(&query, &keys, &values, used).on(&device);
    }
    let _ = used;
    let size = query.dims()[3];
    let scores = query.matmul(keys.transpose()) * (size as f64).powf(-0.5);
    activation::softmax(scores.mask_fill(unused, f32::NEG_INFINITY), 3).matmul(values)
}
