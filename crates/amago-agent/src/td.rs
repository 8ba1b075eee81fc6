//! Temporal-difference targets.

use burn::tensor::{Int, Tensor};

/// Transitions of a batch as a TD target sees them.
#[derive(Debug, Clone)]
pub struct Transitions {
    /// Rewards, `[B, L]`.
    pub rewards: Tensor<2>,
    /// One where the environment ended, `[B, L]`.
    pub terminals: Tensor<2>,
    /// One where a transition is real, `[B, L, 1]`.
    pub mask: Tensor<3>,
}

/// What a target believes of an ensemble: the minimum of a random subset where `pessimistic`, else its mean.
///
/// # Shapes
/// - values: `[C, B, L, G]`
/// - subset: `[S, B, L, G]`, indices of critics, drawn with replacement
/// - output: `[B, L, G]`
pub fn reduce_critics(values: Tensor<4>, subset: Tensor<4, Int>, pessimistic: bool) -> Tensor<3> {
    let chosen = values.gather(0, subset);
    let reduced = if pessimistic { chosen.min_dim(0) } else { chosen.mean_dim(0) };
    reduced.squeeze_dim(0)
}

/// `n`-step targets from next values, where `next[t]` is the value after transition `t`.
///
/// At most `n` rewards are summed, fewer at a terminal, at padding and at the end of the batch;
/// the bootstrap then follows the last transition used. One step is `r + γ (1−d) q'`, and `k + 1`
/// steps replace `q'` by the `k`-step target of the next transition where there is one.
///
/// # Shapes
/// - next, output: `[B, L, G]`
/// - gammas: `G` discounts
///
/// # Examples
/// ```
/// use amago_agent::{Transitions, n_step_targets};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let transitions = Transitions {
///     rewards: Tensor::ones([1, 3], &device),
///     terminals: Tensor::zeros([1, 3], &device),
///     mask: Tensor::ones([1, 3, 1], &device),
/// };
/// // Two rewards each, but for the last transition; the values after them are zero.
/// let targets = n_step_targets(&transitions, Tensor::zeros([1, 3, 1], &device), &[0.5], 2);
/// targets.into_data().assert_eq(&[[[1.5f32], [1.5], [1.0]]].into(), false);
/// ```
pub fn n_step_targets(transitions: &Transitions, next: Tensor<3>, gammas: &[f32], n: usize) -> Tensor<3> {
    let [batch, len, g] = next.dims();
    // Padding may hold anything.
    let masked = |x: &Tensor<2>| x.clone().unsqueeze_dim::<3>(2) * transitions.mask.clone();
    let wide = |x: &Tensor<2>| masked(x).expand([batch, len, g]);
    let gammas = Tensor::<1>::from_floats(gammas, &next.device()).unsqueeze::<3>();
    let rewards = wide(&transitions.rewards);
    let discount = (wide(&transitions.terminals).neg() + 1.0) * gammas;
    let mut target = rewards.clone() + discount.clone() * next.clone();
    // More steps than the batch has, which end a run of the original, are as many as it has.
    let steps = n.min(len);
    if steps < 2 {
        return target;
    }
    // A transition before padding has no next one: its own bootstrap stays. Terminals need no care, because a
    // discount of zero ends the sum.
    let follows = transitions.mask.clone().narrow(1, 1, len - 1).expand([batch, len - 1, g]);
    let (head, last) = (next.clone().narrow(1, 0, len - 1), next.narrow(1, len - 1, 1));
    for _ in 1..steps {
        let shifted = target.narrow(1, 1, len - 1);
        let value = head.clone() + follows.clone() * (shifted - head.clone());
        target = rewards.clone() + discount.clone() * Tensor::cat(vec![value, last.clone()], 1);
    }
    target
}
