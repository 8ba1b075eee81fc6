//! Outputs of a head as they are, with a gradient to its actions as well.

use super::head::Head;
use super::kernel::{Array, Kernel};

/// The only output of each action `[K, N, G, A]`, which is the last input; output `[C, K·N·G, 1]`.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) slope: f32,
}

impl<const N: usize> Kernel<N> for Values {
    type Saved = ();

    fn forward(&self, inputs: [&Array; N]) -> (Array, ()) {
        let [inputs @ .., actions] = &inputs[..] else { unreachable!("actions are an input") };
        let head = Head::new(inputs, actions, self.slope);
        let rows = head.rows();
        let mut found = vec![0.0; head.critics * rows];
        head.for_each_critic(
            rows,
            &mut found,
            |row| row,
            |tile, _, found| {
                found.copy_from_slice(&tile.0[head.depth()][..found.len()]);
            },
        );
        (Array::new(found, &[head.critics, rows, 1]), ())
    }

    fn backward(&self, inputs: [&Array; N], (): (), grad: Array, wanted: [bool; N]) -> [Option<Array>; N] {
        let [inputs @ .., actions] = &inputs[..] else { unreachable!("actions are an input") };
        let [wanted @ .., of_actions] = &wanted[..] else { unreachable!("actions are an input") };
        let head = Head::new(inputs, actions, self.slope);
        // The output is the value itself, so its gradient is that of the row.
        let of_outputs = |_: &[usize], grad: &[f32], _: &mut [f32], out: &mut [f32]| {
            out[..grad.len()].copy_from_slice(grad);
        };
        let mut found = head.gradients(grad.data(), wanted, *of_actions, of_outputs);
        found.inputs.push(found.actions);
        found.inputs.try_into().unwrap_or_else(|_| unreachable!("one gradient per input"))
    }
}
