//! Attention, whole and over a cache.

use amago_ops::{AttentionPattern, cached_attention, causal_attention};
use burn::tensor::{Bool, Tensor, TensorData, activation};

use super::*;

#[test]
fn causal_attentions() {
    let _alone = seeded();
    for (batch, len, size, heads) in [(3, 130, 8, 4), (1, 1, 4, 2), (2, 64, 16, 1), (2, 65, 5, 3)] {
        let qkv = random([batch, len, 3 * size * heads]);
        let fused = causal_attention(qkv.clone(), heads, &AttentionPattern::default(), 0.0);
        let parts = qkv.clone().reshape([batch, len, 3, size, heads]).permute([2, 0, 4, 1, 3]);
        let part = |i: usize| parts.clone().narrow(0, i, 1).squeeze_dim::<4>(0);
        let scores = part(0).matmul(part(1).transpose()) * (size as f64).powf(-0.5);
        let future = Tensor::<2, Bool>::tril_mask([len, len], 0, &device_of()).unsqueeze::<4>();
        let weights = activation::softmax(scores.mask_fill(future, f32::NEG_INFINITY), 3);
        let plain = weights.matmul(part(2)).swap_dims(1, 2);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dqkv", qkv.grad(&fused).unwrap(), qkv.grad(&plain).unwrap());
    }
}

/// Windows and sinks below, at and above the size of a block, and longer than the sequence.
#[test]
fn windowed_attentions() {
    let _alone = seeded();
    for (window_size, sink_size) in [(1, 0), (7, 0), (7, 3), (64, 1), (65, 70), (100, 150), (200, 2), (0, 9)]
    {
        let pattern = AttentionPattern { window_size, sink_size, ..AttentionPattern::default() };
        let qkv = random([2, 150, 3 * 4 * 2]);
        let fused = causal_attention(qkv.clone(), 2, &pattern, 0.0);
        // A bound out of reach changes nothing but the way it is computed.
        let bounded = AttentionPattern { logit_clip: 1e9, ..pattern };
        let plain = causal_attention(qkv.clone(), 2, &bounded, 0.0);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dqkv", qkv.grad(&fused).unwrap(), qkv.grad(&plain).unwrap());
    }
}

#[test]
fn attention_over_a_cache() {
    let _alone = seeded();
    let plain = Device::flex();
    for (b, h, slots, size) in [(3, 2, 9, 8), (1, 1, 1, 5), (24, 4, 60, 16)] {
        let query = normal([b, h, 1, size], &plain);
        let cache = [normal([b, h, slots, size], &plain), normal([b, h, slots, size], &plain)];
        let used: Vec<usize> = (0..b).map(|row| 1 + row % slots).collect();
        let hidden: Vec<bool> =
            used.iter().flat_map(|used| (0..slots).map(move |slot| slot >= *used)).collect();
        let unused =
            || Tensor::<4, Bool>::from_bool(TensorData::new(hidden.clone(), [b, 1, 1, slots]), &plain);
        let attended = |pattern| cached_attention(query.clone(), cache.clone(), (&used, unused()), &pattern);
        let [keys, values] = cache.clone();
        let scores = query.clone().matmul(keys.transpose()) * (size as f64).powf(-0.5);
        let composed = |scores: Tensor<4>| {
            let weights = activation::softmax(scores.mask_fill(unused(), f32::NEG_INFINITY), 3);
            weights.matmul(values.clone())
        };
        close("output", attended(AttentionPattern::default()), composed(scores.clone()));
        let pattern =
            AttentionPattern { sink_size: 2, sink_bias: 0.4, logit_clip: 0.7, ..AttentionPattern::default() };
        let sinks = slots.min(2);
        let biased = scores.clone().slice_fill([0..b, 0..h, 0..1, 0..sinks], 0.4);
        let bias = biased - scores.clone().slice_fill([0..b, 0..h, 0..1, 0..sinks], 0.0);
        close(
            "output of biased and clipped scores",
            attended(pattern),
            composed((scores + bias).clamp(-0.7, 0.7)),
        );
    }
}
