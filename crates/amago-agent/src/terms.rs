//! What a loss is made of, per timestep: the algorithm itself.

use burn::tensor::Tensor;

use crate::{Agent, AgentConfig, CriticKind, Draws, Policy, PopArt, TrainBatch, Transitions};
use crate::{n_step_targets, soften};

/// The terms of a loss before any mask or mean: what a mask of one's own would be applied to.
pub struct LossTerms {
    /// The actor's part.
    pub actor: ActorTerms,
    /// The critics' part; absent where they teach the actor nothing.
    pub critic: Option<CriticTerms>,
    /// Entropy of the policy in nats, `[B, L, G]`.
    pub entropy: Tensor<3>,
    /// One where a transition is real, `[B, L, 1]`.
    pub mask: Tensor<3>,
    /// PopArt statistics after this batch.
    pub popart: PopArt,
}

/// Terms of the critic loss.
pub struct CriticTerms {
    /// Squared error in normalised units, or cross-entropy to the label of the target,
    /// `[C, B, L, G]`.
    pub loss: Tensor<4>,
    /// TD target in return units, `[B, L, G]`.
    pub target: Tensor<3>,
    /// Mean of `Q(s, a)` over the ensemble, in the critics' units, `[B, L, G]`.
    pub value: Tensor<3>,
}

/// Terms of the actor loss.
pub struct ActorTerms {
    /// Online and offline loss together, `[B, L, G]`.
    pub loss: Tensor<3>,
    /// `Q(s, a) − V(s)` in the critics' units, `[B, L, G]`; absent with a fake filter.
    pub advantage: Option<Tensor<3>>,
    /// Weight of each imitated action, `[B, L, G]`.
    pub filter: Tensor<3>,
}

/// Computes the terms of a batch. [`Agent::begin_update`] comes before it.
pub fn loss_terms(
    agent: &Agent,
    config: &AgentConfig,
    batch: &TrainBatch,
    draws: &mut dyn Draws,
) -> LossTerms {
    let pass = Pass::new(agent, config, batch);
    let mask = batch.transition_mask();
    let mut popart = agent.popart.clone();
    let critic = config.uses_critic().then(|| {
        let target = pass.td_target(draws);
        // The statistics know this batch's targets before they normalise them.
        popart.update(target.clone(), mask.clone());
        pass.critic(&popart, target)
    });
    let value = critic.as_ref().map(|c| c.value.clone().detach());
    let actor = pass.actor(&popart, value, draws);
    LossTerms { actor, critic, entropy: pass.acting.entropy(), mask, popart }
}

/// One pass of the encoders and the actor, shared by all terms.
struct Pass<'a> {
    agent: &'a Agent,
    config: &'a AgentConfig,
    batch: &'a TrainBatch,
    /// `[B, L+1, D]`.
    states: Tensor<3>,
    /// The policy in all states.
    policy: Policy,
    /// The policy in the states that have an action: all but the last.
    acting: Policy,
}

impl<'a> Pass<'a> {
    fn new(agent: &'a Agent, config: &'a AgentConfig, batch: &'a TrainBatch) -> Self {
        let states = agent.states(batch);
        let policy = agent.policy(&agent.actor, states.clone());
        let steps = policy.probs.dims()[1] - 1;
        let acting = policy.narrow(0, steps);
        Self { agent, config, batch, states, policy, acting }
    }

    /// `[B, L, G, A]` of the actor's outputs with an action.
    fn dims(&self) -> [usize; 4] {
        self.acting.probs.dims()
    }

    /// States that have an action, `[B, L, D]`.
    fn acting_states(&self) -> Tensor<3> {
        self.states.clone().narrow(1, 0, self.dims()[1])
    }

    /// Actions of the batch for every discount, `[B, L, G, A]`. Padding may hold anything.
    fn batch_actions(&self) -> Tensor<4> {
        self.batch.actions.clone().clamp(0.0, 1.0).unsqueeze_dim::<4>(2).expand(self.dims())
    }

