//! Passes over all parameters of a network: one each for the optimiser, the targets and the norm.

use rayon::prelude::*;

use super::kernel::Array;
use super::rows::ROW_BLOCK;
use super::simd::vectorized;
use super::softmax::dot;
use crate::AdamWStep;

/// Numbers per task.
const BLOCK: usize = 64 * ROW_BLOCK;

/// One step for one parameter, in place where nobody else holds the same numbers.
pub(crate) fn adamw(weight: &mut Array, grad: &Array, moments: &mut [Array; 2], step: &AdamWStep) {
    let [first, second] = moments;
    let states = first.data_mut().par_chunks_mut(BLOCK).zip(second.data_mut().par_chunks_mut(BLOCK));
    let values = weight.data_mut().par_chunks_mut(BLOCK).zip(grad.data().par_chunks(BLOCK));
    let factors = Factors::new(step);
    states.zip(values).for_each(|((m, v), (w, g))| adamw_block(w, g, m, v, &factors));
}

/// The numbers of a step that are equal for all entries.
struct Factors {
    betas: [f32; 2],
    rest: [f32; 2],
    bias: [f32; 2],
    keep: f32,
    rate: f32,
    epsilon: f32,
}

impl Factors {
    fn new(step: &AdamWStep) -> Self {
        Self {
            betas: step.betas,
            rest: step.betas.map(|beta| 1.0 - beta),
            bias: step.betas.map(|beta| 1.0 - beta.powi(step.time)),
            keep: (1.0 - step.rate * f64::from(step.weight_decay)) as f32,
            rate: step.rate as f32,
            epsilon: step.epsilon,
        }
    }
}

vectorized! {
    fn adamw_block(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], f: &Factors) {
        // One pass. Operation by operation each would read and write all parameters again.
        for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            *m = *m * f.betas[0] + g * f.rest[0];
            *v = *v * f.betas[1] + g * g * f.rest[1];
            let delta = (*m / f.bias[0]) / ((*v / f.bias[1]).sqrt() + f.epsilon);
            *w = *w * f.keep - delta * f.rate;
        }
    }
}

/// `old ← (1 − tau) old + tau new`.
pub(crate) fn blend(old: &mut Array, new: &Array, tau: f32) {
    let blocks = old.data_mut().par_chunks_mut(BLOCK).zip(new.data().par_chunks(BLOCK));
    blocks.for_each(|(old, new)| blend_block(old, new, tau));
}

vectorized! {
    fn blend_block(old: &mut [f32], new: &[f32], tau: f32) {
        for (old, new) in old.iter_mut().zip(new) {
            *old = *old * (1.0 - tau) + new * tau;
        }
    }
}

/// Sum of the squares, block by block.
pub(crate) fn square_sum(x: &Array) -> f32 {
    // Collected, then added in order: a reduction in parallel would add in another order with other threads.
    let sums: Vec<f32> = x.data().par_chunks(BLOCK).map(square_sum_of_block).collect();
    sums.iter().sum()
}

vectorized! {
    fn square_sum_of_block(x: &[f32]) -> f32 {
        dot(x, Some(x))
    }
}
