//! What a run plays and learns in: an environment, or for a run that only learns also the task of its datasets alone.

use amago_env::TaskSpec;

use crate::maker::Maker;
use crate::plan::EnvFactory;
use crate::{Mode, RunConfig, TrainError};

/// A task, and who makes its environments; absent where there are none.
pub(crate) struct Task {
    pub spec: TaskSpec,
    pub maker: Option<Maker>,
}

impl Task {
    /// The task of a config, or the program's own one. One environment is made to learn its spaces.
    pub fn new(config: &RunConfig, own: Option<EnvFactory>) -> Result<Self, TrainError> {
        let maker = match own {
            Some(make) => Maker::own(make),
            None if is_missing(config) => return Self::of_datasets(config),
            None => Maker::new(&config.env.id, &config.env.options)?,
        };
        let spec = maker.spec()?;
        spec.validate()?;
        Ok(Self { spec, maker: Some(maker) })
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
        Ok(Self { spec, maker: None })
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
