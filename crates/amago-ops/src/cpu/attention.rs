//! Causal attention that keeps no `L × L` matrix: blocks of queries, and the row's log-sum-exp for the way back
//! (Dao et al. 2022, arXiv 2205.14135).

use rayon::prelude::*;

use super::gemm::{Mat, gemm};
use super::kernel::{Array, Kernel};
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
    /// Copies one head of part `part` (query, key, value) out of a packed sequence.
    fn gather(self, packed: &[f32], part: usize, head: usize, to: &mut [f32]) {
        let Self { size, heads, .. } = self;
        for (to, row) in to.chunks_exact_mut(size).zip(packed.chunks_exact(3 * size * heads)) {
            let from = row[part * size * heads + head..].iter().step_by(heads);
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
    }

    /// The way back of [`Sizes::gather`].
    fn scatter(self, from: &[f32], part: usize, head: usize, packed: &mut [f32]) {
        let Self { size, heads, .. } = self;
        for (from, row) in from.chunks_exact(size).zip(packed.chunks_exact_mut(3 * size * heads)) {
            let to = row[part * size * heads + head..].iter_mut().step_by(heads);
            for (to, from) in to.zip(from) {
                *to = *from;
            }
        }
    }

    fn scale(self) -> f32 {
        (self.size as f32).powf(-0.5)
    }

    fn zeros(self) -> Vec<f32> {
        vec![0.0; self.len * self.size]
    }

    /// Queries (already scaled), keys and values of one head.
    fn head(self, packed: &[f32], head: usize) -> [Vec<f32>; 3] {
        let mut parts = [self.zeros(), self.zeros(), self.zeros()];
        for (part, to) in parts.iter_mut().enumerate() {
            self.gather(packed, part, head, to);
        }
        let scale = self.scale();
        parts[0].iter_mut().for_each(|q| *q *= scale);
        parts
    }

    fn mat(self, data: &[f32]) -> Mat<'_> {
        Mat::new(data, self.len, self.size)
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
            .for_each(|((out, lse), packed)| {
                for (head, lse) in lse.chunks_exact_mut(s.len).enumerate() {
                    let result = head_forward(s, &s.head(packed, head), lse);
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
            .for_each(|(((out, packed), grad), lse)| {
                let mut head_grad = s.zeros();
                for (head, lse) in lse.chunks_exact(s.len).enumerate() {
                    for (to, from) in head_grad.chunks_exact_mut(s.size).zip(grad.chunks_exact(width)) {
                        to.copy_from_slice(&from[head * s.size..(head + 1) * s.size]);
                    }
                    let grads = head_backward(s, &s.head(packed, head), lse, &head_grad);
                    for (part, grad) in grads.iter().enumerate() {
                        s.scatter(grad, part, head, out);
                    }
                }
            });
        [Some(Array::new(out, &qkv.dims()))]
    }
}

fn head_forward(s: Sizes, [q, k, v]: &[Vec<f32>; 3], lse: &mut [f32]) -> Vec<f32> {
    let mut out = s.zeros();
    let mut scores = vec![0.0; BLOCK.min(s.len) * s.len];
    for start in (0..s.len).step_by(BLOCK) {
        let end = (start + BLOCK).min(s.len);
        gemm(s.mat(q).rows(start, end), s.mat(k).rows(0, end).t(), 0.0, &mut scores);
        for (i, row) in (start..end).zip(scores.chunks_exact_mut(end)) {
            let (past, future) = row.split_at_mut(i + 1);
            let (top, total) = exp_shifted(past);
            past.iter_mut().for_each(|x| *x /= total);
            future.fill(0.0);
            lse[i] = top + total.ln();
        }
        let weights = Mat::new(&scores, end - start, end);
        gemm(weights, s.mat(v).rows(0, end), 0.0, &mut out[start * s.size..end * s.size]);
    }
    out
}

fn head_backward(s: Sizes, [q, k, v]: &[Vec<f32>; 3], lse: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
    let [mut dq, mut dk, mut dv] = [s.zeros(), s.zeros(), s.zeros()];
    let mut weights = vec![0.0; BLOCK.min(s.len) * s.len];
    let mut dscores = weights.clone();
    for start in (0..s.len).step_by(BLOCK) {
        let end = (start + BLOCK).min(s.len);
        let (queries, grads) = (s.mat(q).rows(start, end), s.mat(grad).rows(start, end));
        gemm(queries, s.mat(k).rows(0, end).t(), 0.0, &mut weights);
        gemm(grads, s.mat(v).rows(0, end).t(), 0.0, &mut dscores);
        let rows = weights.chunks_exact_mut(end).zip(dscores.chunks_exact_mut(end));
        for (i, (weights, dscores)) in (start..end).zip(rows) {
            weights[..=i].iter_mut().for_each(|x| *x = exp(*x - lse[i]));
            weights[i + 1..].fill(0.0);
            let mean = dot(weights, Some(dscores));
            for (d, w) in dscores.iter_mut().zip(weights) {
                *d = *w * (*d - mean);
            }
        }
        let block = |data| Mat::new(data, end - start, end);
        gemm(block(&weights).t(), grads, 1.0, &mut dv);
        gemm(block(&dscores).t(), queries, 1.0, &mut dk);
        gemm(block(&dscores), s.mat(k).rows(0, end), 0.0, &mut dq[start * s.size..end * s.size]);
    }
    let scale = s.scale();
    dq.iter_mut().for_each(|x| *x *= scale);
    [dq, dk, dv]
}
