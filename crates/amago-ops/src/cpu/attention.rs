//! Causal attention that keeps no `L × L` matrix: blocks of queries, and the row's log-sum-exp for the way back
//! (Dao et al. 2022, arXiv 2205.14135).

use rayon::prelude::*;

use super::gemm::{Mat, Start, gemm};
use super::kernel::{Array, Kernel};
use super::rows::least_per_task;
use super::simd::vectorized;
use super::softmax::{dot, exp, exp_shifted};

/// Queries per block: products stay large, and a third of the masked half is skipped at length 128.
const BLOCK: usize = 64;

/// Input `qkv [B, L, 3·E·H]` as `(three, E, H)`; output `[B, L, H, E]`.
#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) n_heads: usize,
}

/// `L`, `E`, `H`.
#[derive(Clone, Copy)]
struct Sizes {
    len: usize,
    size: usize,
    heads: usize,
}

impl Sizes {
    fn scale(self) -> f32 {
        (self.size as f32).powf(-0.5)
    }

    /// Numbers of one head of one of query, key and value.
    fn head(self) -> usize {
        self.len * self.size
    }

    fn mat(self, data: &[f32]) -> Mat<'_> {
        Mat::new(data, self.len, self.size)
    }

    /// Queries (scaled), keys and values `[3, H, L, E]` of a packed sequence.
    fn unpack(self, packed: &[f32]) -> Vec<f32> {
        let mut parts = vec![0.0; packed.len()];
        regroup(self, packed, &mut parts);
        let scale = self.scale();
        parts[..self.heads * self.head()].iter_mut().for_each(|q| *q *= scale);
        parts
    }

    /// Queries, keys and values of one head.
    fn of_head(self, parts: &[f32], head: usize) -> [&[f32]; 3] {
        [0, 1, 2].map(|part| &parts[(part * self.heads + head) * self.head()..][..self.head()])
    }
}

vectorized! {
    /// From `[L, 3, E, H]` to `[3, H, L, E]`.
    fn regroup(s: Sizes, from: &[f32], to: &mut [f32]) {
        for (l, row) in from.chunks_exact(3 * s.size * s.heads).enumerate() {
            for (part, block) in row.chunks_exact(s.size * s.heads).enumerate() {
                for h in 0..s.heads {
                    let to = &mut to[((part * s.heads + h) * s.len + l) * s.size..][..s.size];
                    // The usual numbers of heads as constants, for the compiler.
                    match s.heads {
                        4 => pick::<4>(&block[h..], to),
                        8 => pick::<8>(&block[h..], to),
                        n => to.iter_mut().zip(block[h..].iter().step_by(n)).for_each(|(to, x)| *to = *x),
                    }
                }
            }
        }
    }
}

/// Every `H`-th number.
#[inline(always)]
fn pick<const H: usize>(from: &[f32], to: &mut [f32]) {
    for (i, to) in to.iter_mut().enumerate() {
        *to = from[i * H];
    }
}

