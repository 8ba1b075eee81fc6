//! Options of the meta frozen lake.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FrozenLake;
use crate::EnvError;
use crate::builtin::{Builtin, require};

/// A larger lake is a typing error, and would not fit in memory twice per actor.
const MAX_SIZE: usize = 1000;

/// Options of [`FrozenLake`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FrozenLakeOptions {
    /// Side of the square lake.
    pub size: usize,
    /// Attempts on each new lake.
    pub k_episodes: usize,
    /// Swap action indices on some lakes, add noise to the position, break the ice behind the agent.
    pub hard_mode: bool,
    /// Falling in costs 0.1 and puts the agent back, instead of ending the attempt.
    pub recover_mode: bool,
    /// Probability that the agent slips: its move becomes standing still.
    pub slip_chance: f64,
    /// Steps after which an attempt has failed. 0 for `size²`, in hard mode `2·size²`.
    pub max_episode_steps: usize,
    /// Whether the observation tells which attempt it is. Without, a policy can be tested with more attempts than
    /// it was trained with.
    pub show_k_progress: bool,
    /// The whole episode is truncated after this many steps. 0 for no limit beside that of its attempts.
    pub horizon: usize,
}

impl Default for FrozenLakeOptions {
    fn default() -> Self {
        Self {
            size: 5,
            k_episodes: 10,
            hard_mode: false,
            recover_mode: false,
            slip_chance: 0.0,
            max_episode_steps: 0,
            show_k_progress: true,
            horizon: 0,
        }
    }
}

impl FrozenLakeOptions {
    pub(super) fn validate(&self) -> Result<(), EnvError> {
        let id = FrozenLake::ID;
        require(id, (2..=MAX_SIZE).contains(&self.size), || {
            format!("size must be from 2 to {MAX_SIZE}, not {}", self.size)
        })?;
        require(id, self.k_episodes >= 1, || "k_episodes must be at least 1".to_owned())?;
        require(id, (0.0..=1.0).contains(&self.slip_chance), || {
            format!("slip_chance is a probability, not {}", self.slip_chance)
        })
    }

    /// Steps of the longest attempt.
    pub(super) fn longest_attempt(&self) -> usize {
        match self.max_episode_steps {
            0 => self.size * self.size * if self.hard_mode { 2 } else { 1 },
            steps => steps,
        }
    }

    /// Steps of the longest episode.
    pub(super) fn max_steps(&self) -> usize {
        let attempts = self.longest_attempt().saturating_mul(self.k_episodes);
        if self.horizon == 0 { attempts } else { attempts.min(self.horizon) }
    }
}
