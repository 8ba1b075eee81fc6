//! The environment trait.

use crate::render::{Frame, Grid};
use crate::{Action, ActionError, Column, Dtype, Observation, TaskSpec};

/// What one step gave, besides the observation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Step {
    /// Reward of the action.
    pub reward: f32,
    /// The task ended: no value beyond this step.
    pub terminated: bool,
    /// The episode was cut, for example by a time limit: value goes on.
    pub truncated: bool,
}

impl Step {
    /// Whether the episode is over for either reason.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// A task for an agent. Object-safe, so that tasks can be mixed in one vector.
///
/// The contract, checked by [`crate::conformance::check`]: the same seed gives the same episode;
/// every observation is inside its space; after a step with `done()` the next call is `reset`.
///
/// Three methods are needed:
///
/// ```
/// use amago_env::{Action, DictSpace, Env, EnvError, Observation, Role, Space, Step, TaskSpec, rng};
/// use rand::RngExt;
///
/// /// A bit is shown once and must be named right away.
/// struct Guess(TaskSpec, usize);
///
/// impl Env for Guess {
///     fn spec(&self) -> &TaskSpec {
///         &self.0
///     }
///
///     fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
///         self.1 = rng(seed, Role::TrainEnv, 0, 0).random_range(0..2);
///         obs.write(DictSpace::SINGLE, &[self.1 as f32])
///     }
///
///     fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
///         let right = action.choice(&self.0.action_space)? == self.1;
///         obs.write(DictSpace::SINGLE, &[0.0])?;
///         Ok(Step { reward: f32::from(right), terminated: true, truncated: false })
///     }
/// }
///
/// let spec = TaskSpec::new("guess", Space::box_f32(&[1], 0.0, 1.0), Space::Discrete { n: 2 });
/// let spec = spec.with_horizon(1);
/// let make = || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(Guess(spec.clone(), 0))) };
/// amago_env::conformance::check(&make, &amago_env::conformance::CheckOptions::default())?;
/// # Ok::<(), amago_env::conformance::ConformanceError>(())
/// ```
pub trait Env: Send {
    /// Name, spaces and horizon. Constant.
    fn spec(&self) -> &TaskSpec;

    /// Name of the task that is played, used in metrics: that of [`Env::spec`], unless the environment has
    /// several tasks and another one in each episode.
    fn task(&self) -> &str {
        &self.spec().name
    }

    /// Starts an episode whose randomness all comes from `seed`, and writes the first observation.
    ///
    /// # Errors
    /// When the task cannot be set up or the observation does not fit its space.
    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError>;

    /// Starts another attempt at the task that `reset(task)` draws: the same hidden layout, goal or
    /// dynamics, while randomness beyond the task comes from `attempt`. Called after `reset(task)`.
    ///
    /// The default plays the seed `task` again, which is right where all of an episode's randomness
    /// is its task. The conformance check of a [`crate::kshot::KShot`] around the environment covers it.
    ///
    /// # Errors
    /// As [`Env::reset`].
    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let _ = attempt;
        self.reset(task, obs)
    }

    /// Takes one action and writes the next observation.
    ///
    /// # Errors
    /// When the action is not legal or the task fails.
    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError>;

    /// Tells which action the next call of [`Env::step`] will have, so that an environment whose work is done
    /// elsewhere, in another process or on another machine, may begin with it: a [`crate::vector::VecEnv`] tells
    /// all of its environments before it steps the first. If that step ends the episode, `reset(next_seed)` will
    /// follow. Both are announcements and may be ignored, as the default does; something else may follow, too.
    ///
    /// True says that the work has begun, so that `step` is little more than waiting for it.
    fn start_step(&mut self, _action: &Action, _next_seed: u64) -> bool {
        false
    }

    /// Reports the named metrics of the episode that just ended, for example `attempt 0 success`.
    fn metrics(&self, _report: &mut dyn FnMut(&str, f64)) {}

    /// Whether the episode solved the task, where the task defines success.
    fn success(&self) -> Option<bool> {
        None
    }

