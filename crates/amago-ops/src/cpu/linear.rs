//! `f(x W + b)` for an ensemble.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::gemm::{Mat, Start, gemm, gemm_leaky};
use super::kernel::{Array, Kernel};
use super::rows::{ROW_BLOCK, add_rows, least_per_task, rows_per_task};
use super::simd::vectorized;

/// Inputs `x [E, N, I]` with `E` one or `C`, `W [C, I, O]`, `b [C, O]`; output `[C, N, O]`.
#[derive(Debug)]
pub(crate) struct Linear {
    /// Slope of the activation below zero; one for none.
    pub(crate) slope: f32,
}

/// `[E, C, N, I, O]`.
fn sizes(x: &Array, weight: &Array) -> [usize; 5] {
    let (x, w) = (x.dims(), weight.dims());
    [x[0], w[0], x[1], w[1], w[2]]
}

impl Kernel<3> for Linear {
    /// The output of an activation, whose sign says where its slope is one.
    type Saved = Option<Array>;

    fn forward(&self, [x, weight, bias]: [&Array; 3]) -> (Array, Self::Saved) {
        let [e, c, n, i, o] = sizes(x, weight);
        let product = |(k, out): (usize, &mut [MaybeUninit<f32>])| {
            let x = Mat::new(&x.data()[(k % e) * n * i..], n, i);
            let weight = Mat::new(&weight.data()[k * i * o..], i, o);
            let bias = &bias.data()[k * o..(k + 1) * o];
            let rows = rows_per_task(n, 2 * i * o);
            out.par_chunks_mut(rows * o).enumerate().for_each(|(task, out)| {
                let x = x.rows(task * rows, task * rows + out.len() / o);
                gemm_leaky(x, weight, Start::Row(bias), self.slope, out);
            });
        };
        // SAFETY: a product writes all of its result.
        let out = unsafe {
            Array::written(&[c, n, o], |out| {
                let networks = out.par_chunks_mut((n * o).max(1)).enumerate();
                networks.with_min_len(least_per_task(2 * n * i * o)).for_each(product);
            })
        };
        // The output and not the sum before the activation: it is there anyway, and has the same sign.
        let saved = (self.slope != 1.0).then(|| out.clone());
        (out, saved)
    }

    fn backward(
        &self,
        [x, weight, _]: [&Array; 3],
        output: Option<Array>,
        mut grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let [e, c, n, i, o] = sizes(x, weight);
        if let Some(output) = output {
            let block = (ROW_BLOCK * o).max(1);
            let blocks = grad.data_mut().par_chunks_mut(block).zip(output.data().par_chunks(block));
            let blocks = blocks.with_min_len(least_per_task(8 * block));
            blocks.for_each(|(grad, output)| leaky_backward(grad, output, self.slope));
        }
        let grad = grad.data();
        let dx = wanted[0].then(|| input_gradient(grad, weight.data(), [e, c, n, i, o]));
        let dw = wanted[1].then(|| weight_gradient(grad, x.data(), [e, c, n, i, o]));
        let db = wanted[2].then(|| Array::new(bias_gradient(grad, [c, n, o]), &[c, o]));
        [dx, dw, db]
    }
}

/// `dx = dy Wᵀ`, summed over the ensemble where `x` is shared.
fn input_gradient(grad: &[f32], weight: &[f32], [e, c, n, i, o]: [usize; 5]) -> Array {
    // All networks that share an input add to its rows in one task, in order: no partial sums, and the same
    // bits for any number of threads.
    let per_input = c / e;
    let rows = rows_per_task(n, 2 * i * o * per_input);
    let of_rows = |k: usize, start: usize, dx: &mut [MaybeUninit<f32>]| {
        let rows = dx.len() / i;
        let factors = |k: usize| {
            let grad = Mat::new(&grad[k * n * o..], n, o).rows(start, start + rows);
            (grad, Mat::new(&weight[k * i * o..], i, o).t())
        };
        let mut networks = (k * per_input..(k + 1) * per_input).map(factors);
        if let Some((grad, weight)) = networks.next() {
            gemm(grad, weight, Start::Zero, &mut *dx);
        }
        // SAFETY: there is a first network, and its product wrote all of it.
        let dx = unsafe { dx.assume_init_mut() };
        networks.for_each(|(grad, weight)| gemm(grad, weight, Start::Result, &mut *dx));
    };
    // SAFETY: a product writes all of its result.
    unsafe {
        Array::written(&[e, n, i], |dx| {
            let inputs = dx.par_chunks_mut((n * i).max(1)).enumerate();
            inputs.with_min_len(least_per_task(2 * n * i * o * per_input)).for_each(|(k, dx)| {
                dx.par_chunks_mut(rows * i).enumerate().for_each(|(task, dx)| of_rows(k, task * rows, dx));
            });
        })
    }
}

/// `dW = xᵀ dy`, split over the rows of the result.
fn weight_gradient(grad: &[f32], x: &[f32], [e, c, n, i, o]: [usize; 5]) -> Array {
    // Not split over the rows of the batch, though there are more: each entry would then be a sum of sums,
    // one per task.
    let rows = rows_per_task(i, 2 * n * o);
    let of_critic = |(k, dw): (usize, &mut [MaybeUninit<f32>])| {
        let x = Mat::new(&x[(k % e) * n * i..], n, i).t();
        let grad = Mat::new(&grad[k * n * o..], n, o);
        dw.par_chunks_mut(rows * o).enumerate().for_each(|(task, dw)| {
            let start = task * rows;
            gemm(x.rows(start, start + dw.len() / o), grad, Start::Zero, dw);
        });
    };
    // SAFETY: a product writes all of its result.
    unsafe {
        Array::written(&[c, i, o], |dw| {
            let networks = dw.par_chunks_mut((i * o).max(1)).enumerate();
            networks.with_min_len(least_per_task(2 * n * i * o)).for_each(of_critic);
        })
    }
}

fn bias_gradient(grad: &[f32], [c, n, o]: [usize; 3]) -> Vec<f32> {
    let mut db = vec![0.0; c * o];
    db.par_chunks_mut(o.max(1)).enumerate().with_min_len(least_per_task(8 * n * o)).for_each(|(k, db)| {
        add_rows(db, &grad[k * n * o..(k + 1) * n * o]);
    });
    db
}

/// In place, `x ← x` where positive, else `slope · x`.
#[inline(always)]
pub(super) fn leaky(x: &mut [f32], slope: f32) {
    if slope != 1.0 {
        for x in x {
            // A factor rather than a branch, which would keep the loop from being vectorised.
            *x *= if *x > 0.0 { 1.0 } else { slope };
        }
    }
}

vectorized! {
    /// In place, gradient before the activation from the one after it. The output has the sign of the input.
    pub(super) fn leaky_backward(grad: &mut [f32], output: &[f32], slope: f32) {
        for (g, y) in grad.iter_mut().zip(output) {
            *g *= if *y > 0.0 { 1.0 } else { slope };
        }
    }
}
