//! The one loss of both agents: masked means of its terms.

use burn::tensor::Tensor;

use crate::terms::in_return_units;
use crate::{Agent, AgentConfig, Draws, LossTensors, LossTerms, PopArt, TrainBatch, loss_terms};

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
    reduce(loss_terms(agent, config, batch, draws), config)
}

fn reduce(terms: LossTerms, config: &AgentConfig) -> Loss {
    let LossTerms { actor, critic, entropy, mask, popart } = terms;
    let zero = || Tensor::zeros([1], &mask.device());
    let (mut critic_loss, mut q_value, mut td_target) = (zero(), zero(), zero());
    if let Some(critic) = critic {
        critic_loss = ensemble_mean(critic.loss, &mask);
        q_value = acting_mean(in_return_units(config, &popart, critic.value), &mask);
        td_target = acting_mean(critic.target, &mask);
    }
    let actor_loss = masked_mean(actor.loss, &mask);
    let total = actor_loss.clone() + critic_loss.clone() * config.critic_loss_weight;
    let entropy = acting_mean(entropy, &mask);
    let advantage = actor.advantage.map_or_else(zero, |a| acting_mean(a, &mask));
    let filter_pass = masked_mean(actor.filter.greater_elem(0.0).float(), &mask);
    let parts = [actor_loss, critic_loss, entropy, q_value, td_target, advantage, filter_pass];
    Loss { total, popart, report: LossTensors { parts: parts.map(Tensor::detach) } }
}

/// Mean of `[B, L, G]` over real timesteps and discounts.
fn masked_mean(x: Tensor<3>, mask: &Tensor<3>) -> Tensor<1> {
    let g = x.dims()[2];
    let count = mask.clone().sum() * g as f32 + 1e-5;
    (x * mask.clone()).sum() / count
}

/// Mean of `[C, B, L, G]` over critics, real timesteps and discounts.
fn ensemble_mean(x: Tensor<4>, mask: &Tensor<3>) -> Tensor<1> {
    let [c, _, _, g] = x.dims();
    let count = mask.clone().sum() * (c * g) as f32 + 1e-5;
    (x * mask.clone().unsqueeze_dim(0)).sum() / count
}

/// Mean of `[B, L, G]` over real timesteps for the acting discount.
fn acting_mean(x: Tensor<3>, mask: &Tensor<3>) -> Tensor<1> {
    let g = x.dims()[2];
    masked_mean(x.detach().narrow(2, g - 1, 1), mask)
}
