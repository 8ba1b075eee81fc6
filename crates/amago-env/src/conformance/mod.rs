//! Checks that an environment keeps the contract of [`Env`].
//!
//! Call [`check`] in a test of your own environment:
//!
//! ```
//! use amago_env::{conformance, registry};
//!
//! let make = || registry::make("tmaze-passive", &toml::Table::new());
//! let report = conformance::check(&make, &conformance::CheckOptions::default()).unwrap();
//! assert!(report.varies_with_seed);
//! ```

mod play;

use std::collections::BTreeSet;

use crate::{Action, Env, EnvError, Space, SpaceError};
use play::Player;

/// How much to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// Episodes, each played twice.
    pub episodes: u64,
    /// Seed of episodes and of the random actions.
    pub seed: u64,
    /// Episodes that last longer are left unfinished.
    pub max_steps: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { episodes: 10, seed: 0, max_steps: 2000 }
    }
}

/// What was seen while the contract was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ConformanceReport {
    /// Episodes played.
    pub episodes: u64,
    /// Steps of all episodes.
    pub steps: usize,
    /// Episodes that ended within the step limit.
    pub finished: u64,
    /// Length of the longest episode.
    pub longest: usize,
    /// Lowest and highest return.
    pub returns: (f64, f64),
    /// Whether two episodes of different seeds, under the same actions, differed anywhere. Not an
    /// error when false: some tasks are always the same.
    pub varies_with_seed: bool,
    /// Names of all metrics.
    pub metrics: Vec<String>,
}

/// How an environment broke the contract.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// Making the environment failed.
    #[error("the environment cannot be made: {0}")]
    Make(EnvError),
    /// A space cannot be used.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Two environments made alike have other specs, or a spec changed.
    #[error("episode {episode}: name, spaces or horizon are not those of the beginning")]
    SpecChanged {
        /// Episode after which it was seen.
        episode: u64,
    },
    /// A rule was broken while playing.
    #[error("episode {episode}, step {step}: {violation}")]
    Play {
        /// Episode, from 0.
        episode: u64,
        /// Step, the reset being 0.
        step: usize,
        /// The rule.
        violation: Violation,
    },
}

/// A rule broken at one step.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// A legal call failed or panicked, or gave a bad reward or observation.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The same seed and actions gave another episode.
    #[error("{0} differs between two runs of one seed, or is not always written in full")]
    NotDeterministic(&'static str),
    /// The episode goes on beyond the horizon.
    #[error("the episode goes on beyond the horizon of {0} steps")]
    BeyondHorizon(usize),
    /// An illegal action was taken.
    #[error("the illegal action {0:?} was accepted")]
    IllegalAccepted(Action),
    /// An illegal action was refused, but not as such.
    #[error("the illegal action {action:?} must give an action error, but gave: {error}")]
    IllegalUntyped {
        /// The action.
        action: Action,
        /// What came instead.
        error: EnvError,
    },
    /// A metric is NaN or infinite.
    #[error("the metric \"{name}\" is {value}")]
    Metric {
        /// Its name.
        name: String,
        /// Its value.
        value: f64,
    },
}

/// Plays random episodes and checks every rule of the contract: equal seeds give equal episodes,
/// also after another history; observations, rewards and metrics are finite and in their spaces;
/// illegal actions are refused with [`EnvError::Action`]; the horizon holds; the spec stays the same.
///
/// # Errors
/// The first rule broken, with episode and step.
pub fn check(
    make: &dyn Fn() -> Result<Box<dyn Env>, EnvError>,
    options: &CheckOptions,
) -> Result<ConformanceReport, ConformanceError> {
    let env = make().map_err(ConformanceError::Make)?;
    env.spec().validate()?;
    let mut first = Player::new(env, options, 0);
    let other = make().map_err(ConformanceError::Make)?;
    if first.spec() != other.spec() {
        return Err(ConformanceError::SpecChanged { episode: 0 });
    }
    let mut second = Player::new(other, options, 1);
    let mut report = ConformanceReport {
        episodes: options.episodes,
        steps: 0,
        finished: 0,
        longest: 0,
        returns: (f64::INFINITY, f64::NEG_INFINITY),
        varies_with_seed: false,
        metrics: Vec::new(),
    };
    let mut names = BTreeSet::new();
    let mut traces = Vec::new();
    for episode in 0..options.episodes {
        let trace = first.play(episode, episode)?;
        report.steps += trace.length();
        report.finished += u64::from(trace.finished);
        report.longest = report.longest.max(trace.length());
        report.returns = (report.returns.0.min(trace.total), report.returns.1.max(trace.total));
        names.extend(trace.metrics.iter().map(|(name, _)| name.clone()));
        traces.push(trace);
    }
    // Backwards, so that what one episode leaves behind meets another successor.
    for (episode, trace) in traces.iter().enumerate().rev() {
        second.play(episode as u64, episode as u64)?.compare(trace, episode as u64)?;
    }
    if let Some(trace) = traces.first() {
        // The actions of episode 0 in other episodes: only the seed differs.
        for episode in 1..options.episodes {
            report.varies_with_seed |= first.play(episode, 0)?.compare(trace, episode).is_err();
        }
    }
    for action in illegal(&first.spec().action_space) {
        first.refuses(&action)?;
    }
    report.metrics = names.into_iter().collect();
    Ok(report)
}

/// Actions of another kind, of another size, and out of range.
fn illegal(space: &Space) -> Vec<Action> {
    match space {
        Space::Discrete { n } => vec![Action::Discrete(*n), Action::Continuous(vec![0.0])],
        Space::MultiDiscrete { nvec } => {
            let mut high = vec![0; nvec.len()];
            high[0] = nvec[0];
            vec![Action::MultiDiscrete(high), Action::MultiDiscrete(vec![]), Action::Discrete(0)]
        }
        Space::MultiBinary { n } => vec![Action::MultiBinary(vec![false; n + 1]), Action::Discrete(0)],
        Space::Box(_) => {
            let width = space.width();
            let fill = |x, len| Action::Continuous(vec![x; len]);
            vec![fill(2.0, width), fill(f32::NAN, width), fill(0.0, width + 1), Action::Discrete(0)]
        }
    }
}
