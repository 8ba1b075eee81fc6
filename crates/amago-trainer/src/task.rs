//! What a run plays and learns in: an environment, or for a run that only learns also the task of its datasets alone.

use std::sync::Arc;

use amago_env::guard::{Guarded, guard};
use amago_env::{EnvError, TaskSpec, registry};

use crate::plan::EnvFactory;
use crate::{Mode, RunConfig, TrainError};

/// A task, and how its environments are made.
pub(crate) struct Task {
    pub spec: TaskSpec,
    pub make_env: EnvFactory,
    /// Whether any can be made.
    pub playable: bool,
}

impl Task {
    /// The task of a config, or the program's own one. One environment is made to learn its spaces.
    pub fn new(config: &RunConfig, own: Option<EnvFactory>) -> Result<Self, TrainError> {
        let env = config.env.clone();
        let make_env: EnvFactory = match own {
            Some(make) => make,
            None if is_missing(config) => return Self::of_datasets(config),
            None => Arc::new(move || registry::make(&env.id, &env.options)),
        };
        // Whoever makes an environment may panic, too.
        let make_env: EnvFactory = Arc::new(move || guard(|| make_env()));
        // Made to be looked at; it is dropped again, which may fail as well.
        let spec = Guarded::new(make_env()?).try_spec()?;
        spec.validate()?;
        Ok(Self { spec, make_env, playable: true })
    }

    /// The spaces that the first dataset names which names any.
    fn of_datasets(config: &RunConfig) -> Result<Self, TrainError> {
        let sets = &config.replay.datasets;
        if sets.is_empty() {
            return Err(TrainError::NothingToLearnFrom);
        }
        let mut found = None;
        for set in sets {
            found = amago_dataset::spaces(&set.path)?;
            if found.is_some() {
                break;
            }
        }
        let spaces = found.ok_or(TrainError::NoSpaces)?;
        let spec = TaskSpec::new("datasets", spaces.observation().clone(), spaces.action().clone());
        spec.validate()?;
        let make_env = || {
            let why = "env.id is missing: the run learns from datasets alone, so there is nothing to play";
            Err(EnvError::Failed(why.to_owned()))
        };
        Ok(Self { spec, make_env: Arc::new(make_env), playable: false })
    }
}

/// Whether a config names no environment and need not.
pub(crate) fn is_missing(config: &RunConfig) -> bool {
    config.env.id.is_empty() && config.train.mode == Mode::Learn
}

/// The task in messages.
pub(crate) fn name(config: &RunConfig) -> String {
    match config.env.id.as_str() {
        "" => "the task of replay.datasets".to_owned(),
        id => format!("env.id = \"{id}\""),
    }
}
