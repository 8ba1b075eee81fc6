//! Temporal-difference targets.

use burn::tensor::Tensor;

/// `n`-step targets from rewards, terminals and next values, all `[B, L, G]`; `gammas` is
/// `[1, 1, G]` and `mask` is `[B, L, 1]`, one where a transition is real. `next[t]` is the value
/// after transition `t`.
///
/// At most `n` rewards are summed, fewer at a terminal, at padding and at the end of the batch;
/// the bootstrap then follows the last transition used. One step is `r + γ (1−d) q'`, and `k + 1`
/// steps replace `q'` by the `k`-step target of the next transition where there is one.
pub fn n_step_targets(
    rewards: Tensor<3>,
    terminals: Tensor<3>,
    next: Tensor<3>,
    gammas: Tensor<3>,
    mask: Tensor<3>,
    n: usize,
) -> Tensor<3> {
    let [batch, len, g] = next.dims();
    let discount = (terminals.neg() + 1.0) * gammas;
    let mut target = rewards.clone() + discount.clone() * next.clone();
    let steps = n.min(len);
    if steps < 2 {
        return target;
    }
    let follows = mask.slice([0..batch, 1..len, 0..1]).expand([batch, len - 1, g]);
    let (head, last) = (next.clone().slice([0..batch, 0..len - 1, 0..g]), next.narrow(1, len - 1, 1));
    for _ in 1..steps {
        let shifted = target.slice([0..batch, 1..len, 0..g]);
        let value = head.clone() + follows.clone() * (shifted - head.clone());
        target = rewards.clone() + discount.clone() * Tensor::cat(vec![value, last.clone()], 1);
    }
    target
}
