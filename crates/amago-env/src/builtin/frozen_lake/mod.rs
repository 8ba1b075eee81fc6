//! Meta frozen lake: several attempts to cross the same unknown lake.

mod options;
mod task;

use rand::{RngExt, SeedableRng};

use super::{Builtin, cells, require};
use crate::render::Grid;
use crate::{Action, DictSpace, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};
pub use options::FrozenLakeOptions;
pub use task::LakeTask;
use task::{Search, Tile};

/// Hard mode: chance that the position sensor is off.
const SENSOR_NOISE_CHANCE: f64 = 0.25;
/// Hard mode: chance that the ice breaks behind the agent.
const BREAK_CHANCE: f64 = 0.33;

/// An unknown lake and `k_episodes` attempts to walk from one corner to the opposite one.
///
/// Observation: `x / size`, `y / size`, whether an attempt just began, `attempt / k_episodes` (absent without
/// `show_k_progress`). As in the original, the observation that begins an attempt still shows the number of
/// the attempt that just ended. Actions: stay, x+1, x-1, y+1, y-1. Reward 1 at the goal. An attempt ends at the
/// goal, in a hole (unless in `recover_mode`), or after `max_episode_steps`.
///
/// Hard mode: with probability 0.33 the ice breaks behind an agent that moves, also where the move ends in a
/// hole. In `recover_mode` it then stands on broken ice and pays for every step until it leaves.
///
/// Metrics: `attempt {i} success`, 0 or 1, for every attempt; one that a time limit ended or prevented
/// counts as failed. The episode is a success when its last attempt reached the goal.
///
/// The rules are those of the original since April 2026; `horizon` is new. With `max_episode_steps` at `horizon` or
/// above, attempts have no limit of their own, as in the original before.
#[derive(Debug)]
pub struct FrozenLake {
    options: FrozenLakeOptions,
    spec: TaskSpec,
    /// The lake of this episode.
    task: LakeTask,
    /// The tiles of this attempt, with the holes that broke in it.
    active: Vec<Tile>,
    search: Search,
    position: (usize, usize),
    outcomes: Vec<bool>,
    /// Steps of the episode.
    time: usize,
    /// Steps of this attempt.
    attempt_time: usize,
    rng: Rng,
}

impl FrozenLake {
    /// A lake of random layouts.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: FrozenLakeOptions) -> Result<Self, EnvError> {
        options.validate()?;
        let task = LakeTask::flat(options.size);
        let width = if options.show_k_progress { 4 } else { 3 };
        Ok(Self {
            spec: TaskSpec::new(Self::ID, Space::box_f32(&[width], 0.0, 1.0), Space::Discrete { n: 5 })
                .with_horizon(options.max_steps()),
            active: task.tiles.clone(),
            task,
            search: Search::default(),
            position: (0, 0),
            outcomes: Vec::with_capacity(options.k_episodes.min(1024)),
            time: 0,
            attempt_time: 0,
            rng: Rng::seed_from_u64(0),
            options,
        })
    }

    /// Starts an episode on a given lake; what the hidden part leaves to chance comes from `seed`.
    ///
    /// # Errors
    /// When the lake is of another size than the option says.
    pub fn reset_to(&mut self, task: LakeTask, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let size = self.options.size;
        require(Self::ID, task.size == size, || {
            format!("the layout must have {size} rows, not {}", task.size)
        })?;
        self.task = task;
        self.rng = Rng::seed_from_u64(seed);
        self.begin(obs)
    }

    fn draw_task(&mut self, seed: u64) {
        self.rng = Rng::seed_from_u64(seed);
        self.task.draw(self.options.hard_mode, &mut self.search, &mut self.rng);
    }

    fn begin(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.outcomes.clear();
        self.time = 0;
        self.begin_attempt();
        self.observe(true, 0, obs)
    }

    fn begin_attempt(&mut self) {
        self.active.copy_from_slice(&self.task.tiles);
        self.position = (0, 0);
        self.attempt_time = 0;
    }

    /// Where the action leads, walls included.
    fn target(&mut self, action: usize) -> (usize, usize) {
        let (dx, dy) = self.task.step(action);
        if (dx, dy) != (0, 0) && self.rng.random_bool(self.options.slip_chance) {
            return self.position;
        }
        let last = self.options.size - 1;
        let shift = |at: usize, by: isize| at.saturating_add_signed(by).min(last);
        (shift(self.position.0, dx), shift(self.position.1, dy))
    }

    fn observe(&mut self, reset: bool, attempt: usize, obs: &mut Observation) -> Result<(), EnvError> {
        let (mut x, mut y) = self.position;
        if self.options.hard_mode && self.rng.random_bool(SENSOR_NOISE_CHANCE) {
            let last = self.options.size - 1;
            let mut off =
                |at: usize| at.saturating_add_signed(self.rng.random_range(-1i32..=1) as isize).min(last);
            (x, y) = (off(x), off(y));
        }
        let size = self.options.size as f32;
        let attempt = attempt as f32 / self.options.k_episodes as f32;
        let values = [x as f32 / size, y as f32 / size, f32::from(reset), attempt];
        let shown = if self.options.show_k_progress { 4 } else { 3 };
        obs.write(DictSpace::SINGLE, &values[..shown])
    }
}

