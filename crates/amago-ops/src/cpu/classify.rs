//! Cross-entropy of the classification head: forward in tiles, and the gradient of every input in one pass.

use rayon::prelude::*;

use super::head::Head;
use super::kernel::{Array, Kernel};
use super::rows::{ROW_BLOCK, add_into};
use super::simd::vectorized;
use super::softmax::{dot, exp_shifted};

/// States per task of the backward pass: each task holds one set of weight gradients.
const STATES_PER_TASK: usize = 1024;

/// Cross-entropy and expected bin of actions `[1, N, G, A]` against labels `[N·G, bins]`; output `[2, C, N·G]`.
#[derive(Debug)]
pub(crate) struct Classify {
    pub(crate) actions: Array,
    pub(crate) labels: Array,
    pub(crate) bins: Vec<f32>,
    pub(crate) slope: f32,
}

impl<const N: usize> Kernel<N> for Classify {
    type Saved = ();

    fn forward(&self, inputs: [&Array; N]) -> (Array, ()) {
        let head = Head::new(&inputs, &self.actions, self.slope);
        let rows = head.states * head.gammas;
        let mut found = vec![[0.0; 2]; head.critics * rows];
        found.par_chunks_mut(rows).enumerate().for_each(|(c, found)| {
            head.for_each_tile(
                c,
                |row| row,
                found,
                |tile, start, found| {
                    losses(self, start, &mut tile.0[head.depth()], found);
                },
            );
        });
        let part = |i: usize| found.iter().map(move |x| x[i]);
        (Array::new(part(0).chain(part(1)).collect(), &[2, head.critics, rows]), ())
    }

    /// The value takes no gradient: only the first half of `grad` counts.
    fn backward(&self, inputs: [&Array; N], (): (), grad: Array, _: [bool; N]) -> [Option<Array>; N] {
        let head = Head::new(&inputs, &self.actions, self.slope);
        let rows = head.states * head.gammas;
        let mut by_state = vec![0.0; head.critics * head.states * head.hidden];
        let parts: Vec<Vec<Vec<Vec<f32>>>> = by_state
            .par_chunks_mut(head.states * head.hidden)
            .enumerate()
            .map(|(c, by_state)| {
                let grad = &grad.data()[c * rows..(c + 1) * rows];
                let tasks = by_state.par_chunks_mut(STATES_PER_TASK * head.hidden).enumerate();
                tasks.map(|(i, out)| self.task(&head, [c, i * STATES_PER_TASK], grad, out)).collect()
            })
            .collect();
        let mut by_state = Some(by_state);
        std::array::from_fn(|input| {
            let summed = match input {
                0 => by_state.take().expect("there is one first input"),
                _ => parts.iter().flat_map(|tasks| sum_of(tasks, input)).collect(),
            };
            Some(Array::new(summed, &inputs[input].dims()))
        })
    }
}

/// Sum over tasks of the gradients of one input.
fn sum_of(tasks: &[Vec<Vec<f32>>], input: usize) -> Vec<f32> {
    let mut sum = tasks[0][input].clone();
    tasks[1..].iter().for_each(|task| add_into(&mut sum, &task[input]));
    sum
}

impl Classify {
    fn label(&self, row: usize) -> &[f32] {
        let bins = self.bins.len();
        &self.labels.data()[row * bins..(row + 1) * bins]
    }

    /// Gradients of critic `c` from the states that `by_state` covers, from `first` on: adds the states' own, and
    /// returns those of the other inputs by input number.
    fn task(&self, head: &Head, [c, first]: [usize; 2], grad: &[f32], by_state: &mut [f32]) -> Vec<Vec<f32>> {
        let h = head.hidden;
        let size = |input: &&Array| input.data().len() / head.critics;
        let mut sums: Vec<Vec<f32>> = head.inputs.iter().map(|x| vec![0.0; size(x)]).collect();
        sums[0].clear();
        let (mut tile, mut dtile) = (head.tile(), head.tile());
        let end = (first + by_state.len() / h) * head.gammas;
        for start in (first * head.gammas..end).step_by(ROW_BLOCK) {
            let rows = ROW_BLOCK.min(end - start);
            head.forward(c, start..start + rows, &mut tile);
            let scales = &grad[start..start + rows];
            let last = head.depth();
            logit_gradient(self, scales, start, &mut tile.0[last], &mut dtile.0[last]);
            head.backward(c, rows, &tile, &mut dtile, &mut sums);
            first_layer_gradient(head, start, &dtile.0[0][..rows * h], (first, by_state), &mut sums);
        }
        sums
    }
}

vectorized! {
    /// Cross-entropy and expected bin of rows from `start` on. The logits are lost.
    fn losses(kernel: &Classify, start: usize, logits: &mut [f32], found: &mut [[f32; 2]]) {
        let logits = logits.chunks_exact_mut(kernel.bins.len());
        for ((row, found), logits) in (start..).zip(found).zip(logits) {
            let label = kernel.label(row);
            let aimed = dot(logits, Some(label));
            let (top, total) = exp_shifted(logits);
            let loss = dot(label, None) * (top + total.ln()) - aimed;
            *found = [loss, dot(logits, Some(&kernel.bins)) / total];
        }
    }
}

vectorized! {
    /// `(softmax − label) · grad` for rows from `start` on, from their logits, which are lost.
    fn logit_gradient(kernel: &Classify, grad: &[f32], start: usize, logits: &mut [f32], out: &mut [f32]) {
        let bins = kernel.bins.len();
        let rows = logits.chunks_exact_mut(bins).zip(out.chunks_exact_mut(bins));
        for ((row, scale), (logits, out)) in (start..).zip(grad).zip(rows) {
            let label = kernel.label(row);
            let (_, total) = exp_shifted(logits);
            let mass = dot(label, None) / total;
            for ((out, p), label) in out.iter_mut().zip(logits).zip(label) {
                *out = scale * (*p * mass - label);
            }
        }
    }
}

vectorized! {
    /// Adds the gradient of the first layer's sum to those of its three inputs: the states', from `first` on, and
    /// those in `sums`.
    fn first_layer_gradient(
        head: &Head,
        start: usize,
        grad: &[f32],
        by_state: (usize, &mut [f32]),
        sums: &mut [Vec<f32>],
    ) {
        let h = head.hidden;
        let (first, by_state) = by_state;
        for (row, grad) in (start..).zip(grad.chunks_exact(h)) {
            let [n, g] = head.state_and_gamma(row);
            add_into(&mut by_state[(n - first) * h..(n - first + 1) * h], grad);
            add_into(&mut sums[1][g * h..(g + 1) * h], grad);
            for (a, sum) in head.action(row).iter().zip(sums[2].chunks_exact_mut(h)) {
                if *a != 0.0 {
                    sum.iter_mut().zip(grad).for_each(|(s, g)| *s += a * g);
                }
            }
        }
    }
}