vectorized! {
    /// The way back of [`regroup`].
    fn ungroup(s: Sizes, from: &[f32], to: &mut [f32]) {
        for (l, row) in to.chunks_exact_mut(3 * s.size * s.heads).enumerate() {
            for (part, block) in row.chunks_exact_mut(s.size * s.heads).enumerate() {
                for h in 0..s.heads {
                    let from = &from[((part * s.heads + h) * s.len + l) * s.size..][..s.size];
                    let to = block[h..].iter_mut().step_by(s.heads);
                    to.zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

impl Attention {
    fn sizes(&self, qkv: &Array) -> Sizes {
        let dims = qkv.dims();
        Sizes { len: dims[1], size: dims[2] / (3 * self.n_heads), heads: self.n_heads }
    }
}

impl Kernel<1> for Attention {
    /// Log-sum-exp of every row of scores, `[B, H, L]`.
    type Saved = Vec<f32>;

    fn forward(&self, [qkv]: [&Array; 1]) -> (Array, Vec<f32>) {
        let s = self.sizes(qkv);
        let width = s.heads * s.size;
        let batch = qkv.dims()[0];
        let mut out = vec![0.0; batch * s.len * width];
        let mut lse = vec![0.0; batch * s.heads * s.len];
        out.par_chunks_mut(s.len * width)
            .zip(lse.par_chunks_mut(s.heads * s.len))
            .zip(qkv.data().par_chunks(s.len * 3 * width))
            .with_min_len(least_per_task(4 * s.len * s.len * width))
            .for_each(|((out, lse), packed)| {
                let parts = s.unpack(packed);
                for (head, lse) in lse.chunks_exact_mut(s.len).enumerate() {
                    let result = head_forward(s, s.of_head(&parts, head), lse);
                    for (to, from) in out.chunks_exact_mut(width).zip(result.chunks_exact(s.size)) {
                        to[head * s.size..(head + 1) * s.size].copy_from_slice(from);
                    }
                }
            });
        (Array::new(out, &[batch, s.len, s.heads, s.size]), lse)
    }

    fn backward(&self, [qkv]: [&Array; 1], lse: Vec<f32>, grad: Array, _: [bool; 1]) -> [Option<Array>; 1] {
        let s = self.sizes(qkv);
        let width = s.heads * s.size;
        let mut out = vec![0.0; qkv.data().len()];
        out.par_chunks_mut(s.len * 3 * width)
            .zip(qkv.data().par_chunks(s.len * 3 * width))
            .zip(grad.data().par_chunks(s.len * width))
            .zip(lse.par_chunks(s.heads * s.len))
            .with_min_len(least_per_task(10 * s.len * s.len * width))
            .for_each(|(((out, packed), grad), lse)| {
                let (parts, mut grads) = (s.unpack(packed), vec![0.0; packed.len()]);
                let mut head_grad = vec![0.0; s.head()];
                for (head, lse) in lse.chunks_exact(s.len).enumerate() {
                    for (to, from) in head_grad.chunks_exact_mut(s.size).zip(grad.chunks_exact(width)) {
                        to.copy_from_slice(&from[head * s.size..(head + 1) * s.size]);
                    }
                    let all = grads.chunks_exact_mut(s.head()).skip(head).step_by(s.heads);
                    let Ok(of_head) = <[_; 3]>::try_from(all.collect::<Vec<_>>()) else {
                        unreachable!("queries, keys and values")
                    };
                    head_backward(s, s.of_head(&parts, head), lse, &head_grad, of_head);
                }
                ungroup(s, &grads, out);
            });
        [Some(Array::new(out, &qkv.dims()))]
    }
}

fn head_forward(s: Sizes, [q, k, v]: [&[f32]; 3], lse: &mut [f32]) -> Vec<f32> {
    let mut out = vec![0.0; s.head()];
    let mut scores = vec![0.0; BLOCK.min(s.len) * s.len];
    for start in (0..s.len).step_by(BLOCK) {
        let end = (start + BLOCK).min(s.len);
        gemm(s.mat(q).rows(start, end), s.mat(k).rows(0, end).t(), Start::Zero, &mut scores[..]);
        softmax_rows(&mut scores, start, end, lse);
        let weights = Mat::new(&scores, end - start, end);
        gemm(weights, s.mat(v).rows(0, end), Start::Zero, &mut out[start * s.size..end * s.size]);
    }
    out
}

/// Adds to gradients that are zero before.
fn head_backward(s: Sizes, [q, k, v]: [&[f32]; 3], lse: &[f32], grad: &[f32], [dq, dk, dv]: [&mut [f32]; 3]) {
    let mut weights = vec![0.0; BLOCK.min(s.len) * s.len];
    let mut dscores = weights.clone();
    for start in (0..s.len).step_by(BLOCK) {
        let end = (start + BLOCK).min(s.len);
        let (queries, grads) = (s.mat(q).rows(start, end), s.mat(grad).rows(start, end));
        gemm(queries, s.mat(k).rows(0, end).t(), Start::Zero, &mut weights[..]);
        gemm(grads, s.mat(v).rows(0, end).t(), Start::Zero, &mut dscores[..]);
        score_gradient(&mut weights, &mut dscores, start, end, lse);
        let block = |data| Mat::new(data, end - start, end);
        gemm(block(&weights).t(), grads, Start::Result, &mut dv[..]);
        gemm(block(&dscores).t(), queries, Start::Result, &mut dk[..]);
        gemm(block(&dscores), s.mat(k).rows(0, end), Start::Zero, &mut dq[start * s.size..end * s.size]);
    }
    let scale = s.scale();
    dq.iter_mut().for_each(|x| *x *= scale);
}

vectorized! {
    /// Softmax of the rows of queries `start..end` over their past; the rest becomes zero.
    fn softmax_rows(scores: &mut [f32], start: usize, end: usize, lse: &mut [f32]) {
        for (i, row) in (start..end).zip(scores.chunks_exact_mut(end)) {
            let (past, future) = row.split_at_mut(i + 1);
            let (top, total) = exp_shifted(past);
            past.iter_mut().for_each(|x| *x /= total);
            future.fill(0.0);
            lse[i] = top + total.ln();
        }
    }
}

vectorized! {
    /// From scores to weights, and from the gradient of the weights to that of the scores.
    fn score_gradient(weights: &mut [f32], dscores: &mut [f32], start: usize, end: usize, lse: &[f32]) {
        let rows = weights.chunks_exact_mut(end).zip(dscores.chunks_exact_mut(end));
        for (i, (weights, dscores)) in (start..end).zip(rows) {
            weights[..=i].iter_mut().for_each(|x| *x = exp(*x - lse[i]));
            weights[i + 1..].fill(0.0);
            let mean = dot(weights, Some(dscores));
            for (d, w) in dscores.iter_mut().zip(weights) {
                *d = *w * (*d - mean);
            }
        }
    }
}
