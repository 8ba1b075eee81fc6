//! Exploration as written in a configuration file.

use serde::{Deserialize, Serialize};

/// Which exploration to use. In a file: `kind = "epsilon_greedy"` and the options of that kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExplorationConfig {
    /// One schedule over training.
    EpsilonGreedy(EpsilonGreedyConfig),
    /// A schedule over training and within each rollout.
    Bilevel(BilevelConfig),
    /// Noise at the ends of a T-Maze, nearly none in its corridor.
    Tmaze(TmazeConfig),
    /// The policy's own actions.
    None {},
}

impl Default for ExplorationConfig {
    fn default() -> Self {
        ExplorationConfig::EpsilonGreedy(EpsilonGreedyConfig::default())
    }
}

/// Options of [`ExplorationConfig::EpsilonGreedy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EpsilonGreedyConfig {
    /// Noise at the start of training.
    pub eps_start: f64,
    /// Noise after `steps_anneal` steps.
    pub eps_end: f64,
    /// Steps of one actor over which noise falls.
    pub steps_anneal: u64,
    /// Scale the schedule by a uniform draw per episode.
    pub randomize_eps: bool,
}

impl Default for EpsilonGreedyConfig {
    fn default() -> Self {
        Self { eps_start: 1.0, eps_end: 0.05, steps_anneal: 1_000_000, randomize_eps: true }
    }
}

/// Options of [`ExplorationConfig::Bilevel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BilevelConfig {
    /// Noise at the start of training, start of a rollout.
    pub eps_start_start: f64,
    /// Noise at the end of training, start of a rollout.
    pub eps_start_end: f64,
    /// Noise at the start of training, end of a rollout.
    pub eps_end_start: f64,
    /// Noise at the end of training, end of a rollout.
    pub eps_end_end: f64,
    /// Steps of one actor over which noise falls.
    pub steps_anneal: u64,
    /// Scale the schedule by a uniform draw per episode.
    pub randomize_eps: bool,
    /// Steps of a rollout; the environment's horizon where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<usize>,
}

impl Default for BilevelConfig {
    fn default() -> Self {
        Self {
            eps_start_start: 1.0,
            eps_start_end: 0.05,
            eps_end_start: 0.8,
            eps_end_end: 0.01,
            steps_anneal: 1_000_000,
            randomize_eps: true,
            horizon: None,
        }
    }
}

/// Options of [`ExplorationConfig::Tmaze`].
///
/// At steps up to `start_window`, and from `horizon - end_window` on, noise follows the schedule;
/// between them it is `0.5 / horizon`, whatever the episode's factor. The original counts the
/// corridor as the horizon, one less than the steps of a passive T-Maze: set `horizon` for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TmazeConfig {
    /// Last step of the beginning.
    pub start_window: usize,
    /// Steps of the ending.
    pub end_window: usize,
    /// Noise at the start of training.
    pub eps_start: f64,
    /// Noise after `steps_anneal` steps.
    pub eps_end: f64,
    /// Steps of one actor over which noise falls.
    pub steps_anneal: u64,
    /// Scale the schedule by a uniform draw per episode.
    pub randomize_eps: bool,
    /// Steps of a rollout; the environment's horizon where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<usize>,
}

impl Default for TmazeConfig {
    fn default() -> Self {
        Self {
            start_window: 0,
            end_window: 3,
            eps_start: 1.0,
            eps_end: 0.01,
            steps_anneal: 100_000,
            randomize_eps: true,
            horizon: None,
        }
    }
}

/// Exploration that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExplorationError {
    /// Noise is not between 0 and 1.
    #[error("exploration.{field} must be from 0 to 1, not {value}")]
    Epsilon {
        /// Option.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// Noise would grow over training.
    #[error("exploration.{end_field} must not be above exploration.{start_field}: noise falls over training")]
    Grows {
        /// Option of the start.
        start_field: &'static str,
        /// Option of the end.
        end_field: &'static str,
    },
    /// A schedule over no steps.
    #[error("exploration.{0} must be at least 1")]
    Zero(&'static str),
    /// The schedule depends on the length of a rollout, which nobody knows.
    #[error(
        "exploration.horizon must be set for exploration.kind = \"{0}\": the environment has no longest episode"
    )]
    NoHorizon(&'static str),
}

impl ExplorationConfig {
    /// Whether each episode draws a factor.
    pub(super) fn randomized(&self) -> bool {
        match self {
            ExplorationConfig::EpsilonGreedy(c) => c.randomize_eps,
            ExplorationConfig::Bilevel(c) => c.randomize_eps,
            ExplorationConfig::Tmaze(c) => c.randomize_eps,
            ExplorationConfig::None {} => false,
        }
    }

    /// Checks the numbers and settles the horizon.
    pub(super) fn validate(&self, env_horizon: Option<usize>) -> Result<f64, ExplorationError> {
        let (steps, needs) = match self {
            ExplorationConfig::EpsilonGreedy(c) => {
                falls(("eps_start", c.eps_start), ("eps_end", c.eps_end))?;
                (c.steps_anneal, None)
            }
            ExplorationConfig::Bilevel(c) => {
                falls(("eps_start_start", c.eps_start_start), ("eps_start_end", c.eps_start_end))?;
                falls(("eps_end_start", c.eps_end_start), ("eps_end_end", c.eps_end_end))?;
                (c.steps_anneal, Some(("bilevel", c.horizon)))
            }
            ExplorationConfig::Tmaze(c) => {
                falls(("eps_start", c.eps_start), ("eps_end", c.eps_end))?;
                (c.steps_anneal, Some(("tmaze", c.horizon)))
            }
            ExplorationConfig::None {} => return Ok(f64::INFINITY),
        };
        if steps == 0 {
            return Err(ExplorationError::Zero("steps_anneal"));
        }
        match needs {
            None => Ok(f64::INFINITY),
            Some((kind, own)) => match own.or(env_horizon) {
                None => Err(ExplorationError::NoHorizon(kind)),
                Some(0) => Err(ExplorationError::Zero("horizon")),
                Some(h) => Ok(h as f64),
            },
        }
    }
}

fn falls(start: (&'static str, f64), end: (&'static str, f64)) -> Result<(), ExplorationError> {
    for (field, value) in [start, end] {
        if !(0.0..=1.0).contains(&value) {
            return Err(ExplorationError::Epsilon { field, value });
        }
    }
    let grows = end.1 > start.1;
    if grows { Err(ExplorationError::Grows { start_field: start.0, end_field: end.0 }) } else { Ok(()) }
}
