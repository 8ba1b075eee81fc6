//! The one loss of both agents: masked means of its terms.

use burn::tensor::Tensor;

use crate::inspect::deviation;
use crate::mask::{Weighting, Weights};
use crate::report::Seen;
use crate::terms::in_return_units;
use crate::{
    Agent, AgentConfig, CriticKind, Draws, LossReport, LossTensors, LossTerms, PaddingMask, PopArt,
    TrainBatch, loss_terms,
};

/// What one loss computed.
pub struct Loss {
    /// The scalar to differentiate.
    pub total: Tensor<1>,
    /// PopArt statistics after this batch.
    pub popart: PopArt,
    /// Means for logging.
    pub report: LossTensors,
}

/// Actor and critic loss of a batch. [`Agent::begin_update`] comes before it.
pub fn loss(agent: &Agent, config: &AgentConfig, batch: &TrainBatch, draws: &mut dyn Draws) -> Loss {
    let terms = loss_terms(agent, config, batch, draws);
    let weights = Weighting::new(batch, dims(config), &PaddingMask).of([&terms].into_iter());
    reduce(terms, config, &weights)
}

/// Critics and discounts.
pub(crate) fn dims(config: &AgentConfig) -> [usize; 2] {
    [config.n_critics, config.gammas().len()]
}

/// Weighted sums of the terms.
pub(crate) fn reduce(terms: LossTerms, config: &AgentConfig, weights: &Weights) -> Loss {
    let LossTerms { actor, critic, entropy, popart, .. } = terms;
    let zero = || Tensor::zeros([1], &weights.step.device());
    // Figures are those of the discount that acts: means over discounts would mix horizons, and so units.
    let acting = |x: Tensor<3>| {
        let last = x.dims()[2] - 1;
        (x.detach().narrow(2, last, 1) * weights.step.clone()).sum()
    };
    let over_all = |x: Tensor<3>| (x.mean_dim(2) * weights.step.clone()).sum();
    let mut parts = LossReport::from_list(std::iter::repeat_with(zero));
    let mut seen =
        Seen { filter: actor.filter.clone(), log_prob: actor.log_prob, q_value: None, td_target: None };
    if let Some(critic) = critic {
        // Only the acting discount: `[C, B, L, 1]`.
        let last = critic.value.dims()[2] - 1;
        let returns = |x: Tensor<4>| in_return_units(config, &popart, x.detach()).narrow(3, last, 1);
        let q = returns(critic.values);
        parts.q_std = acting(deviation(q.clone()));
        if let Some(sampled) = actor.values {
            let v = returns(sampled.mean_dim(1).squeeze_dim(1));
            parts.advantage_std = acting(deviation(q - v));
        }
        parts.critic_loss = (critic.loss * weights.critic.clone()).sum();
        let value = in_return_units(config, &popart, critic.value);
        parts.q_value = acting(value.clone());
        parts.td_target = acting(critic.target.clone());
        if config.critic.kind == CriticKind::Classification {
            parts.bins_left = over_all(config.critic.bins.outside(critic.target.clone()));
        }
        (seen.q_value, seen.td_target) = (Some(value), Some(critic.target));
    }
    parts.actor_loss = (actor.loss * weights.actor.clone()).sum();
    let total = parts.actor_loss.clone() + parts.critic_loss.clone() * config.critic_loss_weight;
    parts.entropy = acting(entropy);
    parts.advantage = actor.advantage.map_or_else(zero, acting);
    parts.filter_pass = over_all(actor.filter.greater_elem(0.0).float());
    // Reports outlive the update; a graph must not.
    let parts = LossReport::from_list(parts.into_list().into_iter().map(Tensor::detach));
    Loss { total, popart, report: LossTensors { parts, seen: vec![seen.detach()] } }
}
