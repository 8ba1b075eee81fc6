//! A config that was checked: everything that can be refused is refused before anything is built.

use amago_agent::ObsSpec;
use amago_env::exploration::Exploration;
use amago_env::{DictSpace, Env, Space, registry};

use crate::{RunConfig, TrainError, obs_spec};

/// A checked config with what it implies.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The config.
    pub config: RunConfig,
    /// What the agent must know of the task.
    pub spec: ObsSpec,
    /// Observations of the task.
    pub observation_space: DictSpace,
    /// Actions of the task.
    pub action_space: Space,
}

impl Plan {
    /// Checks a config and makes one environment to learn its spaces.
    ///
    /// # Errors
    /// Names the setting, or the settings, that cannot be used.
    pub fn new(config: RunConfig) -> Result<Self, TrainError> {
        config.agent.validate().map_err(TrainError::Agent)?;
        config.optim.validate().map_err(TrainError::Optim)?;
        let train = &config.train;
        for (name, value) in [
            ("train.parallel_actors", train.parallel_actors),
            ("train.timesteps_per_epoch", train.timesteps_per_epoch),
            ("train.batch_size", train.batch_size),
            ("train.max_seq_len", train.max_seq_len),
            ("train.min_trajectories", train.min_trajectories),
            ("train.checkpoint_interval", train.checkpoint_interval),
            ("train.keep_checkpoints", train.keep_checkpoints),
            ("eval.interval", config.eval.interval),
            ("eval.episodes", config.eval.episodes),
            ("replay.max_trajectories", config.replay.max_trajectories.unwrap_or(1)),
            ("replay.traj_save_len", config.replay.traj_save_len.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(TrainError::Setting { name, value, rule: "at least 1" });
            }
        }
        let env = registry::make(&config.env.id, &config.env.options)?;
        let (observation_space, action_space) = (env.observation_space().clone(), env.action_space().clone());
        observation_space.validate()?;
        action_space.validate()?;
        let spec = obs_spec(&observation_space, &action_space)?;
        config
            .agent
            .tstep_encoder
            .validate_keys(&spec.obs)
            .map_err(|source| TrainError::Agent(amago_agent::ConfigError::Model { part: "tstep_encoder", source }))?;
        Exploration::new(config.exploration.clone(), env.horizon(), &action_space)?;
        Ok(Self { config, spec, observation_space, action_space })
    }

    /// Makes `n` environments of the task.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_envs(&self, n: usize) -> Result<Vec<Box<dyn Env>>, TrainError> {
        let env = &self.config.env;
        (0..n).map(|_| Ok(registry::make(&env.id, &env.options)?)).collect()
    }
}
