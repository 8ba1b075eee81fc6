//! The one loss of both agents: masked means of its terms.

use std::ops::Range;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

use crate::inspect::deviation;
use crate::last_batch::Seen;
use crate::mask::{Weighting, Weights};
use crate::side;
use crate::terms::{Pass, in_return_units, popart_after};
use crate::{
    Agent, AgentConfig, CriticKind, Draws, LossMask, LossReport, LossTensors, LossTerms, OptimConfig,
    PaddingMask, PopArt, TrainBatch, loss_terms,
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

/// Loss and gradient of a batch that may be computed in parts, to hold the activations of one
/// part at a time, or with checkpointing. The result is that of the whole batch, whatever the parts' masks count, but for random
/// draws and dropout: the targets of several parts have none. The loss that comes back has no gradient any
/// more. [`Agent::begin_update`] comes before it.
pub(crate) fn differentiate(
    agent: &Agent,
    config: &AgentConfig,
    batch: &TrainBatch,
    (optim, masks): (&OptimConfig, &dyn LossMask),
    draws: &mut dyn Draws,
) -> (Loss, GradientsParams) {
    let OptimConfig { micro_batches, gradient_checkpointing, .. } = *optim;
    let weighting = Weighting::new(batch, dims(config), masks);
    if micro_batches < 2 {
        // Two halves side by side keep both threads of a CPU busy also in operations that are too small to be
        // split: a fifth to a half faster (docs/LOG.md, 2026-11-22, morning, own matrix products).
        if let Some(parts) = side::parts(agent, batch, draws) {
            return side::differentiate(agent, config, parts, &weighting, gradient_checkpointing);
        }
        let pass = Pass::new(agent, config, batch, gradient_checkpointing);
        let terms = pass.all_terms(draws);
        let weights = weighting.of([&terms].into_iter());
        return pass.backward(reduce(terms, config, &weights));
    }
    let weights = weighting.known().expect("micro-batches have no mask that sees the losses");
    // One after the other: side by side they would need the memory of the whole batch.
    let parts = cuts(batch.mask.dims()[0], micro_batches);
    // The targets of all parts come first, because the statistics have to know them. Without autodiff: a graph
    // that nobody walks back would stay in memory until the next backward pass.
    let plain = agent.valid();
    let mut target = |rows: &Range<usize>| {
        let target = Pass::new(&plain, config, &batch.rows(rows).inner(), false).target(draws);
        target.map(Tensor::from_inner)
    };
    let targets: Vec<_> = parts.iter().map(&mut target).collect();
    // Once per batch. Were every part to move the statistics, it would learn in other units than the part
    // before.
    let popart = popart_after(agent, batch, joined(&targets));
    let found = parts.iter().zip(targets).map(|(rows, target)| {
        let part = batch.rows(rows);
        let pass = Pass::new(agent, config, &part, gradient_checkpointing);
        let terms = pass.terms(target, popart.clone(), draws);
        pass.backward(reduce(terms, config, &weights.rows(rows)))
    });
    sum(agent, found)
}

/// Parts of about equal size, none of them empty.
pub(crate) fn cuts(size: usize, parts: usize) -> Vec<Range<usize>> {
    let cut = |i: usize| i * size / parts;
    (0..parts).map(|i| cut(i)..cut(i + 1)).filter(|rows| !rows.is_empty()).collect()
}

/// The targets of all sequences, where there are any.
pub(crate) fn joined(targets: &[Option<Tensor<3>>]) -> Option<Tensor<3>> {
    targets.iter().cloned().collect::<Option<Vec<_>>>().map(|parts| Tensor::cat(parts, 0))
}

/// Sums of losses and gradients, one part after the other.
pub(crate) fn sum(
    agent: &Agent,
    parts: impl Iterator<Item = (Loss, GradientsParams)>,
) -> (Loss, GradientsParams) {
    // Plain sums: weights are shares of the whole batch already. In the original every micro-batch forgets
    // the gradients of those before it.
    let mut grads = GradientsAccumulator::new();
    let losses = parts.map(|(loss, gradient)| {
        grads.accumulate(agent, gradient);
        loss
    });
    let add =
        |a: Loss, b: Loss| Loss { total: a.total + b.total, report: a.report + b.report, popart: a.popart };
    let loss = losses.reduce(add).expect("a batch has at least one sequence");
    (loss, grads.grads())
}

fn dims(config: &AgentConfig) -> [usize; 2] {
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
