//! Attention of one query per head over cached keys.

use rayon::prelude::*;

use super::kernel::Array;
use super::rows::{add_scaled, least_per_task};
use super::simd::vectorized;
use super::softmax::{dot, exp_shifted};

/// `q [B, H, 1, E]` over the first `used[b]` of `S` keys and values `[B, H, S, E]`; gives `[B, H, 1, E]`.
pub(crate) fn attend(query: &Array, keys: &Array, values: &Array, used: &[usize]) -> Array {
    let dims = query.dims();
    let (heads, size, slots) = (dims[1], dims[3], keys.dims()[2]);
    let mut out = vec![0.0; query.data().len()];
    let least = least_per_task(4 * slots * size);
    out.par_chunks_mut(size).enumerate().with_min_len(least).for_each(|(i, out)| {
        let first = i * slots * size;
        let of_head = first..first + used[i / heads] * size;
        let query = &query.data()[i * size..(i + 1) * size];
        attend_head(query, &keys.data()[of_head.clone()], &values.data()[of_head], out);
    });
    Array::new(out, &dims)
}

vectorized! {
    fn attend_head(query: &[f32], keys: &[f32], values: &[f32], out: &mut [f32]) {
        let scale = (query.len() as f32).powf(-0.5);
        let mut weights: Vec<f32> =
            keys.chunks_exact(query.len()).map(|key| dot(key, Some(query)) * scale).collect();
        let (_, total) = exp_shifted(&mut weights);
        for (weight, value) in weights.iter().zip(values.chunks_exact(query.len())) {
            add_scaled(out, value, weight / total);
        }
    }
}
