//! A config that was checked: everything that can be refused is refused before anything is built.

use std::sync::Arc;

use amago_agent::ObsSpec;
use amago_env::exploration::Exploration;
use amago_env::kshot::KShot;
use amago_env::{DictSpace, Env, EnvError, Space, registry};
use amago_replay::{Layout, Relabeler};

use crate::{RunConfig, TrainError, obs_spec};

/// Makes one environment of the task; called once per worker.
pub type EnvFactory = Arc<dyn Fn() -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// A checked config with what it implies.
#[derive(Clone)]
pub struct Plan {
    /// The config.
    pub config: RunConfig,
    /// What the agent must know of the task.
    pub spec: ObsSpec,
    /// Observations of the task.
    pub observation_space: DictSpace,
    /// Actions of the task.
    pub action_space: Space,
    make_env: EnvFactory,
}

impl Plan {
    /// Checks a config whose task is a built-in environment.
    ///
    /// # Errors
    /// Names the setting, or the settings, that cannot be used.
    pub fn new(config: RunConfig) -> Result<Self, TrainError> {
        let env = config.env.clone();
        Self::with_env(config, Arc::new(move || registry::make(&env.id, &env.options)))
    }

    /// Checks a config whose task is your own environment; `config.env` is then only a label. One
    /// environment is made to learn its spaces.
    ///
    /// # Errors
    /// Names the setting, or the settings, that cannot be used.
    pub fn with_env(config: RunConfig, make_env: EnvFactory) -> Result<Self, TrainError> {
        config.agent.validate().map_err(TrainError::Agent)?;
        config.optim.validate().map_err(TrainError::Optim)?;
        let train = &config.train;
        for (name, value) in [
            ("train.epochs", train.epochs),
            ("train.parallel_actors", train.parallel_actors),
            ("train.timesteps_per_epoch", train.timesteps_per_epoch),
            ("train.batch_size", train.batch_size),
            ("train.max_seq_len", train.max_seq_len),
            ("train.min_trajectories", train.min_trajectories),
            ("train.checkpoint_interval", train.checkpoint_interval),
            ("train.keep_checkpoints", train.keep_checkpoints),
            ("eval.interval", config.eval.interval),
            ("eval.episodes", config.eval.episodes),
        ] {
            if value == 0 {
                return Err(TrainError::Setting { name, value, rule: "at least 1" });
            }
        }
        let most = config.replay.max_trajectories;
        if most > 0 && train.min_trajectories > most {
            return Err(TrainError::NeverReady { min: train.min_trajectories, max: most });
        }
        let env = make_env()?;
        let (observation_space, action_space) = (env.observation_space().clone(), env.action_space().clone());
        observation_space.validate()?;
        action_space.validate()?;
        let spec = obs_spec(&observation_space, &action_space)?;
        config.agent.tstep_encoder.validate_keys(&spec.obs).map_err(|source| {
            TrainError::Agent(amago_agent::ConfigError::Model { part: "tstep_encoder", source })
        })?;
        check_relabelling(&config, &Layout::new(&observation_space, &action_space))?;
        Exploration::new(config.exploration.clone(), env.horizon(), &action_space)?;
        Ok(Self { config, spec, observation_space, action_space, make_env })
    }

    /// Makes `n` environments of the task.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_envs(&self, n: usize) -> Result<Vec<Box<dyn Env>>, TrainError> {
        (0..n).map(|_| Ok((self.make_env)()?)).collect()
    }
}

/// Relabelling needs a task with an instruction that stays the same for the whole episode.
fn check_relabelling(config: &RunConfig, layout: &Layout) -> Result<(), TrainError> {
    let relabel = config.replay.relabel;
    if relabel != Relabeler::None && layout.index(KShot::KEY).is_some() {
        return Err(TrainError::RelabelAttempts);
    }
    relabel.check(layout).map_err(|source| TrainError::Relabel { env: config.env.id.clone(), source })
}
