//! One head of causal attention, block of queries by block of queries. With a window the cost of a block does not
//! depend on the length of the sequence.

use std::borrow::Cow;
use std::ops::Range;

use super::gemm::{Mat, Start, gemm};
use super::rows::add_into;
use super::simd::vectorized;
use super::softmax::{dot, exp, exp_shifted};

/// Queries per block: products stay large, and a third of the masked half is skipped at length 128.
const BLOCK: usize = 64;

/// A query sees its own key, `window` before it, and the first `sinks` of the sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible {
    pub(crate) window: usize,
    pub(crate) sinks: usize,
}

impl Visible {
    /// Keys that a block of a sequence meets at most.
    pub(super) fn most_keys(self, len: usize) -> usize {
        len.min(self.window.saturating_add(self.sinks).saturating_add(BLOCK))
    }
}

/// Queries (scaled), keys and values `[L, E]` of one head.
pub(super) struct Head<'a> {
    pub(super) qkv: [&'a [f32]; 3],
    pub(super) len: usize,
    pub(super) size: usize,
    pub(super) visible: Visible,
}

/// Neighbouring queries and the keys that one of them sees: `sinks` from the start of the sequence and then all from
/// `first` up to the last query. That is also the order of the columns of scores.
#[derive(Clone, Copy)]
struct Block {
    start: usize,
    end: usize,
    first: usize,
    sinks: usize,
    visible: Visible,
}

impl Block {
    fn keys(self) -> usize {
        self.sinks + self.end - self.first
    }

    /// Columns of scores that query `i` does not see although they are in its past, and the first one in its future.
    #[inline(always)]
    fn hidden(self, i: usize) -> (Range<usize>, usize) {
        let column = |key: usize| self.sinks + key - self.first;
        let oldest = i.saturating_sub(self.visible.window).max(self.first);
        // Sinks that are among the near keys stay visible: what is hidden begins behind them.
        let sinks = self.visible.sinks.clamp(self.first, oldest);
        (column(sinks)..column(oldest), column(i + 1))
    }

    /// Rows of keys or values that the block meets.
    fn rows(self, of: &[f32], size: usize) -> Cow<'_, [f32]> {
        let near = &of[self.first * size..self.end * size];
        match self.sinks {
            0 => Cow::Borrowed(near),
            n => Cow::Owned([&of[..n * size], near].concat()),
        }
    }

    /// `to ← to + aᵀ b`, where the rows of `to` belong to the keys of a sequence.
    fn add_product(self, a: Mat, b: Mat, to: &mut [f32]) {
        let size = b.cols;
        let near = self.first * size..self.end * size;
        if self.sinks == 0 {
            return gemm(a.t(), b, Start::Result, &mut to[near]);
        }
        // Sinks lie apart from the near keys, so one product cannot add to both.
        let mut sum = vec![0.0; self.keys() * size];
        gemm(a.t(), b, Start::Zero, &mut sum[..]);
        let (of_sinks, of_near) = sum.split_at(self.sinks * size);
        add_into(&mut to[..of_sinks.len()], of_sinks);
        add_into(&mut to[near], of_near);
    }
}

impl Head<'_> {
    fn blocks(&self) -> impl Iterator<Item = Block> {
        let (len, visible) = (self.len, self.visible);
        (0..len).step_by(BLOCK).map(move |start| {
            let first = start.saturating_sub(visible.window);
            Block { start, end: (start + BLOCK).min(len), first, sinks: visible.sinks.min(first), visible }
        })
    }

    /// Room for the scores of any block.
    fn scores(&self) -> Vec<f32> {
        vec![0.0; BLOCK.min(self.len) * self.visible.most_keys(self.len)]
    }

    fn mat<'a>(&self, data: &'a [f32]) -> Mat<'a> {
        Mat::new(data, data.len() / self.size, self.size)
    }

    /// Output `[L, E]`, and the log-sum-exp of every row of scores.
    pub(super) fn forward(&self, lse: &mut [f32]) -> Vec<f32> {
        let [q, k, v] = self.qkv;
        let mut out = vec![0.0; self.len * self.size];
        let mut scores = self.scores();
        for block in self.blocks() {
            let Block { start, end, .. } = block;
            let (keys, values) = (block.rows(k, self.size), block.rows(v, self.size));
            gemm(self.mat(q).rows(start, end), self.mat(&keys).t(), Start::Zero, &mut scores[..]);
            softmax_rows(&mut scores, block, lse);
            let weights = Mat::new(&scores, end - start, block.keys());
            gemm(weights, self.mat(&values), Start::Zero, &mut out[start * self.size..end * self.size]);
        }
        out
    }

    /// Adds to gradients of scaled queries, keys and values that are zero before.
    pub(super) fn backward(&self, lse: &[f32], grad: &[f32], [dq, dk, dv]: [&mut [f32]; 3]) {
        let [q, k, v] = self.qkv;
        let mut weights = self.scores();
        let mut dscores = weights.clone();
        for block in self.blocks() {
            let Block { start, end, .. } = block;
            let (keys, values) = (block.rows(k, self.size), block.rows(v, self.size));
            let (queries, grads) = (self.mat(q).rows(start, end), self.mat(grad).rows(start, end));
            // Scores are computed again: kept, they would be `L²` numbers of every head.
            gemm(queries, self.mat(&keys).t(), Start::Zero, &mut weights[..]);
            gemm(grads, self.mat(&values).t(), Start::Zero, &mut dscores[..]);
            score_gradient(&mut weights, &mut dscores, block, lse);
            let of_block = |data| Mat::new(data, end - start, block.keys());
            block.add_product(of_block(&weights), grads, dv);
            block.add_product(of_block(&dscores), queries, dk);
            let dq = &mut dq[start * self.size..end * self.size];
            gemm(of_block(&dscores), self.mat(&keys), Start::Zero, dq);
        }
    }
}

vectorized! {
    /// Softmax of the rows of a block over what they see; the rest becomes zero.
    fn softmax_rows(scores: &mut [f32], block: Block, lse: &mut [f32]) {
        for (i, row) in (block.start..block.end).zip(scores.chunks_exact_mut(block.keys())) {
            let (left, future) = block.hidden(i);
            row[left.clone()].fill(f32::NEG_INFINITY);
            let (top, total) = exp_shifted(&mut row[..future]);
            row[..future].iter_mut().for_each(|x| *x /= total);
            // Not left to the exponential, which stops a little above zero.
            row[left].fill(0.0);
            row[future..].fill(0.0);
            // One number per row, from which the way back has the weights without a pass for maximum and sum.
            lse[i] = top + total.ln();
        }
    }
}

vectorized! {
    /// From scores to weights, and from the gradient of the weights to that of the scores.
    fn score_gradient(weights: &mut [f32], dscores: &mut [f32], block: Block, lse: &[f32]) {
        let rows = weights.chunks_exact_mut(block.keys()).zip(dscores.chunks_exact_mut(block.keys()));
        for (i, (weights, dscores)) in (block.start..block.end).zip(rows) {
            let (left, future) = block.hidden(i);
            weights[..future].iter_mut().for_each(|x| *x = exp(*x - lse[i]));
            weights[left].fill(0.0);
            weights[future..].fill(0.0);
            // The Jacobian of the softmax, `w ∘ (g − Σ w g)`. It is zero where the weight is, whatever the
            // product put there.
            let mean = dot(weights, Some(dscores));
            for (d, w) in dscores.iter_mut().zip(weights) {
                *d = *w * (*d - mean);
            }
        }
    }
}
