//! What the critics think of the actions of a batch.

use burn::tensor::Tensor;

use crate::terms::{expected_value, in_return_units};
use crate::{Agent, AgentConfig, Draws, TrainBatch, loss_terms};

/// Values of a batch per timestep and discount, each `[B, L, G]`; the acting discount is the last.
#[derive(Debug, Clone)]
pub struct Values {
    /// `Q(s, a)` of the action taken.
    pub q: Tensor<3>,
    /// `V(s)`: mean of `Q(s, a')` over actions of the current policy.
    pub v: Tensor<3>,
    /// `Q(s, a) − V(s)`.
    pub advantage: Tensor<3>,
    /// Weight of the action in the offline actor loss, without unit: the filter of the advantage.
    pub filter: Tensor<3>,
}

/// What [`inspect`] finds. Padding may hold anything.
#[derive(Debug, Clone)]
pub struct ValueReport {
    /// Means over the critics; the filter is that of the mean advantage, as in the loss.
    pub values: Values,
    /// Standard deviations over the critics (of the population, divisor `C`).
    pub spread: Values,
    /// One where a transition is real, `[B, L, 1]`.
    pub mask: Tensor<3>,
}

/// Looks at a batch through the critics as the loss does, with the terms of [`loss_terms`].
///
/// Critic `c` says `Q_c(s, a)` of the action taken (one-hot blocks softened, as the critics are taught) and
/// `V_c(s) = mean_k Q_c(s, a_k)`, where `a_k` are the `k_actor` actions that the filter uses, or the
/// policy's probabilities where the critics are linear in the action. Then `Q = mean_c Q_c`,
/// `V = mean_c V_c`, `A = Q − V` and the weight is `f(A)`; spreads are standard deviations over `c` of `Q_c`,
/// `V_c`, `Q_c − V_c` and `f(Q_c − V_c)`. Where the loss filters nothing, all weights are one.
///
/// Units: returns, PopArt undone, of the multiplied reward. They are not divided by
/// [`AgentConfig::reward_multiplier`]: for returns of the environment's reward, divide by it. The
/// filter sees the advantage in the critics' units, before PopArt is undone.
///
/// Nothing of the agent changes, and the results have no gradient; an agent on a device without autodiff
/// saves the memory for one. `None` where the agent trains no critic: [`AgentConfig::uses_critic`].
pub fn inspect(
    agent: &Agent,
    config: &AgentConfig,
    batch: &TrainBatch,
    draws: &mut dyn Draws,
) -> Option<ValueReport> {
    let terms = loss_terms(agent, config, batch, draws);
    let (critic, sampled) = (terms.critic?, terms.actor.values?);
    let returns = |x: Tensor<3>| in_return_units(config, &agent.popart, x.detach());
    let (q, v) = (returns(critic.value), returns(expected_value(sampled.clone())));
    let values = Values { advantage: q.clone() - v.clone(), q, v, filter: terms.actor.filter.detach() };
    // From here on critic by critic, for the spread.
    let (q, v) = (critic.values.detach(), sampled.detach().mean_dim(1).squeeze_dim::<4>(1));
    // Before PopArt is undone, as in the loss; the original looks at another scale here than it learns by.
    let filter = match terms.actor.advantage {
        Some(_) => config.filter.weight(q.clone() - v.clone()),
        None => q.ones_like(),
    };
    let [q, v] = [q, v].map(|x| in_return_units(config, &agent.popart, x));
    let [q, v, advantage, filter] = [q.clone(), v.clone(), q - v, filter].map(deviation);
    Some(ValueReport { values, spread: Values { q, v, advantage, filter }, mask: terms.mask })
}

/// Standard deviation of `[C, B, L, G]` over `C`.
pub(crate) fn deviation(x: Tensor<4>) -> Tensor<3> {
    let mean = x.clone().mean_dim(0);
    (x - mean).square().mean_dim(0).sqrt().squeeze_dim(0)
}
