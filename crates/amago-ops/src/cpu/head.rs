//! The classification head in tiles of rows that stay in the cache: nothing of the size of a hidden layer or of the
//! logits is ever stored for all rows. The backward pass computes a tile again.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::gemm::{Mat, Start, gemm_leaky};
use super::kernel::{Array, Input, Kernel, apply};
use super::linear::leaky;
use super::rows::ROW_BLOCK;
use super::simd::vectorized;
use super::softmax::{dot, exp_shifted};

/// Deepest head with a kernel; deeper ones are composed.
pub(crate) const MAX_LAYERS: usize = 3;

/// Expected bin of actions `[K, N, G, A]`; output `[C, K·N·G]`. It has no gradient.
#[derive(Debug)]
pub(crate) struct Expect {
    pub(crate) actions: Array,
    pub(crate) bins: Vec<f32>,
    pub(crate) slope: f32,
}

/// A kernel on the `3 + 2 · layers` tensors of a head, and maybe its actions.
pub(crate) trait HeadKernel:
    Kernel<5> + Kernel<6> + Kernel<7> + Kernel<8> + Kernel<9> + Kernel<10>
{
}
impl<K: Kernel<5> + Kernel<6> + Kernel<7> + Kernel<8> + Kernel<9> + Kernel<10>> HeadKernel for K {}

/// Runs a kernel on the tensors of a head, whatever their number.
pub(crate) fn apply_any<K: HeadKernel, const D: usize>(kernel: K, inputs: Vec<Input>) -> Tensor<D> {
    fn exactly<const N: usize>(inputs: Vec<Input>) -> [Input; N] {
        inputs.try_into().unwrap_or_else(|_| unreachable!("the length was matched"))
    }
    // Burn counts the inputs of a recorded operation at compile time.
    match inputs.len() {
        5 => apply::<K, 5, D>(kernel, exactly(inputs)),
        6 => apply::<K, 6, D>(kernel, exactly(inputs)),
        7 => apply::<K, 7, D>(kernel, exactly(inputs)),
        8 => apply::<K, 8, D>(kernel, exactly(inputs)),
        9 => apply::<K, 9, D>(kernel, exactly(inputs)),
        10 => apply::<K, 10, D>(kernel, exactly(inputs)),
        n => unreachable!("{n} inputs: a head has one to three layers after its first"),
    }
}

/// The tensors of one head, and the sizes that follow from them.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) inputs: &'a [&'a Array],
    pub(super) actions: &'a Array,
    pub(super) slope: f32,
    pub(super) critics: usize,
    pub(super) states: usize,
    pub(super) gammas: usize,
    pub(super) n_actions: usize,
    pub(super) hidden: usize,
}

/// Activations of one tile: one buffer per layer, the last one holds logits.
pub(super) struct Tile(pub(super) Vec<Vec<f32>>);

