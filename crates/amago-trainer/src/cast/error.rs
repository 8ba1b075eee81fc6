//! Tasks that cannot be played.

use amago_env::EnvError;
use amago_env::tasks::SpacesDiffer;

/// What is wrong with the tasks of a run.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// One of several tasks cannot be made.
    #[error("{place}.{}", of_task(cause))]
    Make {
        /// Which, as `tasks[0]`.
        place: String,
        /// Why not.
        cause: EnvError,
    },
    /// A number of a task that is out of range.
    #[error("{name} = {value} must be {rule}")]
    Number {
        /// Setting, as `tasks[0].weight`.
        name: String,
        /// Its value.
        value: f64,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// Tasks without actors, or actors without a task.
    #[error(
        "tasks.actors are {bound} in all and train.parallel_actors is {actors}: {}",
        actors_rule(*bound, *actors, *drawn)
    )]
    Actors {
        /// Actors of tasks that have some of their own.
        bound: usize,
        /// All actors.
        actors: usize,
        /// Whether there are tasks without any.
        drawn: bool,
    },
    /// Tasks with different spaces.
    #[error("{cause}{}", if cause.padded { "" } else { " (train.pad_tasks = true)" })]
    Differ {
        /// Which, and their spaces.
        cause: Box<SpacesDiffer>,
    },
    /// Fewer episodes than tasks.
    #[error(
        "eval.episodes = {episodes} must be at least the number of tasks, {tasks}: each is played as often"
    )]
    Episodes {
        /// Episodes of an evaluation.
        episodes: usize,
        /// Tasks of it.
        tasks: usize,
    },
}

fn actors_rule(bound: usize, actors: usize, drawn: bool) -> &'static str {
    match (bound < actors, drawn) {
        (true, _) => "the others have no task; leave tasks.actors out for one",
        (false, true) => "none is left for the tasks that have no actors of their own",
        (false, false) => "there are not so many",
    }
}

fn of_task(error: &EnvError) -> String {
    match error {
        EnvError::Option { env, message } => format!("options.{message} (id = \"{env}\")"),
        EnvError::UnknownEnv { id, hint } => format!("id = \"{id}\": there is no such environment{hint}"),
        other => format!("id: {other}"),
    }
}

/// What an environment says of its options, with the whole key.
pub(crate) fn of_config(error: &EnvError) -> String {
    match error {
        EnvError::Option { env, message } => format!("env.options.{message} (env.id = \"{env}\")"),
        EnvError::UnknownEnv { id, hint } => {
            format!("env.id = \"{id}\": there is no such environment{hint}")
        }
        other => other.to_string(),
    }
}
