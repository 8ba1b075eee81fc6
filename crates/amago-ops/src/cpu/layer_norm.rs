//! Layer normalisation with saved mean and inverse deviation.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::kernel::{Array, Kernel};
use super::rows::{ROW_BLOCK, add_into, least_per_task};
use super::simd::vectorized;

/// Inputs `x [..., d]`, `weight [d]`, `bias [d]`.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    pub(crate) eps: f32,
}

impl Kernel<3> for LayerNorm {
    /// Mean and inverse deviation of every row.
    // Two numbers per row instead of the normalised rows, which would be as large as the input.
    type Saved = Vec<[f32; 2]>;

    fn forward(&self, [x, weight, bias]: [&Array; 3]) -> (Array, Self::Saved) {
        let (w, b) = (weight.data(), bias.data());
        let d = w.len();
        let mut stats = vec![[0.0; 2]; x.data().len() / d];
        let least = least_per_task(32 * ROW_BLOCK * d);
        // SAFETY: there is a row of the result for every row of `x`.
        let out = unsafe {
            Array::written(&x.dims(), |out| {
                let rows = out.par_chunks_mut(ROW_BLOCK * d).zip(x.data().par_chunks(ROW_BLOCK * d));
                let blocks = rows.zip(stats.par_chunks_mut(ROW_BLOCK)).with_min_len(least);
                blocks.for_each(|((out, x), stats)| rows_forward(out, x, stats, [w, b], self.eps));
            })
        };
        (out, stats)
    }

    fn backward(
        &self,
        [x, weight, _]: [&Array; 3],
        stats: Self::Saved,
        mut grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let w = weight.data();
        let d = w.len();
        let block = ROW_BLOCK * d;
        let rows = grad.data_mut().par_chunks_mut(block).zip(x.data().par_chunks(block));
        // Scale and shift gradients, one partial sum per block, added up in order.
        let partial: Vec<[Vec<f32>; 2]> = rows
            .zip(stats.par_chunks(ROW_BLOCK))
            .with_min_len(least_per_task(64 * ROW_BLOCK * d))
            .map(|((grad, x), stats)| {
                let mut sums = [vec![0.0; d], vec![0.0; d]];
                rows_backward(grad, x, stats, w, &mut sums);
                sums
            })
            .collect();
        let mut sums = [vec![0.0; d], vec![0.0; d]];
        for part in &partial {
            add_into(&mut sums[0], &part[0]);
            add_into(&mut sums[1], &part[1]);
        }
        let [dw, db] = sums.map(|sum| Array::new(sum, &[d]));
        [wanted[0].then_some(grad), wanted[1].then_some(dw), wanted[2].then_some(db)]
    }
}

vectorized! {
    fn rows_forward(out: &mut [MaybeUninit<f32>], x: &[f32], stats: &mut [[f32; 2]], affine: [&[f32]; 2], eps: f32) {
        let d = affine[0].len();
        for ((out, x), stat) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(stats) {
            *stat = row_forward(out, x, affine, eps);
        }
    }
}

vectorized! {
    fn rows_backward(grad: &mut [f32], x: &[f32], stats: &[[f32; 2]], w: &[f32], sums: &mut [Vec<f32>; 2]) {
        for ((grad, x), stat) in grad.chunks_exact_mut(w.len()).zip(x.chunks_exact(w.len())).zip(stats) {
            row_backward(grad, x, w, *stat, sums);
        }
    }
}

/// Normalises one row; returns its mean and inverse deviation.
#[inline(always)]
fn row_forward(out: &mut [MaybeUninit<f32>], x: &[f32], [w, b]: [&[f32]; 2], eps: f32) -> [f32; 2] {
    let d = x.len() as f32;
    let mean = sum(x, x, |x, _| x) / d;
    // Not the mean square less the square of the mean, which cancel where the mean is large.
    let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) / d;
    let rstd = (variance + eps).sqrt().recip();
    for (((out, x), w), b) in out.iter_mut().zip(x).zip(w).zip(b) {
        out.write((x - mean) * rstd * w + b);
    }
    [mean, rstd]
}

/// Turns the output's gradient of one row into the input's, in place.
#[inline(always)]
fn row_backward(grad: &mut [f32], x: &[f32], w: &[f32], [mean, rstd]: [f32; 2], sums: &mut [Vec<f32>; 2]) {
    let d = x.len() as f32;
    let [dw, db] = sums;
    for ((((g, x), w), dw), db) in grad.iter_mut().zip(x).zip(w).zip(dw).zip(db) {
        *dw += *g * (x - mean) * rstd;
        *db += *g;
        *g *= w;
    }
    // Shifting or stretching a row changes nothing of the result, so the gradient has no part along either.
    let flat = sum(grad, grad, |g, _| g) / d;
    let along = sum(grad, x, |g, x| g * (x - mean)) * rstd / d;
    for (g, x) in grad.iter_mut().zip(x) {
        *g = rstd * (*g - flat - (x - mean) * rstd * along);
    }
}

/// Sum of `f` over pairs, in lanes: the order is fixed, and there are as many as hide how long one addition takes.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let mut lanes = [0.0; 32];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(*a, *b);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| f(*a, *b)).sum();
    lanes.iter().sum::<f32>() + rest
}
