//! The agent: encoders, actor, critics and their slow copies.

use amago_seqmodel::{ObsLayout, RolloutState, TrajEncoder, TstepEncoder};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::{
    Actor, AgentConfig, Critic, Draws, Policy, PopArt, StepInput, TrainBatch, copy_into, soft_update,
};

/// What an agent must know of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObsSpec {
    /// Observation keys.
    pub obs: ObsLayout,
    /// Number of discrete actions.
    pub n_actions: usize,
}

/// All networks. The trained ones are the two encoders, `critics` and `actor`; the others are
/// copies that never get a gradient.
#[derive(Module, Debug)]
pub struct Agent {
    /// Timestep encoder.
    pub tstep_encoder: TstepEncoder,
    /// Trajectory encoder.
    pub traj_encoder: TrajEncoder,
    /// Critic ensemble.
    pub critics: Critic,
    /// Actor head.
    pub actor: Actor,
    /// Slow copy of the critics, for TD targets.
    pub target_critics: Critic,
    /// Copy of the critics of the previous update: the online actor loss climbs these.
    pub maximized_critics: Critic,
    /// Slow copy of the actor, for next actions.
    pub target_actor: Actor,
    /// Return statistics.
    pub popart: PopArt,
    #[module(skip)]
    probs: [f32; 2],
}

impl Agent {
    /// Fresh weights; the copies start equal to what they copy. Seed the device before.
    ///
    /// # Panics
    /// When the config names a trajectory encoder of the program's own: see
    /// [`with_encoder`](Self::with_encoder).
    pub fn new(config: &AgentConfig, spec: &ObsSpec, device: &Device) -> Self {
        Self::with_encoder(config, spec, &|d, device| config.traj_encoder.init(d, device), device)
    }

    /// The same around a trajectory encoder that `make` builds, from the width of its inputs.
    pub fn with_encoder(
        config: &AgentConfig,
        spec: &ObsSpec,
        make: &dyn Fn(usize, &Device) -> TrajEncoder,
        device: &Device,
    ) -> Self {
        let gammas = config.gammas();
        let tstep_encoder = config.tstep_encoder.init(&spec.obs, 1 + spec.n_actions, device);
        let traj_encoder = make(tstep_encoder.d_output(), device);
        let d = traj_encoder.d_output();
        let critics = config.critic.init(config.n_critics, d, &gammas, spec.n_actions, device);
        let actor = config.actor.init(d, gammas.len(), spec.n_actions, device);
        let frozen_critics =
            || config.critic.init(config.n_critics, d, &gammas, spec.n_actions, device).no_grad();
        Self {
            target_critics: copy_into(frozen_critics(), &critics),
            maximized_critics: copy_into(frozen_critics(), &critics),
            target_actor: copy_into(
                config.actor.init(d, gammas.len(), spec.n_actions, device).no_grad(),
                &actor,
            ),
            popart: PopArt::new(gammas.len(), config.popart, device),
            probs: [config.actor.min_prob, config.actor.max_prob],
            tstep_encoder,
            traj_encoder,
            critics,
            actor,
        }
    }

    /// The batch with its images changed at random, where the timestep encoder is set to. Training only.
    pub fn augment(&self, batch: &TrainBatch, draws: &mut dyn Draws) -> TrainBatch {
        let device = batch.rl2s.device();
        let draw = |shape, n| draws.image_shifts(shape, n, &device);
        TrainBatch { obs: self.tstep_encoder.augment(batch.obs.clone(), draw), ..batch.clone() }
    }

    /// What changes before the forward pass of an update: input statistics and power iterations.
    pub fn begin_update(&mut self, batch: &TrainBatch) {
        let mask = batch.mask.clone().unsqueeze_dim(2);
        self.tstep_encoder.begin_update(&batch.obs, batch.rl2s.clone(), mask);
        self.traj_encoder.begin_update();
    }

    /// State representations of a batch, `[B, L+1, D]`.
    pub fn states(&self, batch: &TrainBatch) -> Tensor<3> {
        let encoded = self.tstep_encoder.forward(&batch.obs, batch.rl2s.clone());
        self.traj_encoder.forward_seq(encoded, batch.times.clone())
    }

    /// The policy in states `[B, L, D]`.
    pub fn policy(&self, actor: &Actor, states: Tensor<3>) -> Policy {
        Policy::new(actor.forward(states), self.probs)
    }

    /// Smallest and largest probability before renormalising.
    pub fn prob_range(&self) -> [f32; 2] {
        self.probs
    }

    /// Moves the slow copies towards the trained weights and refreshes the maximised critics.
    pub fn update_targets(mut self, tau: f32) -> Self {
        self.target_critics = soft_update(self.target_critics, &self.critics, tau);
        self.target_actor = soft_update(self.target_actor, &self.actor, tau);
        self.maximized_critics = copy_into(self.maximized_critics, &self.critics);
        self
    }

    /// The state before the first step of `batch` environments.
    pub fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> RolloutState {
        self.traj_encoder.rollout_state(batch, context, device)
    }

    /// Action probabilities of the acting discount for one step of `B` environments, `[B, A]`.
    pub fn act(&self, input: StepInput, state: &mut RolloutState) -> Tensor<2> {
        let encoded = self.tstep_encoder.forward(&input.obs, input.rl2s);
        let states = self.traj_encoder.forward_step(encoded, input.times, state);
        let probs = self.policy(&self.actor, states).probs;
        let [batch, _, g, a] = probs.dims();
        probs.slice([0..batch, 0..1, g - 1..g, 0..a]).reshape([batch, a])
    }
}
