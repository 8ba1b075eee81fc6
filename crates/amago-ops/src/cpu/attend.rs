//! Attention of one query per head over cached keys.

use rayon::prelude::*;

use super::kernel::Array;
use super::rows::{add_scaled, least_per_task};
use super::simd::vectorized;
use super::softmax::{dot, exp_shifted};
use crate::AttentionPattern;

/// `q [B, H, 1, E]` over the first `used[b]` of `S` keys and values `[B, H, S, E]`, whose scores the pattern may bias
/// and clip; gives `[B, H, 1, E]`.
pub(crate) fn attend(
    query: &Array,
    [keys, values]: [&Array; 2],
    used: &[usize],
    pattern: &AttentionPattern,
) -> Array {
    let dims = query.dims();
    let (heads, size, slots) = (dims[1], dims[3], keys.dims()[2]);
    let mut out = vec![0.0; query.data().len()];
    let least = least_per_task(4 * slots * size);
    out.par_chunks_mut(size).enumerate().with_min_len(least).for_each(|(i, out)| {
        let first = i * slots * size;
        // Unused slots are left out, not masked: acting is 12 to 42 % faster (docs/LOG.md, 2026-11-22, morning,
        // acting over the used slots).
        let of_head = first..first + used[i / heads] * size;
        let query = &query.data()[i * size..(i + 1) * size];
        attend_head(query, &keys.data()[of_head.clone()], &values.data()[of_head], pattern, out);
    });
    Array::new(out, &dims)
}

vectorized! {
    fn attend_head(query: &[f32], keys: &[f32], values: &[f32], pattern: &AttentionPattern, out: &mut [f32]) {
        let scale = (query.len() as f32).powf(-0.5);
        let mut weights: Vec<f32> =
            keys.chunks_exact(query.len()).map(|key| dot(key, Some(query)) * scale).collect();
        adjust(&mut weights, pattern);
        let (_, total) = exp_shifted(&mut weights);
        for (weight, value) in weights.iter().zip(values.chunks_exact(query.len())) {
            add_scaled(out, value, weight / total);
        }
    }
}

/// Biases and clips scores, of which the first are the sinks'.
fn adjust(scores: &mut [f32], pattern: &AttentionPattern) {
    if pattern.sink_bias != 0.0 {
        scores.iter_mut().take(pattern.sink_size).for_each(|score| *score += pattern.sink_bias as f32);
    }
    if pattern.logit_clip > 0.0 {
        let limit = pattern.logit_clip as f32;
        scores.iter_mut().for_each(|score| *score = score.clamp(-limit, limit));
    }
}
