//! What a loss is made of, per timestep: the algorithm itself.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::encoded::Encoded;
use crate::{
    Agent, AgentConfig, Critic, CriticKind, Draws, Policy, PopArt, Purpose, TrainBatch, Transitions,
    n_step_targets, reduce_critics,
};

/// The terms of a loss before any mask or mean: what a mask of one's own would be applied to.
pub struct LossTerms {
    /// The actor's part.
    pub actor: ActorTerms,
    /// The critics' part; absent where they teach the actor nothing.
    pub critic: Option<CriticTerms>,
    /// Entropy of the policy in nats, `[B, L, G]`; an estimate where it has no simple form.
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
    /// `Q(s, a)` of every critic, in the critics' units, `[C, B, L, G]`.
    pub values: Tensor<4>,
    /// Mean of those over the ensemble, `[B, L, G]`.
    pub value: Tensor<3>,
}

/// Terms of the actor loss.
pub struct ActorTerms {
    /// Online and offline loss together, `[B, L, G]`.
    pub loss: Tensor<3>,
    /// `Q(s, a) − V(s)` in the critics' units, `[B, L, G]`; absent where nothing is filtered.
    pub advantage: Option<Tensor<3>>,
    /// Weight of each imitated action, `[B, L, G]`.
    pub filter: Tensor<3>,
    /// Log-probability of each imitated action, `[B, L, G]`; absent where none is imitated.
    pub log_prob: Option<Tensor<3>>,
    /// Values of the policy's own actions in the critics' units, without gradient, `[C, K, B, L, G]`:
    /// `V(s)` is their mean. Absent where the actor asks no critic.
    pub values: Option<Tensor<5>>,
}

/// Computes the terms of a batch. [`Agent::begin_update`] comes before it.
pub fn loss_terms(
    agent: &Agent,
    config: &AgentConfig,
    batch: &TrainBatch,
    draws: &mut dyn Draws,
) -> LossTerms {
    Pass::new(agent, config, batch, false).all_terms(draws)
}

/// PopArt's statistics after the targets of a whole batch, `[B, L, G]`: they know them before they normalise
/// them.
pub(crate) fn popart_after(agent: &Agent, batch: &TrainBatch, targets: Option<Tensor<3>>) -> PopArt {
    let mut popart = agent.popart.clone();
    if let Some(targets) = targets {
        popart.update(targets, batch.transition_mask());
    }
    popart
}

