//! A config that was checked: everything that can be refused is refused before anything is built.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use amago_agent::{Agent, Learner, LossMask, ObsSpec};
use amago_env::exploration::Exploration;
use amago_env::guard::guard;
use amago_env::watchdog::Watchdog;
use amago_env::{DictSpace, Env, EnvError, Space, TaskSpec};
use amago_replay::{Layout, Spaces};
use amago_seqmodel::{TrajEncoder, TrajEncoderConfig};
use burn::tensor::Device;

use crate::cast::Cast;
use crate::checks::{check_counts, check_faults, check_mixture, check_relabelling};
use crate::faults::Faults;
use crate::maker::Crew;
use crate::sizes::check_sizes;
use crate::task::{self, Casts, Task};
use crate::{MAX_PARALLEL, Precision, Reference, RunConfig, TrainError, obs_spec, reach};

/// Makes one environment of the task; called once per worker.
pub type EnvFactory = Arc<dyn Fn() -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// Makes a trajectory encoder for inputs of a width. Seeded like the built-in ones: draw fresh weights
/// from the device.
pub type EncoderFactory = Arc<dyn Fn(usize, &Device) -> TrajEncoder + Send + Sync>;

/// What a program brings along instead of the built-in parts.
#[derive(Clone, Default)]
pub struct OwnParts {
    /// The task; `config.env` is then only a label.
    pub env: Option<EnvFactory>,
    /// The trajectory encoder; `config.agent.traj_encoder` is then `kind = "own"` with a name.
    pub encoder: Option<EncoderFactory>,
    /// What counts in the losses, beside padding.
    pub loss_mask: Option<Arc<dyn LossMask>>,
}

/// A checked config with what it implies.
///
/// ```
/// use amago_trainer::{ConfigSource, Plan, load_config};
///
/// let text = "env.id = \"tmaze-passive\"";
/// let overrides = ["train.batch_size=4".to_owned(), "optim.micro_batches=8".to_owned()];
/// let config = load_config(&ConfigSource { name: "run.toml", text, overrides: &overrides })?;
/// assert_eq!(config.train.batch_size, 4);
/// // What clashes is refused before anything is built.
/// assert!(Plan::new(config).is_err_and(|e| e.to_string().contains("optim.micro_batches")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Longest possible episode in steps, where the task knows one.
    pub(crate) horizon: Option<usize>,
    /// Absent where there is nothing to play.
    casts: Option<Casts>,
    make_encoder: Option<EncoderFactory>,
    loss_mask: Option<Arc<dyn LossMask>>,
    warnings: Vec<String>,
}

impl Plan {
    /// Checks a config whose task is a built-in environment.
    ///
    /// # Errors
    /// Names the setting, or the settings, that cannot be used.
    pub fn new(config: RunConfig) -> Result<Self, TrainError> {
        Self::with_parts(config, OwnParts::default())
    }

    /// Checks a config whose task is your own environment; `config.env` is then only a label. One
    /// environment is made to learn its spaces.
    ///
    /// # Errors
    /// Names the setting, or the settings, that cannot be used.
    pub fn with_env(config: RunConfig, make_env: EnvFactory) -> Result<Self, TrainError> {
        Self::with_parts(config, OwnParts { env: Some(make_env), ..OwnParts::default() })
    }

    /// Checks a config for which the program brings along some parts of its own.
    ///
    /// # Errors
    /// Names the setting, or the settings, that cannot be used.
    pub fn with_parts(config: RunConfig, parts: OwnParts) -> Result<Self, TrainError> {
        // First, because all that follows multiplies sizes.
        check_sizes(&config)?;
        config.agent.validate().map_err(TrainError::Agent)?;
        config.optim.validate().map_err(TrainError::Optim)?;
        check_counts(&config)?;
        let train = &config.train;
        let (parts_of_batch, size) = (config.optim.micro_batches, train.batch_size);
        if parts_of_batch > size {
            return Err(TrainError::MicroBatches { parts: parts_of_batch, size });
        }
        // It would need the losses of all parts before the first gradient: the memory that parts save.
        if parts_of_batch > 1 && parts.loss_mask.as_ref().is_some_and(|mask| mask.sees_losses()) {
            return Err(TrainError::MaskSeesLosses { parts: parts_of_batch });
        }
        match (&config.agent.traj_encoder, &parts.encoder) {
            (TrajEncoderConfig::Own { name }, None) => {
                return Err(TrainError::NoOwnEncoder { name: name.clone() });
            }
            (TrajEncoderConfig::Own { .. }, Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(TrainError::UnusedOwnEncoder),
        }
        let most = config.replay.max_trajectories;
        if most > 0 && train.min_trajectories > most {
            return Err(TrainError::NeverReady { min: train.min_trajectories, max: most });
        }
        let Task { spec: task, casts } = Task::new(&config, parts.env)?;
        let TaskSpec { observation_space, action_space, horizon, .. } = task;
        let spec = obs_spec(&observation_space, &action_space);
        let head = config.agent.policy_head(&action_space).map_err(|e| TrainError::Agent(e.into()))?;
        config.agent.tstep_encoder.validate_obs(&spec.obs).map_err(|cause| {
            TrainError::Agent(amago_agent::ConfigError::Model { part: "tstep_encoder", cause })
        })?;
        reach::check_positions(&config, horizon)?;
        check_faults(train)?;
        check_mixture(&config)?;
        check_relabelling(&config, &Layout::new(&observation_space, &action_space))?;
        if casts.is_some() {
            Exploration::new(config.exploration.clone(), horizon, &action_space)?;
        }
        Ok(Self {
            warnings: reach::warnings(&config, &head, horizon),
            config,
            spec,
            observation_space,
            action_space,
            horizon,
            casts,
            make_encoder: parts.encoder,
            loss_mask: parts.loss_mask,
        })
    }

    /// What can be learned, but hardly as it is meant: to be told once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether there is an environment to evaluate in. A run with `train.mode = "learn"` may do without: then it learns
    /// in the spaces that its datasets name.
    pub fn is_playable(&self) -> bool {
        self.casts.is_some()
    }

    /// The task, or how many there are, in a word or two.
    pub fn task_label(&self) -> String {
        task::label(&self.config)
    }

    /// The task in words.
    pub fn task_name(&self) -> String {
        task::name(&self.config)
    }

    /// Makes the first `n` environments of training, behind a [`Watchdog`] where `train.env_timeout` is set.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make_envs(&self, n: usize) -> Result<Vec<Box<dyn Env>>, TrainError> {
        let mut crew = self.crew(&self.casts()?.training, n)?;
        (0..n).map(|i| Ok(crew(i)?)).collect()
    }

