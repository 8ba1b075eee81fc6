//! The way back through a head: the gradient of every input in one pass, tile by tile. Rows whose output has no
//! gradient are left out: padding, and critics that a minimum did not choose.

use rayon::prelude::*;

use super::gemm::{Mat, Start, gemm};
use super::head::{Head, Tile};
use super::kernel::Array;
use super::linear::leaky_backward;
use super::rows::{ROW_BLOCK, add_into, add_rows};
use super::simd::vectorized;
use super::softmax::dot;

/// States per task of the backward pass: each task holds one set of weight gradients.
const STATES_PER_TASK: usize = 1024;

/// Gradients of the inputs of a head that want one, and of its actions.
pub(super) struct Gradients {
    pub(super) inputs: Vec<Option<Array>>,
    pub(super) actions: Option<Array>,
}

/// What is wanted of a pass.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    inputs: &'a [bool],
    actions: bool,
}

impl Wanted<'_> {
    /// Whether the weight or the bias of a layer after the first is wanted.
    fn layer(self, layer: usize) -> bool {
        self.inputs[3 + 2 * layer..5 + 2 * layer].contains(&true)
    }

    fn first_layer(self) -> bool {
        self.actions || self.inputs[..3].contains(&true)
    }
}

/// What a task adds up: gradients by input without the states', and those of its actions with their rows.
struct Sums {
    inputs: Vec<Vec<f32>>,
    actions: Vec<(usize, Vec<f32>)>,
}

/// Where a task stands: its critic, its first state, and room for the gradients of its states.
struct Place<'a> {
    critic: usize,
    first: usize,
    by_state: &'a mut [f32],
}

