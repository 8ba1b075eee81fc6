//! Dark key-to-door: find a key, then a door, again and again in the same hidden layout.

mod task;

use rand::SeedableRng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Builtin, cells, require};
use crate::render::Grid;
use crate::{Action, DictSpace, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};
use task::MOVES;
pub use task::{KeyToDoorTask, Location};

/// Trials whose returns get a metric of their own.
const REPORTED_TRIALS: usize = 10;

/// Options of [`KeyToDoor`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyToDoorOptions {
    /// Hide key and door. When false the observation shows where they are.
    pub dark: bool,
    /// Side of the square room.
    pub size: usize,
    /// Steps of one trial, after which the agent is put back to the start.
    pub max_episode_steps: usize,
    /// Steps of all trials in one room.
    pub meta_rollout_horizon: usize,
    /// Where each trial begins: "random" or [x, y].
    pub start_location: Location,
    /// Where the key lies: "random" or [x, y].
    pub key_location: Location,
    /// Where the door is: "random" or [x, y].
    pub goal_location: Location,
    /// Shuffle the meaning of the actions in each new room.
    pub randomize_actions: bool,
}

impl Default for KeyToDoorOptions {
    fn default() -> Self {
        Self {
            dark: true,
            size: 9,
            max_episode_steps: 50,
            meta_rollout_horizon: 500,
            start_location: Location::Random,
            key_location: Location::Random,
            goal_location: Location::Random,
            randomize_actions: false,
        }
    }
}

/// A dark room with a key and a door, which stay where they are for a whole episode of many trials.
///
/// Observation: `x / size`, `y / size`, whether the agent holds the key, `trial time /
/// max_episode_steps`; in the light also door x, y and key x, y, each over `size`. Actions: y-1, x-1,
/// y+1, x+1, stay, unless shuffled. Reward 1 for taking the key and 1 for reaching the door with it.
/// After the door, or at the end of a trial's time, the next action is ignored: it puts the agent
/// back to the start without the key, with reward 0.
///
/// The episode ends at `meta_rollout_horizon` both terminated and truncated, as in the original:
/// values do not bootstrap beyond it.
///
/// Metrics: `trials finished` (ended at the door or by time), `trials completed` (at the door),
/// `return per trial` (mean over the finished trials, absent without any) and `trial {i} return`
/// of those, ten at most, that every episode finishes.
#[derive(Debug)]
pub struct KeyToDoor {
    options: KeyToDoorOptions,
    spec: TaskSpec,
    task: KeyToDoorTask,
    position: (usize, usize),
    has_key: bool,
    trial_over: bool,
    trial_time: usize,
    time: usize,
    trial_return: f32,
    returns: Vec<f32>,
    completed: usize,
}

