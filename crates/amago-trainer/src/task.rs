//! What a run plays and learns in: an environment, or for a run that only learns also the task of its datasets alone.

use amago_env::TaskSpec;

use crate::cast::{self, Cast, TaskError};
use crate::maker::Maker;
use crate::plan::EnvFactory;
use crate::{Mode, RunConfig, TrainError};

/// What a run learns, and who plays it in training and in evaluations; absent where nobody can.
pub(crate) struct Task {
    pub spec: TaskSpec,
    pub casts: Option<Casts>,
}

/// Who plays in training, and who in evaluations.
#[derive(Clone)]
pub(crate) struct Casts {
    pub training: Cast,
    pub evaluation: Cast,
}

impl Task {
    /// The task of a config, or the program's own one. One environment of each is made to learn its spaces.
    pub fn new(config: &RunConfig, own: Option<EnvFactory>) -> Result<Self, TrainError> {
        let evaluated = &config.eval.tasks;
        let training = match own {
            Some(make) => Cast::alone(config.env.id.clone(), Maker::own(make))?,
            None if !config.tasks.is_empty() => Cast::training(config)?,
            None if !is_missing(config) => {
                let maker = Maker::new(&config.env.id, &config.env.options)?;
                Cast::alone(config.env.id.clone(), maker)?
            }
            None if evaluated.is_empty() => return Self::of_datasets(config),
            // It only learns: what it is evaluated on has the spaces.
            None => Cast::evaluation(evaluated)?,
        };
        let evaluation = match evaluated.as_slice() {
            [] => training.evaluated(),
            tasks => Cast::evaluation(tasks)?,
        };
        let tasks = evaluation.roles().len();
        if config.eval.episodes < tasks {
            return Err(TaskError::Episodes { episodes: config.eval.episodes, tasks }.into());
        }
        let mut casts = Casts { training, evaluation };
        let spec = if config.tasks.is_empty() && evaluated.is_empty() {
            casts.training.roles()[0].spec.clone()
        } else {
            let joint = cast::joint([&casts.training, &casts.evaluation], config.train.pad_tasks)?;
            casts.training.joint = Some(joint.clone());
            casts.evaluation.joint = Some(joint.clone());
            let horizon = casts.training.horizon();
            TaskSpec {
                horizon,
                ..TaskSpec::new("tasks", joint.observation_space().clone(), joint.action_space().clone())
            }
        };
        spec.validate()?;
        Ok(Self { spec, casts: Some(casts) })
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
        Ok(Self { spec, casts: None })
    }
}

/// Whether a config names no environment and need not.
pub(crate) fn is_missing(config: &RunConfig) -> bool {
    config.env.id.is_empty() && config.tasks.is_empty() && config.train.mode == Mode::Learn
}

/// The task in messages.
pub(crate) fn name(config: &RunConfig) -> String {
    match config.env.id.as_str() {
        "" if !config.tasks.is_empty() => {
            let ids: Vec<&str> = config.tasks.iter().map(|task| task.id.as_str()).collect();
            format!("tasks = {ids:?}")
        }
        "" => "the task of replay.datasets".to_owned(),
        id => format!("env.id = \"{id}\""),
    }
}

/// The task in a word or two.
pub(crate) fn label(config: &RunConfig) -> String {
    match config.tasks.len() {
        0 if config.env.id.is_empty() => "the evaluated tasks".to_owned(),
        0 => config.env.id.clone(),
        1 => config.tasks[0].id.clone(),
        n => format!("{n} tasks"),
    }
}