impl Head<'_> {
    /// From the gradient `[C, K·N·G]` of what each row ends in. `of_logits` makes the gradient of a tile's logits from
    /// its rows, their gradients and their logits, which may be lost.
    pub(super) fn gradients(
        &self,
        grad: &[f32],
        inputs: &[bool],
        actions: bool,
        of_logits: impl Fn(&[usize], &[f32], &mut [f32], &mut [f32]) + Sync,
    ) -> Gradients {
        let wanted = Wanted { inputs, actions };
        let rows = grad.len() / self.critics;
        let mut by_state = vec![0.0; self.critics * self.states * self.hidden];
        let parts: Vec<Vec<Sums>> = by_state
            .par_chunks_mut(self.states * self.hidden)
            .enumerate()
            .map(|(critic, by_state)| {
                let grad = &grad[critic * rows..(critic + 1) * rows];
                let tasks = by_state.par_chunks_mut(STATES_PER_TASK * self.hidden).enumerate();
                let task = |(i, by_state)| {
                    let place = Place { critic, first: i * STATES_PER_TASK, by_state };
                    self.task(place, grad, wanted, &of_logits)
                };
                tasks.map(task).collect()
            })
            .collect();
        let actions = actions.then(|| self.sum_of_actions(&parts));
        let mut by_state = Some(by_state);
        let sum = |(input, wanted): (usize, &bool)| {
            wanted.then(|| {
                let summed = match input {
                    0 => by_state.take().expect("there is one first input"),
                    _ => parts.iter().flat_map(|tasks| sum_of(tasks, input)).collect(),
                };
                Array::new(summed, &self.inputs[input].dims())
            })
        };
        Gradients { inputs: inputs.iter().enumerate().map(sum).collect(), actions }
    }

    fn sum_of_actions(&self, parts: &[Vec<Sums>]) -> Array {
        let mut sum = vec![0.0; self.actions.data().len()];
        // Critics add to the same actions, so tasks cannot do it themselves; here they come in order.
        for (row, found) in parts.iter().flatten().flat_map(|task| &task.actions) {
            add_into(&mut sum[row * self.n_actions..][..found.len()], found);
        }
        Array::new(sum, &self.actions.dims())
    }

    /// The gradients from the states that a place covers.
    fn task(
        &self,
        mut place: Place,
        grad: &[f32],
        wanted: Wanted,
        of_logits: &impl Fn(&[usize], &[f32], &mut [f32], &mut [f32]),
    ) -> Sums {
        let size = |(input, wanted): (&&Array, &bool)| match wanted {
            true => vec![0.0; input.data().len() / self.critics],
            false => Vec::new(),
        };
        let mut inputs: Vec<Vec<f32>> = self.inputs.iter().zip(wanted.inputs).map(size).collect();
        // Tasks of a critic have states of their own: their gradients go to their place at once, without a
        // sum.
        inputs[0].clear();
        let mut sums = Sums { inputs, actions: Vec::new() };
        let (mut tile, mut dtile) = (self.tile(), self.tile());
        let (per_sample, end) = (self.states * self.gammas, place.first + place.by_state.len() / self.hidden);
        for sample in 0..grad.len() / per_sample {
            let [start, end] = [place.first, end].map(|state| sample * per_sample + state * self.gammas);
            let rows: Vec<usize> = (start..end).filter(|row| grad[*row] != 0.0).collect();
            for rows in rows.chunks(ROW_BLOCK) {
                // Forward again, tile by tile, instead of keeping hidden layers and logits of all rows
                // (docs/LOG.md, 2026-11-22, early, fused CPU kernels).
                let scales: Vec<f32> = rows.iter().map(|row| grad[*row]).collect();
                self.forward(place.critic, rows.iter().copied(), &mut tile);
                let last = self.depth();
                of_logits(rows, &scales, &mut tile.0[last], &mut dtile.0[last]);
                self.backward(place.critic, rows.len(), (&tile, &mut dtile), wanted, &mut sums.inputs);
                if wanted.first_layer() {
                    let grad = &dtile.0[0][..rows.len() * self.hidden];
                    first_layer_gradient(self, rows, grad, wanted, &mut place, &mut sums);
                }
            }
        }
        sums
    }

    /// From the gradient of the logits in `dtile` down to the one of the first layer's sum; adds the gradients of
    /// weights and biases.
    fn backward(
        &self,
        c: usize,
        rows: usize,
        (tile, dtile): (&Tile, &mut Tile),
        wanted: Wanted,
        sums: &mut [Vec<f32>],
    ) {
        for layer in (0..self.depth()).rev() {
            let (weight, _, [d_in, d_out]) = self.layer(layer, c);
            let (below, above) = dtile.0.split_at_mut(layer + 1);
            let grad = Mat::new(&above[0], rows, d_out);
            if wanted.inputs[3 + 2 * layer] {
                let input = Mat::new(&tile.0[layer], rows, d_in).t();
                gemm(input, grad, Start::Result, &mut sums[3 + 2 * layer][..]);
            }
            if wanted.inputs[4 + 2 * layer] {
                add_rows(&mut sums[4 + 2 * layer], &above[0][..rows * d_out]);
            }
            // Nothing further down wants a gradient.
            if !(wanted.first_layer() || (0..layer).any(|below| wanted.layer(below))) {
                return;
            }
            let below = &mut below[layer][..rows * d_in];
            gemm(grad, weight.t(), Start::Zero, &mut *below);
            leaky_backward(below, &tile.0[layer], self.slope);
        }
    }
}

/// Sum over tasks of the gradients of one input.
fn sum_of(tasks: &[Sums], input: usize) -> Vec<f32> {
    let mut sum = tasks[0].inputs[input].clone();
    tasks[1..].iter().for_each(|task| add_into(&mut sum, &task.inputs[input]));
    sum
}

vectorized! {
    /// Adds the gradient of the first layer's sum to those of its inputs and to those of the actions.
    fn first_layer_gradient(
        head: &Head,
        rows: &[usize],
        grad: &[f32],
        wanted: Wanted,
        place: &mut Place,
        sums: &mut Sums,
    ) {
        let h = head.hidden;
        let weight = head.part(2, place.critic);
        for (row, grad) in rows.iter().zip(grad.chunks_exact(h)) {
            let [n, g] = head.state_and_gamma(*row);
            if wanted.inputs[0] {
                add_into(&mut place.by_state[(n - place.first) * h..][..h], grad);
            }
            if wanted.inputs[1] {
                add_into(&mut sums.inputs[1][g * h..(g + 1) * h], grad);
            }
            if wanted.inputs[2] {
                for (a, sum) in head.action(*row).iter().zip(sums.inputs[2].chunks_exact_mut(h)) {
                    if *a != 0.0 {
                        sum.iter_mut().zip(grad).for_each(|(s, g)| *s += a * g);
                    }
                }
            }
            if wanted.actions {
                let found = weight.chunks_exact(h).map(|weight| dot(weight, Some(grad))).collect();
                sums.actions.push((*row, found));
            }
        }
    }
}
