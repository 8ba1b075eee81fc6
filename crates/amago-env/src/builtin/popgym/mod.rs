//! The tasks of POPGym, one file per family.

mod autoencode;
mod battleship;
mod cart_pole;
mod concentration;
mod count_recall;
mod deck;
mod higher_lower;
mod mine_sweeper;
mod multi_domain;
mod multiarmed_bandit;
mod pendulum;
mod picture;
mod repeat_first;
mod repeat_previous;
mod table;
mod task;
#[cfg(test)]
mod trace;

use rand::SeedableRng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use multi_domain::{MultiDomain, MultiDomainOptions};
pub(crate) use table::{Entry, TASKS};
use task::Game;

use crate::render::Grid;
use crate::{
    Action, BoxSpace, DictSpace, Dtype, Env, EnvError, Observation, Rng, Space, Step, TaskSpec, registry,
};

/// The step counter is shown divided by this.
const TIMER_SCALE: f64 = 1000.0;

/// Options of [`PopGym`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PopGymOptions {
    /// An episode cut by its time limit counts as terminated too: values do not bootstrap beyond it.
    pub truncated_is_done: bool,
}

impl Default for PopGymOptions {
    fn default() -> Self {
        Self { truncated_is_done: true }
    }
}

/// A task of POPGym (Morad et al. 2023), as the Python package `popgym` 1.0.7 plays it.
///
/// 14 families, each Easy, Medium and Hard, under the ids of the package, for example
/// `popgym-RepeatPreviousEasy-v0`. The observation is flat as in AMAGO: choices are one-hot, and the
/// number of steps taken, over 1000, comes last. Actions of two indices (row and column of a board)
/// are one index, counted row by row. The only task with continuous actions is the pendulum.
///
/// Rewards are scaled so that returns lie between −1 and 1 for most policies. What the package does
/// is done here too, where it looks like a fault as well:
/// - `VelocityOnlyCartpole` shows position and angle at the reset, velocities afterwards;
/// - `Autoencode` shows a spade, not nothing, while the agent names the cards;
/// - `RepeatPrevious` with `k` asks for the card `k − 1` turns before the one in sight;
/// - `CountRecall` counts the card in sight with those to be recalled;
/// - `MineSweeper` counts a tile's own mine among its neighbours;
/// - `Concentration` charges a card that is up already as if the turn's cards had not matched.
pub struct PopGym {
    options: PopGymOptions,
    game: Box<dyn Game>,
    spec: TaskSpec,
    time: usize,
    /// The observation, kept because tasks may write only what changed.
    seen: Vec<f32>,
    rng: Rng,
}

impl PopGym {
    /// The task with this id.
    ///
    /// # Errors
    /// When the package has no such task.
    pub fn new(id: &str, options: PopGymOptions) -> Result<Self, EnvError> {
        let entry = TASKS.iter().find(|entry| entry.id == id);
        let entry = entry.ok_or_else(|| registry::unknown(id, TASKS.iter().map(|entry| entry.id)))?;
        let game = (entry.game)();
        let mut bounds = game.bounds();
        bounds.push((0.0, 1.0));
        Ok(Self {
            options,
            spec: TaskSpec::new(entry.id, flat_space(&bounds), game.action_space().clone())
                .with_horizon(game.horizon()),
            seen: vec![0.0; bounds.len()],
            game,
            time: 0,
            rng: Rng::seed_from_u64(0),
        })
    }

    fn begin(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.time = 0;
        let timer = self.seen.len() - 1;
        self.seen[timer] = 0.0;
        self.game.begin(&mut self.rng, &mut self.seen[..timer]);
        obs.write(DictSpace::SINGLE, &self.seen)
    }
}

/// How a number of steps is shown.
fn timer_value(steps: usize) -> f32 {
    (steps as f64 / TIMER_SCALE) as f32
}

/// A box of one dimension with these bounds.
fn flat_space(bounds: &[(f32, f32)]) -> Space {
    let (low, high) = bounds.iter().copied().unzip();
    Space::Box(BoxSpace { shape: vec![bounds.len()], low, high, dtype: Dtype::F32 })
}

impl Env for PopGym {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.rng = Rng::seed_from_u64(seed);
        self.game.draw(&mut self.rng);
        self.begin(obs)
    }

    /// The hidden state is the task; noise, and the luck of a bandit's arms, are not.
    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.game.draw(&mut Rng::seed_from_u64(task));
        self.rng = Rng::seed_from_u64(attempt);
        self.begin(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let timer = self.seen.len() - 1;
        let step = self.game.step(action, &mut self.rng, &mut self.seen[..timer])?;
        self.time += 1;
        self.seen[timer] = timer_value(self.time);
        obs.write(DictSpace::SINGLE, &self.seen)?;
        let terminated = step.terminated || (self.options.truncated_is_done && step.truncated);
        Ok(Step { terminated, ..step })
    }

    fn draw(&self) -> Option<Grid> {
        Some(self.game.picture())
    }
}
