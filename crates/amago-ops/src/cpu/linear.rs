//! `f(x W + b)` for an ensemble.

use rayon::prelude::*;

use super::gemm::{Mat, ROW_BLOCK, add_into, gemm};
use super::kernel::{Array, Kernel};

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
    /// The output, whose sign says where the activation's slope is one.
    type Saved = Array;

    fn forward(&self, [x, weight, bias]: [&Array; 3]) -> (Array, Array) {
        let [e, c, n, i, o] = sizes(x, weight);
        let mut out = vec![0.0; c * n * o];
        out.par_chunks_mut((n * o).max(1)).enumerate().for_each(|(k, out)| {
            let x = Mat::new(&x.data()[(k % e) * n * i..], n, i);
            let weight = Mat::new(&weight.data()[k * i * o..], i, o);
            let bias = &bias.data()[k * o..(k + 1) * o];
            out.par_chunks_mut(ROW_BLOCK * o).enumerate().for_each(|(block, out)| {
                let start = block * ROW_BLOCK;
                for row in out.chunks_exact_mut(o) {
                    row.copy_from_slice(bias);
                }
                gemm(x.rows(start, start + out.len() / o), weight, 1.0, out);
                leaky(out, self.slope);
            });
        });
        let out = Array::new(out, &[c, n, o]);
        (out.clone(), out)
    }

    fn backward(
        &self,
        [x, weight, _]: [&Array; 3],
        output: Array,
        mut grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let [e, c, n, i, o] = sizes(x, weight);
        if self.slope != 1.0 {
            let block = ROW_BLOCK * o;
            let blocks = grad.data_mut().par_chunks_mut(block).zip(output.data().par_chunks(block));
            blocks.for_each(|(grad, output)| leaky_backward(grad, output, self.slope));
        }
        let grad = grad.data();
        let dx =
            wanted[0].then(|| Array::new(input_gradient(grad, weight.data(), [e, c, n, i, o]), &[e, n, i]));
        let dw = wanted[1].then(|| Array::new(weight_gradient(grad, x.data(), [e, c, n, i, o]), &[c, i, o]));
        let db = wanted[2].then(|| Array::new(bias_gradient(grad, [c, n, o]), &[c, o]));
        [dx, dw, db]
    }
}

/// `dx = dy Wᵀ`, summed over the ensemble where `x` is shared.
fn input_gradient(grad: &[f32], weight: &[f32], [e, c, n, i, o]: [usize; 5]) -> Vec<f32> {
    let mut dx = vec![0.0; e * n * i];
    let per_input = c / e;
    dx.par_chunks_mut((n * i).max(1)).enumerate().for_each(|(k, dx)| {
        dx.par_chunks_mut(ROW_BLOCK * i).enumerate().for_each(|(block, dx)| {
            let start = block * ROW_BLOCK;
            for (pass, k) in (k * per_input..(k + 1) * per_input).enumerate() {
                let grad = Mat::new(&grad[k * n * o..], n, o).rows(start, start + dx.len() / i);
                let weight = Mat::new(&weight[k * i * o..], i, o);
                gemm(grad, weight.t(), if pass == 0 { 0.0 } else { 1.0 }, dx);
            }
        });
    });
    dx
}

/// `dW = xᵀ dy`, split over the rows of the result.
fn weight_gradient(grad: &[f32], x: &[f32], [e, c, n, i, o]: [usize; 5]) -> Vec<f32> {
    let mut dw = vec![0.0; c * i * o];
    let block = i.div_ceil(4).max(32);
    dw.par_chunks_mut(i * o).enumerate().for_each(|(k, dw)| {
        let x = Mat::new(&x[(k % e) * n * i..], n, i).t();
        let grad = Mat::new(&grad[k * n * o..], n, o);
        dw.par_chunks_mut(block * o).enumerate().for_each(|(part, dw)| {
            let start = part * block;
            gemm(x.rows(start, start + dw.len() / o), grad, 0.0, dw);
        });
    });
    dw
}

fn bias_gradient(grad: &[f32], [c, n, o]: [usize; 3]) -> Vec<f32> {
    let mut db = vec![0.0; c * o];
    db.par_chunks_mut(o).enumerate().for_each(|(k, db)| {
        for row in grad[k * n * o..(k + 1) * n * o].chunks_exact(o) {
            add_into(db, row);
        }
    });
    db
}

/// In place, `x ← x` where positive, else `slope · x`.
pub(super) fn leaky(x: &mut [f32], slope: f32) {
    if slope != 1.0 {
        for x in x {
            *x *= if *x > 0.0 { 1.0 } else { slope };
        }
    }
}

/// In place, gradient before the activation from the one after it. The output has the sign of the input.
pub(super) fn leaky_backward(grad: &mut [f32], output: &[f32], slope: f32) {
    for (g, y) in grad.iter_mut().zip(output) {
        *g *= if *y > 0.0 { 1.0 } else { slope };
    }
}
