//! Cross-entropy of the classification head.

use super::head::Head;
use super::kernel::{Array, Kernel};
use super::simd::vectorized;
use super::softmax::{dot, exp_shifted};

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
        let rows = head.rows();
        let mut found = vec![[0.0; 2]; head.critics * rows];
        head.for_each_critic(
            rows,
            &mut found,
            |row| row,
            |tile, start, found| {
                losses(self, start, &mut tile.0[head.depth()], found);
            },
        );
        // Both from one pass: the value needs the same logits, and they are most of the work.
        let part = |i: usize| found.iter().map(move |x| x[i]);
        (Array::new(part(0).chain(part(1)).collect(), &[2, head.critics, rows]), ())
    }

    /// The value takes no gradient: only the first half of `grad` counts.
    fn backward(&self, inputs: [&Array; N], (): (), grad: Array, wanted: [bool; N]) -> [Option<Array>; N] {
        let head = Head::new(&inputs, &self.actions, self.slope);
        let of_losses = &grad.data()[..head.critics * head.rows()];
        let logits = |rows: &[usize], scales: &[f32], logits: &mut [f32], out: &mut [f32]| {
            logit_gradient(self, (rows, scales), logits, out);
        };
        let found = head.gradients(of_losses, &wanted, false, logits);
        found.inputs.try_into().unwrap_or_else(|_| unreachable!("one gradient per input"))
    }
}

impl Classify {
    fn label(&self, row: usize) -> &[f32] {
        let bins = self.bins.len();
        &self.labels.data()[row * bins..(row + 1) * bins]
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
            // Right also for labels that do not sum up to one exactly, as rounded ones do not.
            let loss = dot(label, None) * (top + total.ln()) - aimed;
            *found = [loss, dot(logits, Some(&kernel.bins)) / total];
        }
    }
}

vectorized! {
    /// `(softmax − label) · grad` for some rows, from their logits, which are lost.
    fn logit_gradient(kernel: &Classify, rows: (&[usize], &[f32]), logits: &mut [f32], out: &mut [f32]) {
        let bins = kernel.bins.len();
        let both = logits.chunks_exact_mut(bins).zip(out.chunks_exact_mut(bins));
        for ((row, scale), (logits, out)) in rows.0.iter().zip(rows.1).zip(both) {
            let label = kernel.label(*row);
            let (_, total) = exp_shifted(logits);
            let mass = dot(label, None) / total;
            for ((out, p), label) in out.iter_mut().zip(logits).zip(label) {
                *out = scale * (*p * mass - label);
            }
        }
    }
}