impl KeyToDoor {
    /// A room with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: KeyToDoorOptions) -> Result<Self, EnvError> {
        let (id, size) = (Self::ID, options.size);
        require(id, size >= 1, || "size must be at least 1".to_owned())?;
        require(id, options.max_episode_steps >= 1, || "max_episode_steps must be at least 1".to_owned())?;
        require(id, options.meta_rollout_horizon >= 1, || {
            "meta_rollout_horizon must be at least 1".to_owned()
        })?;
        for (name, location) in [
            ("start_location", options.start_location),
            ("key_location", options.key_location),
            ("goal_location", options.goal_location),
        ] {
            let inside = !matches!(location, Location::At(x, y) if x >= size || y >= size);
            require(id, inside, || format!("{name} {location:?} is outside a room of size {size}"))?;
        }
        let width = if options.dark { 4 } else { 8 };
        Ok(Self {
            spec: TaskSpec::new(id, Space::box_f32(&[width], 0.0, 1.0), Space::Discrete { n: 5 })
                .with_horizon(options.meta_rollout_horizon),
            task: KeyToDoorTask { start: (0, 0), key: (0, 0), door: (0, 0), moves: MOVES },
            position: (0, 0),
            has_key: false,
            trial_over: false,
            trial_time: 0,
            time: 0,
            trial_return: 0.0,
            // A trial takes at least one step, and another one to begin the next.
            returns: Vec::with_capacity(options.meta_rollout_horizon.div_ceil(2).min(1 << 16)),
            completed: 0,
            options,
        })
    }

    /// Starts an episode in a given room.
    ///
    /// # Errors
    /// When a place is outside the room.
    pub fn reset_to(&mut self, task: KeyToDoorTask, obs: &mut Observation) -> Result<(), EnvError> {
        let size = self.options.size;
        let inside = [task.start, task.key, task.door].iter().all(|(x, y)| *x < size && *y < size);
        require(Self::ID, inside, || format!("{task:?} is outside a room of size {size}"))?;
        self.task = task;
        self.time = 0;
        self.returns.clear();
        self.completed = 0;
        self.begin_trial();
        self.observe(obs)
    }

    fn begin_trial(&mut self) {
        self.position = self.task.start;
        self.has_key = false;
        self.trial_over = false;
        self.trial_time = 0;
        self.trial_return = 0.0;
    }

    /// One step inside a trial; gives the reward.
    fn walk(&mut self, action: usize) -> f32 {
        self.trial_time += 1;
        let (dx, dy) = self.task.moves[action];
        let last = self.options.size - 1;
        let shift = |at: usize, by: isize| at.saturating_add_signed(by).min(last);
        self.position = (shift(self.position.0, dx), shift(self.position.1, dy));
        let opened = self.has_key && self.position == self.task.door;
        let took = !self.has_key && self.position == self.task.key;
        self.has_key |= took;
        let reward = f32::from(opened || took);
        self.trial_return += reward;
        self.trial_over = opened || self.trial_time >= self.options.max_episode_steps;
        self.completed += usize::from(opened);
        if self.trial_over {
            self.returns.push(self.trial_return);
        }
        reward
    }

    fn observe(&self, obs: &mut Observation) -> Result<(), EnvError> {
        let part = |at: usize| at as f32 / self.options.size as f32;
        let time = self.trial_time as f32 / self.options.max_episode_steps as f32;
        let values = [
            part(self.position.0),
            part(self.position.1),
            f32::from(self.has_key),
            time,
            part(self.task.door.0),
            part(self.task.door.1),
            part(self.task.key.0),
            part(self.task.key.1),
        ];
        obs.write(DictSpace::SINGLE, if self.options.dark { &values[..4] } else { &values })
    }
}

impl Env for KeyToDoor {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let task = KeyToDoorTask::draw(&self.options, &mut Rng::seed_from_u64(seed));
        self.reset_to(task, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let action = action.choice(&self.spec.action_space)?;
        self.time += 1;
        let reward = if self.trial_over {
            self.begin_trial();
            0.0
        } else {
            self.walk(action)
        };
        self.observe(obs)?;
        let over = self.time >= self.options.meta_rollout_horizon;
        Ok(Step { reward, terminated: over, truncated: over })
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        let finished = self.returns.len() as f64;
        report("trials finished", finished);
        report("trials completed", self.completed as f64);
        if !self.returns.is_empty() {
            report("return per trial", self.returns.iter().map(|r| f64::from(*r)).sum::<f64>() / finished);
        }
        // Those that every episode finishes: later ones would be those of the episodes that solved the earlier ones.
        let (steps, of_trial) = (self.options.meta_rollout_horizon, self.options.max_episode_steps);
        let certain = steps.saturating_add(1) / of_trial.saturating_add(1);
        for (i, r) in self.returns.iter().take(certain.min(REPORTED_TRIALS)).enumerate() {
            report(&format!("trial {i} return"), f64::from(*r));
        }
    }

    /// A trial that ended is shown until the next step begins another one.
    fn attempt(&self) -> Option<usize> {
        Some(self.returns.len().saturating_sub(usize::from(self.trial_over)))
    }

    fn draw(&self) -> Option<Grid> {
        let mut grid = Grid::new(self.options.size, self.options.size, cells::FLOOR);
        let key = (!self.has_key).then_some((self.task.key, cells::KEY));
        let things = [Some((self.task.door, cells::DOOR)), key, Some((self.position, cells::AGENT))];
        for ((x, y), cell) in things.into_iter().flatten() {
            grid.set(y, x, cell);
        }
        Some(grid)
    }
}

impl Builtin for KeyToDoor {
    type Options = KeyToDoorOptions;
    const ID: &'static str = "dark-key-to-door";
    const SUMMARY: &'static str = "find a hidden key, then a hidden door, over and over in the same room";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
