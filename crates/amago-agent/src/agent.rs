//! The agent: encoders, actor, critics and their slow copies.

use amago_env::Space;
use amago_seqmodel::{ObsLayout, RolloutState, TrajEncoder, TstepEncoder};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::{
    Actor, AgentConfig, Critic, Draws, Policy, PolicyHead, PopArt, StepInput, TrainBatch, copy_into,
    soft_update,
};

/// What an agent must know of its environment.
#[derive(Debug, Clone, PartialEq)]
pub struct ObsSpec {
    /// Observation keys.
    pub obs: ObsLayout,
    /// Space of the actions.
    pub action: Space,
}

/// All networks. The trained ones are the two encoders, `critics` and `actor`; the others are
/// copies that never get a gradient.
///
/// ```
/// use amago_agent::StepInput;
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// # use amago_agent::{Agent, AgentConfig, ObsSpec};
/// # use amago_env::Space;
/// # use amago_seqmodel::{FfTstepConfig, ObsKind, ObsLayout, TrajEncoderConfig, TstepEncoderConfig};
/// # let mut config = AgentConfig::amago();
/// # let tstep = FfTstepConfig { d_hidden: 8, d_output: 8, ..FfTstepConfig::default() };
/// # config.tstep_encoder = TstepEncoderConfig::FeedForward(tstep);
/// # config.traj_encoder = TrajEncoderConfig::Identity {};
/// # (config.actor.d_hidden, config.critic.d_hidden) = (8, 8);
/// # let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![3]))]);
/// # let agent = Agent::new(&config, &ObsSpec { obs, action: Space::Discrete { n: 2 } }, &device);
/// // Two environments with observations of three numbers and two actions, one step of each.
/// let mut memory = agent.rollout_state(2, 16, &device);
/// let input = StepInput {
///     obs: Tensor::<3>::ones([2, 1, 3], &device).into(),
///     rl2s: Tensor::zeros([2, 1, 3], &device),
///     times: Tensor::zeros([2, 1], &device),
///     legal: None,
/// };
/// let policy = agent.act(input, &mut memory);
/// assert_eq!(policy.dims(), [2, 1, 1, 2]);
/// ```
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
    /// Turns actor outputs into a policy.
    #[module(skip)]
    pub head: PolicyHead,
}

impl Agent {
    /// Fresh weights; the copies start equal to what they copy. Seed the device before.
    ///
    /// # Panics
    /// When the config names a trajectory encoder of the program's own (see
    /// [`with_encoder`](Self::with_encoder)), or when [`AgentConfig::policy_head`] refuses the action space.
    pub fn new(config: &AgentConfig, spec: &ObsSpec, device: &Device) -> Self {
        Self::with_encoder(config, spec, &|d, device| config.traj_encoder.init(d, device), device)
    }

    /// The same around a trajectory encoder that `make` builds, from the width of its inputs.
    ///
    /// # Panics
    /// When [`AgentConfig::policy_head`] refuses the action space.
    pub fn with_encoder(
        config: &AgentConfig,
        spec: &ObsSpec,
        make: &dyn Fn(usize, &Device) -> TrajEncoder,
        device: &Device,
    ) -> Self {
        let head = config.policy_head(&spec.action).unwrap_or_else(|e| panic!("{e}"));
        let gammas = config.gammas();
        let tstep_encoder = config.tstep_encoder.init(&spec.obs, 1 + spec.action.width(), device);
        let traj_encoder = make(tstep_encoder.d_output(), device);
        let d = traj_encoder.d_output();
        let new_critics = || config.critic.init(config.n_critics, d, &gammas, &spec.action, device);
        let new_actor = || config.actor.init(d, gammas.len(), head.n_outputs(), device);
        let (critics, actor) = (new_critics(), new_actor());
        Self {
            // Copies of values, not clones: a clone would keep the ids by which gradients and the optimiser's
            // state are found. They begin equal, because targets of random critics would first have to be
            // unlearned.
            target_critics: copy_into(new_critics().no_grad(), &critics),
            maximized_critics: copy_into(new_critics().no_grad(), &critics),
            target_actor: copy_into(new_actor().no_grad(), &actor),
            popart: PopArt::new(config, device),
            head,
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

    /// What happens before the forward pass of an update: input statistics, power iterations, PopArt's step size. Gives the number of
    /// outliers in every column of the observation's vectors, where those are normalised: see
    /// [`InputNorm`](amago_seqmodel::InputNorm).
    ///
    /// # Shapes
    /// - output: a number for each column
    pub fn begin_update(&mut self, batch: &TrainBatch) -> Option<Tensor<1>> {
        // First, while nothing is to be waited for.
        self.popart.begin_update();
        // Every real timestep counts, also the last one, which has no action: it is an input like the others.
        let mask = batch.mask.clone().unsqueeze_dim(2);
        let outliers = self.tstep_encoder.begin_update(&batch.obs, batch.rl2s.clone(), mask);
        self.traj_encoder.begin_update();
        outliers
    }

    /// State representations of a batch.
    ///
    /// # Shapes
    /// - output: `[B, L+1, D]`
    pub fn states(&self, batch: &TrainBatch) -> Tensor<3> {
        let encoded = self.tstep_encoder.forward(&batch.obs, batch.rl2s.clone());
        self.traj_encoder.forward_seq(encoded, batch.times.clone())
    }

    /// The policy of an actor in some states.
    ///
    /// # Shapes
    /// - states: `[B, L, D]`
    /// - legal: `[B, L, A]`, one where an option is legal
    /// - output: a [`Policy`] over `[B, L, G, A]`
    pub fn policy(&self, actor: &Actor, states: Tensor<3>, legal: Option<Tensor<3>>) -> Policy {
        self.head.policy(actor.forward(states), legal)
    }

    /// Moves the slow copies towards the trained weights and refreshes the maximised critics.
    pub fn update_targets(mut self, tau: f32) -> Self {
        self.target_critics = soft_update(self.target_critics, &self.critics, tau);
        self.target_actor = soft_update(self.target_actor, &self.actor, tau);
        // Without a delay: a copy at all only so that the actor's loss gives the trained critics no gradient.
        self.maximized_critics = copy_into(self.maximized_critics, &self.critics);
        self
    }

    /// A copy that plays with the weights of now, without gradient: see
    /// [`SequenceEncoder::for_acting`](amago_seqmodel::SequenceEncoder::for_acting).
    pub fn for_acting(&self) -> Self {
        Self { traj_encoder: self.traj_encoder.for_acting(), ..self.valid() }
    }

    /// The state before the first step of `batch` environments.
    pub fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> RolloutState {
        self.traj_encoder.rollout_state(batch, context, device)
    }

    /// The acting discount's policy for one step of `B` environments.
    ///
    /// # Shapes
    /// - output: a [`Policy`] over `[B, 1, 1, A]`
    pub fn act(&self, input: StepInput, state: &mut RolloutState) -> Policy {
        amago_ops::on_pool(&input.times.device(), || {
            let encoded = self.tstep_encoder.forward(&input.obs, input.rl2s);
            let states = self.traj_encoder.forward_step(encoded, input.times, state);
            let policy = self.policy(&self.actor, states, input.legal);
            // The other discounts are learned for the sake of the representation; nobody acts by them.
            let [_, _, g, _] = policy.dims();
            policy.discount(g - 1)
        })
    }
}