impl Env for FrozenLake {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.draw_task(seed);
        self.begin(obs)
    }

    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.draw_task(task);
        self.rng = Rng::seed_from_u64(attempt);
        self.begin(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let action = action.choice(&self.spec.action_space)?;
        self.time += 1;
        self.attempt_time += 1;
        let size = self.options.size;
        let next = self.target(action);
        if self.options.hard_mode && next != self.position && self.rng.random_bool(BREAK_CHANCE) {
            self.active[self.position.0 * size + self.position.1] = Tile::Hole;
        }
        let tile = self.active[next.0 * size + next.1];
        let attempt = self.outcomes.len();
        let over = tile == Tile::Goal || (tile == Tile::Hole && !self.options.recover_mode);
        let ends = over || self.attempt_time >= self.options.longest_attempt();
        if ends {
            self.outcomes.push(tile == Tile::Goal);
            self.begin_attempt();
        } else if tile == Tile::Ice {
            self.position = next;
        }
        let reward = match tile {
            Tile::Goal => 1.0,
            Tile::Hole if self.options.recover_mode => -0.1,
            _ => 0.0,
        };
        self.observe(ends, attempt, obs)?;
        let terminated = self.outcomes.len() >= self.options.k_episodes;
        Ok(Step { reward, terminated, truncated: !terminated && self.time >= self.options.max_steps() })
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        for attempt in 0..self.options.k_episodes {
            let success = self.outcomes.get(attempt).copied().unwrap_or(false);
            report(&format!("attempt {attempt} success"), f64::from(u8::from(success)));
        }
    }

    fn success(&self) -> Option<bool> {
        Some(self.outcomes.get(self.options.k_episodes - 1).copied().unwrap_or(false))
    }

    fn attempt(&self) -> Option<usize> {
        Some(self.outcomes.len().min(self.options.k_episodes - 1))
    }

    fn draw(&self) -> Option<Grid> {
        let size = self.options.size;
        let mut grid = Grid::new(size, size, cells::FLOOR);
        for (i, tile) in self.active.iter().enumerate() {
            match tile {
                Tile::Ice => {}
                Tile::Hole => grid.set(i % size, i / size, cells::HOLE),
                Tile::Goal => grid.set(i % size, i / size, cells::GOAL),
            }
        }
        grid.set(self.position.1, self.position.0, cells::AGENT);
        Some(grid)
    }
}

impl Builtin for FrozenLake {
    type Options = FrozenLakeOptions;
    const ID: &'static str = "meta-frozen-lake";
    const SUMMARY: &'static str = "several attempts to cross the same unknown frozen lake";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
