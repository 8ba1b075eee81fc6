//! Causal attention that keeps no `L × L` matrix: blocks of queries, and the row's log-sum-exp for the way back
//! (Dao et al. 2022, arXiv 2205.14135). The blocks themselves are in `block.rs`.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::block::{Head, Visible};
use super::kernel::{Array, Kernel, written};
use super::rows::least_per_task;
use super::simd::vectorized;

/// Input `qkv [B, L, 3·E·H]` as `(three, E, H)`; output `[B, L, H, E]`.
#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) n_heads: usize,
    pub(crate) visible: Visible,
}

/// `L`, `E`, `H`, and who sees whom.
#[derive(Clone, Copy)]
struct Sizes {
    len: usize,
    size: usize,
    heads: usize,
    visible: Visible,
}

impl Sizes {
    fn scale(self) -> f32 {
        (self.size as f32).powf(-0.5)
    }

    /// Numbers of one head of one of query, key and value.
    fn head(self) -> usize {
        self.len * self.size
    }

    /// Operations per multiply-add of one sequence's scores.
    fn cost(self) -> usize {
        self.len.saturating_mul(self.visible.most_keys(self.len)).saturating_mul(self.size * self.heads)
    }

    /// Queries (scaled), keys and values `[3, H, L, E]` of a packed sequence.
    fn unpack(self, packed: &[f32]) -> Vec<f32> {
        // The packed order, heads fastest, is that of the original's weights. Products want the numbers of
        // one head side by side.
        // SAFETY: every number has its place.
        let mut parts = unsafe { written(packed.len(), |parts| regroup(self, packed, parts)) };
        // Queries instead of scores: `E` products per row instead of `L`.
        let scale = self.scale();
        parts[..self.heads * self.head()].iter_mut().for_each(|q| *q *= scale);
        parts
    }

    /// Queries, keys and values of one head.
    fn of_head(self, parts: &[f32], head: usize) -> Head<'_> {
        let part = |part| &parts[(part * self.heads + head) * self.head()..][..self.head()];
        Head { qkv: [0, 1, 2].map(part), len: self.len, size: self.size, visible: self.visible }
    }
}

vectorized! {
    /// From `[L, 3, E, H]` to `[3, H, L, E]`.
    fn regroup(s: Sizes, from: &[f32], to: &mut [MaybeUninit<f32>]) {
        for (l, row) in from.chunks_exact(3 * s.size * s.heads).enumerate() {
            for (part, block) in row.chunks_exact(s.size * s.heads).enumerate() {
                for h in 0..s.heads {
                    let to = &mut to[((part * s.heads + h) * s.len + l) * s.size..][..s.size];
                    // The usual numbers of heads as constants, for the compiler.
                    match s.heads {
                        4 => pick::<4>(&block[h..], to),
                        8 => pick::<8>(&block[h..], to),
                        n => to.iter_mut().zip(block[h..].iter().step_by(n)).for_each(|(to, x)| _ = to.write(*x)),
                    }
                }
            }
        }
    }
}

/// Every `H`-th number.
#[inline(always)]
fn pick<const H: usize>(from: &[f32], to: &mut [MaybeUninit<f32>]) {
    for (i, to) in to.iter_mut().enumerate() {
        to.write(from[i * H]);
    }
}

vectorized! {
    /// The way back of [`regroup`].
    fn ungroup(s: Sizes, from: &[f32], to: &mut [MaybeUninit<f32>]) {
        for (l, row) in to.chunks_exact_mut(3 * s.size * s.heads).enumerate() {
            for (part, block) in row.chunks_exact_mut(s.size * s.heads).enumerate() {
                for h in 0..s.heads {
                    let from = &from[((part * s.heads + h) * s.len + l) * s.size..][..s.size];
                    let to = block[h..].iter_mut().step_by(s.heads);
                    to.zip(from).for_each(|(to, from)| _ = to.write(*from));
                }
            }
        }
    }
}

impl Attention {
    fn sizes(&self, qkv: &Array) -> Sizes {
        let dims = qkv.dims();
        let size = dims[2] / 3 / self.n_heads;
        // What is written relies on it.
        assert_eq!([size, self.n_heads, 3].iter().product::<usize>(), dims[2], "whole heads");
        Sizes { len: dims[1], size, heads: self.n_heads, visible: self.visible }
    }
}

impl Kernel<1> for Attention {
    /// Log-sum-exp of every row of scores, `[B, H, L]`.
    type Saved = Vec<f32>;

    fn forward(&self, [qkv]: [&Array; 1]) -> (Array, Vec<f32>) {
        let s = self.sizes(qkv);
        let width = s.heads * s.size;
        let batch = qkv.dims()[0];
        let mut lse = vec![0.0; batch * s.heads * s.len];
        let of_sequence = |out: &mut [MaybeUninit<f32>], lse: &mut [f32], packed: &[f32]| {
            let parts = s.unpack(packed);
            for (head, lse) in lse.chunks_exact_mut(s.len).enumerate() {
                let result = s.of_head(&parts, head).forward(lse);
                for (to, from) in out.chunks_exact_mut(width).zip(result.chunks_exact(s.size)) {
                    to[head * s.size..(head + 1) * s.size].write_copy_of_slice(from);
                }
            }
        };
        // SAFETY: the heads of a sequence write all of its rows.
        let out = unsafe {
            Array::written(&[batch, s.len, s.heads, s.size], |out| {
                out.par_chunks_mut(s.len * width)
                    .zip(lse.par_chunks_mut(s.heads * s.len))
                    .zip(qkv.data().par_chunks(s.len * 3 * width))
                    .with_min_len(least_per_task(s.cost().saturating_mul(4)))
                    .for_each(|((out, lse), packed)| of_sequence(out, lse, packed));
            })
        };
        (out, lse)
    }

    fn backward(&self, [qkv]: [&Array; 1], lse: Vec<f32>, grad: Array, _: [bool; 1]) -> [Option<Array>; 1] {
        let s = self.sizes(qkv);
        let width = s.heads * s.size;
        let of_sequence = |out: &mut [MaybeUninit<f32>], packed: &[f32], [grad, lse]: [&[f32]; 2]| {
            // Unpacked again: kept, the parts would be as large as the input once more.
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
                s.of_head(&parts, head).backward(lse, &head_grad, of_head);
            }
            // What was scaled on the way in is scaled on the way back.
            let scale = s.scale();
            grads[..s.heads * s.head()].iter_mut().for_each(|dq| *dq *= scale);
            ungroup(s, &grads, out);
        };
        // SAFETY: every number of a sequence has its place.
        let out = unsafe {
            Array::written(&qkv.dims(), |out| {
                out.par_chunks_mut(s.len * 3 * width)
                    .zip(qkv.data().par_chunks(s.len * 3 * width))
                    .zip(grad.data().par_chunks(s.len * width))
                    .zip(lse.par_chunks(s.heads * s.len))
                    .with_min_len(least_per_task(s.cost().saturating_mul(10)))
                    .for_each(|(((out, packed), grad), lse)| of_sequence(out, packed, [grad, lse]));
            })
        };
        [Some(out)]
    }
}