    /// Sum of the rewards of the episode that just ended in the task's own units, where the rewards that are paid have
    /// others: what metrics tell. Without it, that is the sum of those.
    fn episode_return(&self) -> Option<f64> {
        None
    }

    /// Everything that the running episode needs to go on, for a checkpoint.
    ///
    /// Optional. Without it a resumed run plays the episode's actions again from its seed, which brings a
    /// deterministic environment to where it stood, and a checkpoint grows with the episode: by a byte per step
    /// for a discrete choice of up to 128 options. One that does not come out there begins another episode, and
    /// the run says so. An environment that has a state at one step of an episode must have one at every later
    /// step.
    fn save_state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Goes on from a saved state, in an environment that was made in the same way and may never have been
    /// reset.
    ///
    /// # Errors
    /// When the state cannot be used.
    fn load_state(&mut self, _state: &[u8]) -> Result<(), EnvError> {
        Err(EnvError::Failed("this environment has no saved states".to_owned()))
    }

    /// Number of the attempt at the same task that is running, from 0, where an episode has several.
    fn attempt(&self) -> Option<usize> {
        None
    }

    /// Draws the current state, hidden parts included, where the environment knows how.
    fn draw(&self) -> Option<Grid> {
        None
    }

    /// The current state as an image: that of [`Env::draw`], unless the environment has a better one.
    fn render(&self) -> Option<Frame> {
        self.draw().map(|grid| grid.frame())
    }

    /// The current state as text: that of [`Env::draw`], unless the environment has a better one.
    fn render_text(&self) -> Option<String> {
        self.draw().map(|grid| grid.text())
    }
}

/// What can go wrong inside an environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// An observation was written under a key that the space does not have.
    #[error("the observation has no key \"{0}\"")]
    UnknownKey(String),
    /// An observation of another width or type than its space.
    #[error("observation \"{key}\" has {got} {got_type} entries, its space has {expected} {expected_type}")]
    WrongShape {
        /// Observation key.
        key: String,
        /// Entries written.
        got: usize,
        /// Type written.
        got_type: &'static str,
        /// Entries of the space.
        expected: usize,
        /// Type of the space.
        expected_type: &'static str,
    },
    /// NaN or infinity in a reward or observation.
    #[error("{what} is {value}, not a finite number")]
    NotFinite {
        /// Which number.
        what: String,
        /// Its value.
        value: f32,
    },
    /// A finite observation outside its space.
    #[error("observation \"{key}\" is outside its space {space}")]
    OutOfSpace {
        /// Observation key.
        key: String,
        /// The space.
        space: String,
    },
    /// An action mask without a legal option, though the episode goes on.
    #[error("the action mask allows no option of choice {choice}, but the episode goes on")]
    NothingLegal {
        /// Number of the choice, from 0.
        choice: usize,
    },
    /// An illegal action.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// An unusable option of a built-in environment.
    #[error("environment \"{env}\": {message}")]
    Option {
        /// Environment id.
        env: String,
        /// What is wrong and what would be right; begins with the option.
        message: String,
    },
    /// No built-in environment has this id.
    #[error("there is no environment \"{id}\"{hint}")]
    UnknownEnv {
        /// The id asked for.
        id: String,
        /// What it may have meant, or where the known ones are listed.
        hint: String,
    },
    /// The environment panicked.
    #[error("the environment panicked: {0}")]
    Panicked(String),
    /// The environment did not answer: see [`crate::watchdog::Watchdog`].
    #[error("the environment did not answer within {seconds} s and was given up")]
    Hung {
        /// The time limit.
        seconds: f64,
    },
    /// Any failure of a user's environment.
    #[error("{0}")]
    Failed(String),
}

impl EnvError {
    pub(crate) fn shape(key: &str, column: &Column, got: Dtype, len: usize) -> Self {
        let name = |d| if d == Dtype::F32 { "f32" } else { "u8" };
        EnvError::WrongShape {
            key: key.to_owned(),
            got: len,
            got_type: name(got),
            expected: column.len(),
            expected_type: name(column.dtype()),
        }
    }
}
