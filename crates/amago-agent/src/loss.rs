//! The one loss of both agents.

use burn::tensor::Tensor;

use crate::critic::cross_entropy;
use crate::policy::soften;
use crate::{Agent, AgentConfig, CriticKind, Draws, Evaluation, LossTensors, Policy, PopArt, TrainBatch};
use crate::{n_step_targets, report};

/// What one loss computed.
pub struct Loss {
    /// The scalar to differentiate.
    pub total: Tensor<1>,
    /// PopArt statistics after this batch.
    pub popart: PopArt,
    /// Means for logging.
    pub report: LossTensors,
}

/// The batch in the shapes of the loss.
struct Shaped {
    /// States with an action, `[B, L, D]`.
    states: Tensor<3>,
    /// Actions as the critic sees them, `[1, B, L, G, A]`.
    critic_actions: Tensor<5>,
    /// Actions, one-hot, `[B, L, G, A]`.
    actions: Tensor<4>,
    /// `[B, L, 1]`.
    mask: Tensor<3>,
}

/// Actor and critic loss of a batch. [`Agent::begin_update`] comes before it.
pub fn loss(agent: &Agent, config: &AgentConfig, batch: &TrainBatch, draws: &mut dyn Draws) -> Loss {
    let all_states = agent.states(batch);
    let policy = agent.policy(&agent.actor, all_states.clone());
    let shaped = shape(agent, config, batch, all_states.clone());
    let here = first_steps(&policy);
    let mut popart = agent.popart.clone();
    let zero = || Tensor::zeros([1], &shaped.mask.device());
    let mut stats = Stats { critic_loss: zero(), q_value: zero(), td_target: zero() };

    let values = config.uses_critic().then(|| {
        let target = td_target(agent, config, batch, all_states, &policy, draws);
        popart.update(target.clone(), shaped.mask.clone());
        let q = agent.critics.evaluate(shaped.states.clone(), shaped.critic_actions.clone());
        stats.critic_loss = critic_loss(agent, &popart, &q, target.clone(), shaped.mask.clone());
        stats.td_target = acting_mean(target, &shaped.mask);
        let mean = mean_values(&q);
        stats.q_value = acting_mean(in_return_units(config, &popart, mean.clone()), &shaped.mask);
        mean.detach()
    });
    let (actor, report_parts) = actor_loss(agent, config, &popart, &shaped, &here, values, draws);
    let actor_loss = masked_mean(actor, shaped.mask.clone());
    let total = actor_loss.clone() + stats.critic_loss.clone() * config.critic_loss_weight;
    let [advantage, filter_pass] = report_parts;
    let entropy = acting_mean(here.entropy(), &shaped.mask);
    let parts =
        [actor_loss, stats.critic_loss, entropy, stats.q_value, stats.td_target, advantage, filter_pass];
    Loss { total, popart, report: report::LossTensors { parts: parts.map(Tensor::detach) } }
}

struct Stats {
    critic_loss: Tensor<1>,
    q_value: Tensor<1>,
    td_target: Tensor<1>,
}

fn shape(agent: &Agent, config: &AgentConfig, batch: &TrainBatch, states: Tensor<3>) -> Shaped {
    let [b, l, a] = batch.actions.dims();
    let d = states.dims()[2];
    let g = config.gammas().len();
    let one_hot = batch.actions.clone().clamp(0.0, 1.0);
    let softened = soften(one_hot.clone(), agent.prob_range());
    let per_gamma = |x: Tensor<3>| x.unsqueeze_dim::<4>(2).expand([b, l, g, a]);
    Shaped {
        states: states.slice([0..b, 0..l, 0..d]),
        critic_actions: per_gamma(softened).unsqueeze_dim(0),
        actions: per_gamma(one_hot),
        mask: batch.mask.clone().slice([0..b, 1..l + 1]).unsqueeze_dim(2),
    }
}

/// The policy without the last timestep, which has no action.
fn first_steps(policy: &Policy) -> Policy {
    let [b, l, g, a] = policy.probs.dims();
    let cut = |x: &Tensor<4>| x.clone().slice([0..b, 0..l - 1, 0..g, 0..a]);
    Policy { probs: cut(&policy.probs), log_probs: cut(&policy.log_probs) }
}

/// Actions that stand for the policy in an expectation over values: its probabilities where the
/// critic is linear in the action (regression, discrete), else `k` samples.
fn policy_actions(config: &AgentConfig, policy: &Policy, k: usize, draws: &mut dyn Draws) -> Tensor<5> {
    match config.critic.kind {
        CriticKind::Regression => policy.probs.clone().unsqueeze_dim(0),
        CriticKind::Classification => draws.actions(policy.probs.clone(), k),
    }
}

