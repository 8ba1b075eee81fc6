//! Settings of an agent and its optimiser.

use amago_seqmodel::{ModelError, TrajEncoderConfig, TstepEncoderConfig};

use crate::{ActorConfig, ActorKind, CriticConfig, CriticKind, Filter, MULTI_GAMMAS, PolicyError};

/// Everything that defines an agent.
///
/// ```
/// use amago_agent::AgentConfig;
///
/// let config = AgentConfig { n_critics: 2, ..AgentConfig::amago2() };
/// assert!(config.validate().is_ok() && config.gammas().last() == Some(&config.gamma));
/// let error = AgentConfig { n_critics_td: 3, ..config }.validate().unwrap_err();
/// assert_eq!(error.to_string(), "n_critics_td = 3 must not be above n_critics = 2");
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The acting discount, always the last one learned.
    pub gamma: f32,
    /// Discounts learned beside it; empty for none.
    pub multi_gammas: Vec<f32>,
    /// Scales rewards in the loss only.
    pub reward_multiplier: f32,
    /// Share of the online weights that the targets take over per update.
    pub tau: f32,
    /// Size of the critic ensemble.
    pub n_critics: usize,
    /// Critics drawn (with replacement) for each target.
    pub n_critics_td: usize,
    /// Weight of `−Q(s, a~π)`.
    pub online_coeff: f32,
    /// Weight of filtered imitation.
    pub offline_coeff: f32,
    /// Weight of the critic loss.
    pub critic_loss_weight: f32,
    /// Actions sampled for the value in the TD target; regression critics of one discrete choice use
    /// the exact expectation instead.
    pub k_critic: usize,
    /// Actions sampled for the value in the advantage and for the online loss; likewise.
    pub k_actor: usize,
    /// Rewards summed in the TD target.
    pub n_step: usize,
    /// Normalise values by running statistics of the targets.
    pub popart: bool,
    /// Step size of those statistics after many updates; the first steps are larger.
    #[serde(default = "popart_beta")]
    pub popart_beta: f64,
    /// Mean square of the targets before the first update.
    #[serde(default = "popart_init_nu")]
    pub popart_init_nu: f32,
    /// Take the next action from a slow copy of the actor.
    pub use_target_actor: bool,
    /// Imitate everything: behaviour cloning.
    pub fake_filter: bool,
    /// Weight of imitated actions by advantage.
    pub filter: Filter,
    /// Actor head.
    pub actor: ActorConfig,
    /// Critic heads.
    pub critic: CriticConfig,
    /// Timestep encoder.
    pub tstep_encoder: TstepEncoderConfig,
    /// Trajectory encoder.
    pub traj_encoder: TrajEncoderConfig,
}

fn popart_beta() -> f64 {
    5e-4
}

fn popart_init_nu() -> f32 {
    100.0
}

/// A configuration that no agent can be built from. Every message begins with the setting at fault, by its path in the
/// agent's table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// In a network.
    #[error("{part}.{cause}")]
    Model {
        /// Which network.
        part: &'static str,
        /// What is wrong.
        cause: ModelError,
    },
    /// A count that must be positive is zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// A number that must be positive and finite is not.
    #[error("{name} = {value} must be a positive number")]
    NotPositive {
        /// Setting.
        name: &'static str,
        /// Its value.
        value: f32,
    },
    /// A number outside its range.
    #[error("{name} = {value} must be {range}")]
    Range {
        /// Setting.
        name: &'static str,
        /// Its value.
        value: f32,
        /// The legal range in words.
        range: &'static str,
    },
    /// Bounds that leave nothing between them.
    #[error("{name} = [{low}, {high}]: the first must not be above the second")]
    Clamp {
        /// Setting.
        name: &'static str,
        /// The first.
        low: f32,
        /// The second.
        high: f32,
    },
    /// More critics in a target than there are.
    #[error("n_critics_td = {td} must not be above n_critics = {all}")]
    TooManyCritics {
        /// Critics of a target.
        td: usize,
        /// Critics of the ensemble.
        all: usize,
    },
    /// Neither actor loss has weight.
    #[error("online_coeff and offline_coeff are both 0: the actor would learn nothing")]
    NoActorLoss,
    /// In the policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Too few bins.
    #[error("critic.bins.count = {0} must be at least 2")]
    BinCount(usize),
    /// An empty range of bins.
    #[error("critic.bins.min = {min} must be below critic.bins.max = {max}, both finite")]
    BinRange {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// A first prediction that no bin stands for.
    #[error(
        "critic.bins.init_value = {value} must be between critic.bins.min = {min} and critic.bins.max = {max}"
    )]
    InitValue {
        /// The prediction.
        value: f32,
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
}