/// One pass of the encoders and the actor, shared by all terms.
pub(crate) struct Pass<'a> {
    agent: &'a Agent,
    config: &'a AgentConfig,
    batch: &'a TrainBatch,
    encoded: Encoded<'a>,
    /// The policy in all states.
    policy: Policy,
    /// The policy in the states that have an action: all but the last.
    acting: Policy,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        agent: &'a Agent,
        config: &'a AgentConfig,
        batch: &'a TrainBatch,
        checkpointing: bool,
    ) -> Self {
        let encoded = Encoded::new(agent, batch, checkpointing);
        let policy = agent.policy(&agent.actor, encoded.states.clone(), batch.legal.clone());
        // There is one more state than actions: nothing is known of what was done in the last one. It is
        // there for the value after the last action.
        let steps = policy.dims()[1] - 1;
        let acting = policy.timesteps(0, steps);
        Self { agent, config, batch, encoded, policy, acting }
    }

    /// The terms of a batch that is computed at once.
    pub(crate) fn all_terms(&self, draws: &mut dyn Draws) -> LossTerms {
        let target = self.target(draws);
        let popart = popart_after(self.agent, self.batch, target.clone());
        self.terms(target, popart, draws)
    }

    /// Gradients of everything that a loss depends on which was made of the terms, `[1]`.
    pub(crate) fn gradient(self, total: Tensor<1>) -> GradientsParams {
        self.encoded.backward(total)
    }

    /// TD targets, `[B, L, G]`; absent where the critics teach the actor nothing.
    pub(crate) fn target(&self, draws: &mut dyn Draws) -> Option<Tensor<3>> {
        self.config.uses_critic().then(|| self.td_target(draws))
    }

    /// The terms, given the targets and the statistics that know them.
    pub(crate) fn terms(
        &self,
        target: Option<Tensor<3>>,
        popart: PopArt,
        draws: &mut dyn Draws,
    ) -> LossTerms {
        let critic = target.map(|target| self.critic(&popart, target));
        let value = critic.as_ref().map(|c| c.value.clone().detach());
        let actor = self.actor(&popart, value, draws);
        let (entropy, mask) = (self.acting.entropy(draws), self.batch.transition_mask());
        LossTerms { actor, critic, entropy, mask, popart }
    }

    /// `[B, L, G, A]` of the policy where there is an action.
    fn dims(&self) -> [usize; 4] {
        self.acting.dims()
    }

    /// Which options are legal in `len` states from `start` on.
    fn legal(&self, start: usize, len: usize) -> Option<Tensor<3>> {
        self.batch.legal.clone().map(|legal| legal.narrow(1, start, len))
    }

    /// States that have an action, `[B, L, D]`.
    fn acting_states(&self) -> Tensor<3> {
        self.encoded.states.clone().narrow(1, 0, self.dims()[1])
    }

    /// Actions of the batch for every discount, `[B, L, G, A]`. Padding may hold anything.
    fn batch_actions(&self) -> Tensor<4> {
        self.batch.actions.clone().unsqueeze_dim::<4>(2).expand(self.dims())
    }

    /// Discounted return estimate of every transition, `[B, L, G]`, without gradient.
    fn td_target(&self, draws: &mut dyn Draws) -> Tensor<3> {
        let (agent, config, batch) = (self.agent, self.config, self.batch);
        let [b, l, g, _] = self.dims();
        // By the encoders of now: as in the original only the heads have slow copies, so one pass serves all.
        let next_states = self.encoded.states.clone().narrow(1, 1, l).detach();
        let policy = match config.use_target_actor {
            true => agent.policy(&agent.target_actor, next_states.clone(), self.legal(1, l)),
            false => self.policy.timesteps(1, l).detach(),
        };
        let actions = policy_actions(&agent.target_critics, &policy, config.k_critic, Purpose::Target, draws);
        let values = agent.target_critics.expect(next_states, actions);
        // In the units that the target critics have learned: those from before this batch.
        let values = in_return_units(config, &agent.popart, values.mean_dim(1).squeeze_dim::<4>(1));
        let subset = draws.critic_subset(config.n_critics, [config.n_critics_td, b, l, g], &values.device());
        // Without the online loss the minimum underestimates strongly.
        let reduced = reduce_critics(values, subset, config.online_coeff > 0.0);
        let transitions = Transitions {
            rewards: batch.rewards.clone() * config.reward_multiplier,
            terminals: batch.terminals.clone(),
            mask: batch.transition_mask(),
        };
        n_step_targets(&transitions, reduced, &config.gammas(), config.n_step).detach()
    }

    fn critic(&self, popart: &PopArt, target: Tensor<3>) -> CriticTerms {
        let critics = &self.agent.critics;
        let [_, l, _] = target.dims();
        // As in the original: softened like the probabilities that actor and targets ask about.
        let actions = self.agent.head.for_critics(self.batch_actions(), self.legal(0, l));
        let (loss, values) = match self.config.critic.kind {
            CriticKind::Classification => {
                let [loss, values] = critics.classify(self.acting_states(), actions, target.clone());
                (loss, values)
            }
            CriticKind::Regression => {
                let values =
                    critics.values(self.acting_states(), actions.unsqueeze_dim(0)).squeeze_dim::<4>(1);
                // Both sides in the units of after this batch, so that one outlying target is no outlying
                // error (van Hasselt et al. 2016).
                let predicted = popart.normalized(values.clone());
                let error = predicted - popart.normalize_targets(target.clone()).unsqueeze_dim(0);
                (error.square(), values)
            }
        };
        let value = values.clone().mean_dim(0).squeeze_dim(0);
        CriticTerms { loss, target, values, value }
    }

    fn actor(&self, popart: &PopArt, q_mean: Option<Tensor<3>>, draws: &mut dyn Draws) -> ActorTerms {
        let (agent, config) = (self.agent, self.config);
        let [b, l, g, _] = self.dims();
        // Through the actions alone: values must not pull at the encoders to please the actor.
        let states = self.acting_states().detach();
        let filtered = q_mean.filter(|_| config.offline_coeff > 0.0 && !config.fake_filter);
        // Classification critics have samples of their own for the advantage, regression critics
        // share those of the online loss.
        let shared = config.critic.kind == CriticKind::Regression && config.online_coeff > 0.0;
        let sampled = filtered.is_some() && !shared;
        let mut values = sampled.then(|| self.sampled_values(states.clone(), draws));
        let mut loss = Tensor::zeros([b, l, g], &states.device());
        if config.online_coeff > 0.0 {
            // It climbs the copy of the critics, through the actions only.
            let critics = &agent.maximized_critics;
            let actions = policy_actions(critics, &self.acting, config.k_actor, Purpose::Online, draws);
            let online = critics.values(states, actions);
            // The lowest critic: an actor finds what a single one overrates (Fujimoto et al. 2018, arXiv
            // 1802.09477).
            let lowest = online.clone().mean_dim(1).min_dim(0).squeeze_dims::<3>(&[0, 1]);
            loss = loss - in_normal_units(config, popart, lowest) * config.online_coeff;
            values = values.or(Some(online.detach()));
        }
        let advantage = filtered.zip(values.clone()).map(|(q_mean, values)| q_mean - expected_value(values));
        let filter = match &advantage {
            Some(advantage) => config.filter.weight(advantage.clone()),
            // Nothing is filtered: behaviour cloning.
            None => loss.ones_like().detach(),
        };
        let imitates = config.offline_coeff > 0.0;
        let log_prob = imitates.then(|| self.acting.log_prob(agent.head.in_range(self.batch_actions())));
        if let Some(log_prob) = log_prob.clone() {
            loss = loss - filter.clone() * log_prob * config.offline_coeff;
        }
        ActorTerms { loss, advantage, filter, log_prob, values }
    }

    /// Values of the policy's own actions for the advantage, `[C, K, B, L, G]`, without gradient.
    fn sampled_values(&self, states: Tensor<3>, draws: &mut dyn Draws) -> Tensor<5> {
        let critics = match self.config.critic.kind {
            CriticKind::Regression => &self.agent.maximized_critics,
            CriticKind::Classification => &self.agent.critics,
        };
        let actions =
            policy_actions(critics, &self.acting.detach(), self.config.k_actor, Purpose::Value, draws);
        critics.expect(states, actions)
    }
}

/// Actions that stand for the policy in an expectation over values, `[K, B, L, G, A]`: its
/// probabilities where the critics are linear in the action, else `k` samples.
fn policy_actions(
    critics: &Critic,
    policy: &Policy,
    k: usize,
    purpose: Purpose,
    draws: &mut dyn Draws,
) -> Tensor<5> {
    match policy {
        Policy::Categorical(p) if critics.is_linear() => p.probs.clone().unsqueeze_dim(0),
        _ => draws.actions(policy, k, purpose),
    }
}

/// `V(s)`, `[B, L, G]`: mean of the values `[C, K, B, L, G]` of the policy's own actions.
pub(crate) fn expected_value(values: Tensor<5>) -> Tensor<3> {
    values.mean_dims(&[0, 1]).squeeze_dims(&[0, 1])
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

/// The same values in PopArt's normalised units.
fn in_normal_units(config: &AgentConfig, popart: &PopArt, values: Tensor<3>) -> Tensor<3> {
    match config.critic.kind {
        CriticKind::Regression => popart.normalized(values),
        CriticKind::Classification => popart.normalize_targets(values),
    }
}