/// `r + γ (1−d) Q'(s', a')`, reduced over a random subset of the ensemble, `[B, L, G]`.
fn td_target(
    agent: &Agent,
    config: &AgentConfig,
    batch: &TrainBatch,
    states: Tensor<3>,
    policy: &Policy,
    draws: &mut dyn Draws,
) -> Tensor<3> {
    let states = states.detach();
    let next_policy = match config.use_target_actor {
        true => agent.policy(&agent.target_actor, states.clone()),
        false => policy.clone(),
    };
    let actions = policy_actions(config, &next_policy, config.k_critic, draws).detach();
    let [k, b, l1, g, a] = actions.dims();
    let l = l1 - 1;
    let d = states.dims()[2];
    let next_states = states.slice([0..b, 1..l1, 0..d]);
    let next_actions = actions.slice([0..k, 0..b, 1..l1, 0..g, 0..a]);
    let q = agent.target_critics.values(next_states, next_actions).mean_dim(1).squeeze_dim::<4>(1);
    let q = in_return_units(config, &agent.popart, q);
    let subset = draws.critic_subset(config.n_critics, [config.n_critics_td, b, l, g], &q.device());
    let chosen = q.gather(0, subset);
    // Without the online loss the minimum underestimates strongly.
    let reduced = if config.online_coeff > 0.0 { chosen.min_dim(0) } else { chosen.mean_dim(0) };
    let wide = |x: Tensor<2>| x.unsqueeze_dim::<3>(2).expand([b, l, g]);
    let gammas = Tensor::<1>::from_floats(config.gammas().as_slice(), &batch.rewards.device());
    let mask = batch.mask.clone().slice([0..b, 1..l1]).unsqueeze_dim(2);
    let rewards = wide(batch.rewards.clone() * config.reward_multiplier);
    let next = reduced.squeeze_dim(0);
    n_step_targets(rewards, wide(batch.terminals.clone()), next, gammas.unsqueeze(), mask, config.n_step)
        .detach()
}

/// Regression critics predict in PopArt's units; classification critics predict returns.
fn in_return_units<const D: usize>(config: &AgentConfig, popart: &PopArt, values: Tensor<D>) -> Tensor<D> {
    match config.critic.kind {
        CriticKind::Regression => popart.denormalized(values),
        CriticKind::Classification => values,
    }
}

/// Squared error in normalised units, or cross-entropy to the label of the target.
fn critic_loss(
    agent: &Agent,
    popart: &PopArt,
    q: &Evaluation,
    target: Tensor<3>,
    mask: Tensor<3>,
) -> Tensor<1> {
    let [b, l, g] = target.dims();
    let c = agent.critics.n_critics();
    let per_critic = match (&q.logits, agent.critics.bins()) {
        (Some(logits), Some(bins)) => {
            let labels = bins.encode(target.reshape([b, l * g, 1]));
            cross_entropy(logits.clone(), labels).reshape([c, b, l, g])
        }
        _ => {
            let predicted = popart.normalized(q.values.clone().squeeze_dim::<4>(1));
            (predicted - popart.normalize_targets(target).unsqueeze_dim(0)).square()
        }
    };
    // Every critic and discount shares the mask: the mean over all is the mean of their sum.
    let count = (mask.clone().sum() * (c * g) as f32) + 1e-5;
    (per_critic * mask.unsqueeze_dim(0)).sum() / count
}

/// Mean over the ensemble and the sampled actions, `[B, L, G]`.
fn mean_values(q: &Evaluation) -> Tensor<3> {
    q.values.clone().mean_dims(&[0, 1]).squeeze_dims(&[0, 1])
}

/// Per-timestep actor loss `[B, L, G]`, and `[advantage, filter pass rate]` for the report.
fn actor_loss(
    agent: &Agent,
    config: &AgentConfig,
    popart: &PopArt,
    shaped: &Shaped,
    policy: &Policy,
    q_mean: Option<Tensor<3>>,
    draws: &mut dyn Draws,
) -> (Tensor<3>, [Tensor<1>; 2]) {
    let states = shaped.states.clone().detach();
    let regression = config.critic.kind == CriticKind::Regression;
    // The online loss climbs the copy of the critics, through the actions only.
    let online = (config.online_coeff > 0.0).then(|| {
        let actions = policy.probs.clone().unsqueeze_dim(0);
        agent.maximized_critics.values(states.clone(), actions)
    });
    let zeros = policy.log_probs.zeros_like().sum_dim(3).squeeze_dim::<3>(3);
    let mut total = zeros.clone();
    if let Some(q) = &online {
        let lowest = q.clone().min_dim(0).squeeze_dims::<3>(&[0, 1]);
        total = total - popart.normalized(lowest) * config.online_coeff;
    }
    let (mut advantage, mut filter) = (zeros.clone(), zeros + 1.0);
    if let (Some(q_mean), false) = (q_mean, config.fake_filter) {
        let value = match online {
            Some(q) => q,
            None => {
                let actions = policy_actions(config, policy, config.k_actor, draws).detach();
                let critics = if regression { &agent.maximized_critics } else { &agent.critics };
                critics.values(states, actions)
            }
        };
        let value = value.detach().mean_dims(&[0, 1]).squeeze_dims::<3>(&[0, 1]);
        advantage = q_mean - value;
        filter = config.filter.weight(advantage.clone()).detach();
    }
    if config.offline_coeff > 0.0 {
        let log_prob = policy.log_prob(shaped.actions.clone());
        total = total - filter.clone() * log_prob * config.offline_coeff;
    }
    let passed = masked_mean(filter.greater_elem(0.0).float(), shaped.mask.clone());
    (total, [acting_mean(advantage, &shaped.mask), passed])
}

/// Mean of `[B, L, G]` over real timesteps and discounts.
fn masked_mean(x: Tensor<3>, mask: Tensor<3>) -> Tensor<1> {
    let g = x.dims()[2];
    let count = mask.clone().sum() * g as f32 + 1e-5;
    (x * mask).sum() / count
}

/// Mean of `[B, L, G]` over real timesteps for the acting discount.
fn acting_mean(x: Tensor<3>, mask: &Tensor<3>) -> Tensor<1> {
    let g = x.dims()[2];
    masked_mean(x.detach().narrow(2, g - 1, 1), mask.clone())
}