impl AgentConfig {
    /// The defaults of AMAGO: regression critics, mostly the online loss.
    pub fn amago() -> Self {
        Self {
            gamma: 0.999,
            multi_gammas: MULTI_GAMMAS.to_vec(),
            reward_multiplier: 10.0,
            tau: 0.003,
            n_critics: 4,
            n_critics_td: 2,
            online_coeff: 1.0,
            offline_coeff: 0.1,
            critic_loss_weight: 10.0,
            k_critic: 1,
            k_actor: 1,
            n_step: 1,
            popart: true,
            popart_beta: popart_beta(),
            popart_init_nu: popart_init_nu(),
            use_target_actor: true,
            fake_filter: false,
            filter: Filter::default(),
            actor: ActorConfig::default(),
            critic: CriticConfig::default(),
            tstep_encoder: TstepEncoderConfig::default(),
            traj_encoder: TrajEncoderConfig::default(),
        }
    }

    /// The defaults of AMAGO-2: classification critics, filtered imitation only.
    pub fn amago2() -> Self {
        let critic = CriticConfig { kind: CriticKind::Classification, ..CriticConfig::default() };
        Self { online_coeff: 0.0, offline_coeff: 1.0, k_actor: 3, critic, ..Self::amago() }
    }

    /// All discounts, the acting one last.
    pub fn gammas(&self) -> Vec<f32> {
        self.multi_gammas.iter().copied().chain([self.gamma]).collect()
    }

    /// Whether the critics take part in the actor's loss.
    pub fn uses_critic(&self) -> bool {
        !self.fake_filter || self.online_coeff > 0.0
    }

    /// Refuses settings that cannot be built or cannot learn.
    ///
    /// # Errors
    /// Names the settings that clash.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let part = |part| move |cause| ConfigError::Model { part, cause };
        self.tstep_encoder.validate().map_err(part("tstep_encoder"))?;
        self.traj_encoder.validate().map_err(part("traj_encoder"))?;
        for (name, count) in [
            ("n_critics", self.n_critics),
            ("n_critics_td", self.n_critics_td),
            ("k_critic", self.k_critic),
            ("k_actor", self.k_actor),
            ("n_step", self.n_step),
            ("actor.n_layers", self.actor.n_layers),
            ("actor.d_hidden", self.actor.d_hidden),
            ("actor.d_ff", self.actor.d_ff),
            ("critic.n_layers", self.critic.n_layers),
            ("critic.d_hidden", self.critic.d_hidden),
        ] {
            if count == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        if !(self.reward_multiplier > 0.0 && self.reward_multiplier.is_finite()) {
            return Err(ConfigError::NotPositive {
                name: "reward_multiplier",
                value: self.reward_multiplier,
            });
        }
        if self.n_critics_td > self.n_critics {
            return Err(ConfigError::TooManyCritics { td: self.n_critics_td, all: self.n_critics });
        }
        self.validate_ranges()?;
        self.filter.validate()?;
        self.actor.policy.validate(self.online_coeff)?;
        if self.actor.kind == ActorKind::Residual {
            for (width, d) in [("d_hidden", self.actor.d_hidden), ("d_ff", self.actor.d_ff)] {
                self.actor.norm.validate("norm", width, d).map_err(part("actor"))?;
            }
        }
        if self.online_coeff <= 0.0 && self.offline_coeff <= 0.0 {
            return Err(ConfigError::NoActorLoss);
        }
        if self.critic.kind == CriticKind::Classification {
            self.critic.bins.validate()?;
        }
        Ok(())
    }

    fn validate_ranges(&self) -> Result<(), ConfigError> {
        let beside = self.multi_gammas.iter().map(|gamma| ("multi_gammas", *gamma));
        for (name, value) in beside.chain([("gamma", self.gamma)]) {
            if !(0.0..1.0).contains(&value) {
                return Err(ConfigError::Range { name, value, range: "at least 0 and below 1" });
            }
        }
        let weights = [
            ("online_coeff", self.online_coeff),
            ("offline_coeff", self.offline_coeff),
            ("critic_loss_weight", self.critic_loss_weight),
        ];
        for (name, value) in weights {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(ConfigError::Range { name, value, range: "zero or a positive number" });
            }
        }
        if !(0.0..=1.0).contains(&self.tau) {
            return Err(ConfigError::Range { name: "tau", value: self.tau, range: "between 0 and 1" });
        }
        let dropout = [("actor.dropout", self.actor.dropout), ("critic.dropout", self.critic.dropout)];
        if let Some((name, value)) = dropout.into_iter().find(|(_, p)| !(0.0..1.0).contains(p)) {
            return Err(ConfigError::Range { name, value: value as f32, range: "at least 0 and below 1" });
        }
        if !(self.popart_beta > 0.0 && self.popart_beta < 1.0) {
            let value = self.popart_beta as f32;
            return Err(ConfigError::Range { name: "popart_beta", value, range: "above 0 and below 1" });
        }
        // The bounds of the standard deviation.
        if !(1e-4..=1e8).contains(&self.popart_init_nu) {
            let value = self.popart_init_nu;
            return Err(ConfigError::Range { name: "popart_init_nu", value, range: "from 1e-4 to 1e8" });
        }
        Ok(())
    }
}