    /// Discounted return estimate of every transition, `[B, L, G]`, without gradient.
    fn td_target(&self, draws: &mut dyn Draws) -> Tensor<3> {
        let (agent, config, batch) = (self.agent, self.config, self.batch);
        let [b, l, g, _] = self.dims();
        let next_states = self.states.clone().narrow(1, 1, l).detach();
        let policy = match config.use_target_actor {
            true => agent.policy(&agent.target_actor, next_states.clone()),
            false => self.policy.narrow(1, l),
        };
        let actions = policy_actions(config, &policy, config.k_critic, draws).detach();
        let values = agent.target_critics.expect(next_states, actions);
        let values = in_return_units(config, &agent.popart, values.mean_dim(1).squeeze_dim::<4>(1));
        let subset = draws.critic_subset(config.n_critics, [config.n_critics_td, b, l, g], &values.device());
        let chosen = values.gather(0, subset);
        // Without the online loss the minimum underestimates strongly.
        let reduced = if config.online_coeff > 0.0 { chosen.min_dim(0) } else { chosen.mean_dim(0) };
        let transitions = Transitions {
            rewards: batch.rewards.clone() * config.reward_multiplier,
            terminals: batch.terminals.clone(),
            mask: batch.transition_mask(),
        };
        n_step_targets(&transitions, reduced.squeeze_dim(0), &config.gammas(), config.n_step).detach()
    }

    fn critic(&self, popart: &PopArt, target: Tensor<3>) -> CriticTerms {
        let critics = &self.agent.critics;
        let actions = soften(self.batch_actions(), self.agent.prob_range());
        let (loss, values) = match self.config.critic.kind {
            CriticKind::Classification => {
                let [loss, values] = critics.classify(self.acting_states(), actions, target.clone());
                (loss, values)
            }
            CriticKind::Regression => {
                let values =
                    critics.values(self.acting_states(), actions.unsqueeze_dim(0)).squeeze_dim::<4>(1);
                let predicted = popart.normalized(values.clone());
                let error = predicted - popart.normalize_targets(target.clone()).unsqueeze_dim(0);
                (error.square(), values)
            }
        };
        let value = values.mean_dim(0).squeeze_dim(0);
        CriticTerms { loss, target, value }
    }

    fn actor(&self, popart: &PopArt, q_mean: Option<Tensor<3>>, draws: &mut dyn Draws) -> ActorTerms {
        let (agent, config) = (self.agent, self.config);
        let [b, l, g, _] = self.dims();
        let states = self.acting_states().detach();
        // The online loss climbs the copy of the critics, through the actions only.
        let online = (config.online_coeff > 0.0).then(|| {
            let actions = self.acting.probs.clone().unsqueeze_dim(0);
            agent.maximized_critics.values(states.clone(), actions)
        });
        let mut loss = Tensor::zeros([b, l, g], &states.device());
        if let Some(q) = &online {
            let lowest = q.clone().min_dim(0).squeeze_dims::<3>(&[0, 1]);
            loss = loss - popart.normalized(lowest) * config.online_coeff;
        }
        let advantage = q_mean.filter(|_| !config.fake_filter).map(|q_mean| {
            let values = online.unwrap_or_else(|| self.sampled_values(states, draws));
            q_mean - values.detach().mean_dims(&[0, 1]).squeeze_dims::<3>(&[0, 1])
        });
        let filter = match &advantage {
            Some(advantage) => config.filter.weight(advantage.clone()),
            None => loss.ones_like().detach(),
        };
        if config.offline_coeff > 0.0 {
            let log_prob = self.acting.log_prob(self.batch_actions());
            loss = loss - filter.clone() * log_prob * config.offline_coeff;
        }
        ActorTerms { loss, advantage, filter }
    }

    /// Values of the policy's own actions for the advantage, `[C, K, B, L, G]`.
    fn sampled_values(&self, states: Tensor<3>, draws: &mut dyn Draws) -> Tensor<5> {
        let actions = policy_actions(self.config, &self.acting, self.config.k_actor, draws).detach();
        let critics = match self.config.critic.kind {
            CriticKind::Regression => &self.agent.maximized_critics,
            CriticKind::Classification => &self.agent.critics,
        };
        critics.expect(states, actions)
    }
}

/// Actions that stand for the policy in an expectation over values: its probabilities where the
/// critic is linear in the action (regression, discrete), else `k` samples.
fn policy_actions(config: &AgentConfig, policy: &Policy, k: usize, draws: &mut dyn Draws) -> Tensor<5> {
    match config.critic.kind {
        CriticKind::Regression => policy.probs.clone().unsqueeze_dim(0),
        CriticKind::Classification => draws.actions(policy.probs.clone(), k),
    }
}

/// Regression critics predict in PopArt's units; classification critics predict returns.
pub(crate) fn in_return_units<const D: usize>(
    config: &AgentConfig,
    popart: &PopArt,
    values: Tensor<D>,
) -> Tensor<D> {
    match config.critic.kind {
        CriticKind::Regression => popart.denormalized(values),
        CriticKind::Classification => values,
    }
}