impl<'a> Head<'a> {
    pub(super) fn new(inputs: &'a [&'a Array], actions: &'a Array, slope: f32) -> Self {
        let (state, gamma, weight) = (inputs[0].dims(), inputs[1].dims(), inputs[2].dims());
        Self {
            inputs,
            actions,
            slope,
            critics: state[0],
            states: state[1],
            gammas: gamma[1],
            n_actions: weight[1],
            hidden: state[2],
        }
    }

    /// Part `c` of an input with leading dimension `C`.
    pub(super) fn part(&self, input: usize, c: usize) -> &'a [f32] {
        let data = self.inputs[input].data();
        let size = data.len() / self.critics;
        &data[c * size..(c + 1) * size]
    }

    /// Number of layers after the first.
    pub(super) fn depth(&self) -> usize {
        (self.inputs.len() - 3) / 2
    }

    /// Weight, bias and `[inputs, outputs]` of a layer after the first.
    pub(super) fn layer(&self, layer: usize, c: usize) -> (Mat<'a>, &'a [f32], [usize; 2]) {
        let dims = self.inputs[3 + 2 * layer].dims();
        let weight = Mat::new(self.part(3 + 2 * layer, c), dims[1], dims[2]);
        (weight, self.part(4 + 2 * layer, c), [dims[1], dims[2]])
    }

    pub(super) fn tile(&self) -> Tile {
        let widths = (0..self.depth()).map(|layer| self.layer(layer, 0).2[1]);
        Tile([self.hidden].into_iter().chain(widths).map(|w| vec![0.0; w * ROW_BLOCK]).collect())
    }

    pub(super) fn action(&self, row: usize) -> &'a [f32] {
        &self.actions.data()[row * self.n_actions..(row + 1) * self.n_actions]
    }

    /// `[K, N, G]` row number to state and discount.
    pub(super) fn state_and_gamma(&self, row: usize) -> [usize; 2] {
        [row / self.gammas % self.states, row % self.gammas]
    }

    /// Fills a tile with some rows.
    pub(super) fn forward(&self, c: usize, rows: impl ExactSizeIterator<Item = usize>, tile: &mut Tile) {
        let count = rows.len();
        let rows: Vec<usize> = rows.collect();
        first_layer(self, c, &rows, &mut tile.0[0]);
        for layer in 0..self.depth() {
            let (weight, bias, [d_in, d_out]) = self.layer(layer, c);
            let (before, after) = tile.0.split_at_mut(layer + 1);
            let slope = if layer + 1 < self.depth() { self.slope } else { 1.0 };
            let before = Mat::new(&before[layer], count, d_in);
            gemm_leaky(before, weight, Start::Row(bias), slope, &mut after[0][..count * d_out]);
        }
    }

    /// Rows of one critic: `K·N·G`.
    pub(super) fn rows(&self) -> usize {
        self.actions.data().len() / self.n_actions
    }

    /// [`for_each_tile`](Self::for_each_tile) of every critic, each of which has `rows` entries of `out`.
    pub(super) fn for_each_critic<T: Send>(
        &self,
        rows: usize,
        out: &mut [T],
        place: impl Fn(usize) -> usize + Sync,
        each: impl Fn(&mut Tile, usize, &mut [T]) + Sync,
    ) {
        let critics = out.par_chunks_mut(rows).enumerate();
        critics.for_each(|(c, out)| self.for_each_tile(c, &place, out, &each));
    }

    /// Calls `each` with tiles of the rows of critic `c` that `place` names, split over tasks; `out` is cut alike.
    fn for_each_tile<T: Send>(
        &self,
        c: usize,
        place: impl Fn(usize) -> usize + Sync,
        out: &mut [T],
        each: impl Fn(&mut Tile, usize, &mut [T]) + Sync,
    ) {
        out.par_chunks_mut(8 * ROW_BLOCK).enumerate().for_each(|(task, out)| {
            // Eight blocks share a set of buffers, so that making it costs little.
            let mut tile = self.tile();
            for (block, out) in out.chunks_mut(ROW_BLOCK).enumerate() {
                let start = (task * 8 + block) * ROW_BLOCK;
                self.forward(c, (start..start + out.len()).map(&place), &mut tile);
                each(&mut tile, start, out);
            }
        });
    }

    /// Rows whose action no earlier sample for the same state and discount had, and for every row its number among
    /// those. What is computed for a repeated row would be computed again.
    fn distinct(&self) -> (Vec<usize>, Vec<usize>) {
        let (rows, per_sample) = (self.rows(), self.states * self.gammas);
        let (mut first, mut number) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in 0..rows {
            // There are few samples, three by default in AMAGO-2, so looking through them is cheaper than a table.
            let mut earlier = (row % per_sample..row).step_by(per_sample);
            number.push(match earlier.find(|other| self.action(*other) == self.action(row)) {
                Some(other) => number[other],
                None => {
                    first.push(row);
                    first.len() - 1
                }
            });
        }
        (first, number)
    }
}

impl<const N: usize> Kernel<N> for Expect {
    type Saved = ();

    fn forward(&self, inputs: [&Array; N]) -> (Array, ()) {
        let head = Head::new(&inputs, &self.actions, self.slope);
        let (first, number) = head.distinct();
        let mut found = vec![0.0; head.critics * first.len()];
        head.for_each_critic(
            first.len(),
            &mut found,
            |i| first[i],
            |tile, _, found| {
                expected_bins(&mut tile.0[head.depth()], &self.bins, found);
            },
        );
        let of_critic = found.chunks_exact(first.len());
        let out = of_critic.flat_map(|found| number.iter().map(|i| found[*i])).collect();
        (Array::new(out, &[head.critics, number.len(), 1]), ())
    }

    fn backward(&self, _: [&Array; N], (): (), _: Array, _: [bool; N]) -> [Option<Array>; N] {
        [const { None }; N]
    }
}

vectorized! {
    /// The first layer of some rows: the sum of three shares.
    fn first_layer(head: &Head, c: usize, rows: &[usize], out: &mut [f32]) {
        let h = head.hidden;
        let [state, gamma, weight] = [0, 1, 2].map(|input| head.part(input, c));
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(h)) {
            let [n, g] = head.state_and_gamma(*row);
            let shares = state[n * h..(n + 1) * h].iter().zip(&gamma[g * h..(g + 1) * h]);
            for (out, (s, g)) in out.iter_mut().zip(shares) {
                *out = s + g;
            }
            let action = head.action(*row).iter().zip(weight.chunks_exact(h));
            // Sampled choices are one-hot: nearly all of their numbers are zero.
            for (a, weight) in action.filter(|(a, _)| **a != 0.0) {
                for (out, w) in out.iter_mut().zip(weight) {
                    *out += a * w;
                }
            }
            leaky(out, head.slope);
        }
    }
}

vectorized! {
    /// `Σ softmax(logits) · bins` of as many rows as `found` has entries. The logits are lost.
    fn expected_bins(logits: &mut [f32], bins: &[f32], found: &mut [f32]) {
        for (found, logits) in found.iter_mut().zip(logits.chunks_exact_mut(bins.len())) {
            let (_, total) = exp_shifted(logits);
            *found = dot(logits, Some(bins)) / total;
        }
    }
}