    /// Makes one environment that plays all tasks of evaluations; `wrap` sees it itself, not the [`Watchdog`], which draws nothing.
    pub(crate) fn make_env(
        &self,
        wrap: impl FnOnce(Box<dyn Env>) -> Box<dyn Env>,
    ) -> Result<Box<dyn Env>, TrainError> {
        let env = self.casts()?.evaluation.any()?;
        Ok(guard(|| Ok(watched(wrap(env), self.config.train.env_timeout)))?)
    }

    fn casts(&self) -> Result<&Casts, EnvError> {
        self.casts.as_ref().ok_or_else(|| {
            let why = "env.id is missing: the run learns from datasets alone, so there is nothing to play";
            EnvError::Failed(why.to_owned())
        })
    }

    fn crew(&self, cast: &Cast, n: usize) -> Result<Crew, EnvError> {
        let (mut crew, seconds) = (cast.crew(n)?, self.config.train.env_timeout);
        Ok(Box::new(move |i| guard(|| Ok(watched(crew(i)?, seconds)))))
    }

    /// Who makes `n` environments of training and replaces those that fail, and what the run puts up with.
    pub(crate) fn faults(&self, n: usize) -> Result<Faults, TrainError> {
        Ok(Faults::new(self.crew(&self.casts()?.training, n)?, self.config.train.max_fault_rate))
    }

    /// The same for an evaluation of so many episodes, and how many environments it has.
    pub(crate) fn evaluation(&self, episodes: usize) -> Result<(Faults, usize), TrainError> {
        let cast = &self.casts()?.evaluation;
        let n = cast.workers(episodes, MAX_PARALLEL);
        Ok((Faults::new(self.crew(cast, n)?, self.config.train.max_fault_rate), n))
    }

    /// What returns of the tasks count as 0 and 1, of training and of evaluations.
    pub(crate) fn references(&self) -> [BTreeMap<String, Reference>; 2] {
        let of = |cast: &Cast| cast.references();
        self.casts.as_ref().map_or_else(Default::default, |c| [of(&c.training), of(&c.evaluation)])
    }

    /// What its trajectories may hold.
    pub(crate) fn spaces(&self) -> Spaces {
        Spaces::new(&self.observation_space, &self.action_space)
    }

    /// A fresh agent for the task.
    pub fn agent(&self, device: &Device) -> Agent {
        match &self.make_encoder {
            Some(make) => Agent::with_encoder(&self.config.agent, &self.spec, &**make, device),
            None => Agent::new(&self.config.agent, &self.spec, device),
        }
    }

    /// Sets, for the whole process, what matrix products are computed in.
    ///
    /// # Errors
    /// When the device cannot.
    pub fn set_precision(&self, device: &Device) -> Result<(), TrainError> {
        let bf16 = self.config.train.precision == Precision::Bf16;
        if bf16 && !amago_ops::has_bf16(device) {
            return Err(TrainError::NoBf16);
        }
        amago_ops::use_bf16(bf16);
        Ok(())
    }

    /// An agent with a fresh optimiser.
    pub fn learner(&self, agent: Agent) -> Learner {
        let learner = Learner::new(agent, self.config.agent.clone(), self.config.optim.clone());
        match &self.loss_mask {
            Some(mask) => learner.with_mask(mask.clone()),
            None => learner,
        }
    }
}

/// The environment with a time limit in seconds, unless that is zero.
fn watched(env: Box<dyn Env>, seconds: f64) -> Box<dyn Env> {
    match seconds == 0.0 {
        true => env,
        false => Box::new(Watchdog::new(env, Duration::from_secs_f64(seconds))),
    }
}
