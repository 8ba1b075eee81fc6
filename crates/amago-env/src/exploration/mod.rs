//! Exploration noise on top of the policy's actions, for training environments only.
//!
//! Each actor has its own [`Exploration`]. Its only state is a pair of numbers
//! ([`ExplorationState`]), so a checkpoint can hold it exactly.

mod config;
mod noise;

use rand::RngExt;
use serde::{Deserialize, Serialize};

pub use config::{BilevelConfig, EpsilonGreedyConfig, ExplorationConfig, ExplorationError, TmazeConfig};
pub use noise::{blend_bit, blend_continuous, blend_discrete};

use crate::action::random_choice;
use crate::{Action, Rng, Space};

/// What changes while an actor explores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplorationState {
    /// Steps this actor has taken, over all episodes.
    pub global_step: u64,
    /// Factor on the schedule in this episode; 1 where it is not randomised.
    pub multiplier: f64,
}

/// Exploration of one actor.
#[derive(Debug, Clone, PartialEq)]
pub struct Exploration {
    config: ExplorationConfig,
    /// Steps of a rollout; infinite where the schedule does not look at it.
    horizon: f64,
    space: Space,
    state: ExplorationState,
}

impl Exploration {
    /// Exploration in a space. `horizon` is the longest episode, where known; a horizon in the
    /// configuration goes first.
    ///
    /// # Errors
    /// When a number of the configuration is unusable, or the schedule needs a horizon and has none.
    pub fn new(
        config: ExplorationConfig,
        horizon: Option<usize>,
        action_space: &Space,
    ) -> Result<Self, ExplorationError> {
        let horizon = config.validate(horizon)?;
        let state = ExplorationState { global_step: 0, multiplier: 1.0 };
        Ok(Self { config, horizon, space: action_space.clone(), state })
    }

    /// Begins an episode: draws its factor on the schedule, uniform in `[0, 1)`, if randomised.
    pub fn start_episode(&mut self, rng: &mut Rng) {
        self.state.multiplier = if self.config.randomized() { rng.random() } else { 1.0 };
    }

    /// Noise at a step of the episode, 0 being the first.
    pub fn epsilon(&self, local_step: usize) -> f64 {
        let base = match &self.config {
            ExplorationConfig::None {} => 0.0,
            ExplorationConfig::EpsilonGreedy(c) => {
                anneal(c.eps_start, c.eps_end, c.steps_anneal, self.state.global_step)
            }
            ExplorationConfig::Bilevel(c) => {
                let at = |start, end| anneal(start, end, c.steps_anneal, self.state.global_step);
                let (first, last) =
                    (at(c.eps_start_start, c.eps_start_end), at(c.eps_end_start, c.eps_end_end));
                // A rollout longer than its horizon would go below zero.
                (first - (first - last) * (local_step as f64 / self.horizon)).max(0.0)
            }
            ExplorationConfig::Tmaze(c) => {
                let corridor_end = self.horizon - c.end_window as f64;
                if local_step > c.start_window && (local_step as f64) < corridor_end {
                    // One wrong turn per two corridors; the episode's factor is not for here.
                    return 0.5 / self.horizon;
                }
                anneal(c.eps_start, c.eps_end, c.steps_anneal, self.state.global_step)
            }
        };
        self.state.multiplier * base
    }

    /// Adds noise to an action and counts the step. The number of uniform draws does not depend on
    /// their outcome.
    ///
    /// | action | noise |
    /// |---|---|
    /// | discrete choices, bits | each one, with probability ε, is drawn anew, uniformly |
    /// | numbers | `clip(a + ε·N(0, 1), -1, 1)` |
    ///
    /// Choices are drawn from those that `mask` allows, where there is one
    /// ([`crate::Observation::action_mask`]).
    ///
    /// An action that is not of the space's kind is left as it is; the environment refuses it.
    pub fn apply(&mut self, action: &mut Action, local_step: usize, mask: Option<&[f32]>, rng: &mut Rng) {
        let eps = self.epsilon(local_step);
        self.state.global_step += 1;
        if matches!(self.config, ExplorationConfig::None {}) {
            return;
        }
        match (action, &self.space) {
            (Action::Discrete(a), Space::Discrete { n }) => {
                *a = blend_discrete(*a, random_choice(*n, 0, mask, rng), rng.random(), eps);
            }
            (Action::MultiDiscrete(actions), Space::MultiDiscrete { nvec }) => {
                let mut start = 0;
                for (a, n) in actions.iter_mut().zip(nvec) {
                    *a = blend_discrete(*a, random_choice(*n, start, mask, rng), rng.random(), eps);
                    start += n;
                }
            }
            (Action::MultiBinary(bits), Space::MultiBinary { .. }) => {
                bits.iter_mut().for_each(|bit| *bit = blend_bit(*bit, rng.random(), rng.random(), eps));
            }
            (Action::Continuous(values), Space::Box(_)) => {
                for x in values {
                    *x = blend_continuous(*x, rng.sample(rand_distr::StandardNormal), eps);
                }
            }
            _ => {}
        }
    }

    /// What a checkpoint must keep.
    pub fn state(&self) -> ExplorationState {
        self.state
    }

    /// Goes on from a kept state.
    pub fn restore(&mut self, state: ExplorationState) {
        self.state = state;
    }
}

/// From `start` to `end` in `steps`, then flat.
fn anneal(start: f64, end: f64, steps: u64, step: u64) -> f64 {
    (start - (start - end) / steps as f64 * step as f64).max(end)
}
