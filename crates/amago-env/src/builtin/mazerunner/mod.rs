//! MazeRunner: find places in an unknown maze, in the order of an instruction.

mod task;

use rand::SeedableRng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Builtin, cells, require};
use crate::render::Grid;
use crate::{Action, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};
pub use task::MazeTask;

/// Smallest maze that has walls outside the open area of the start.
const MIN_DIM: usize = 7;
/// A larger maze is a typing error.
const MAX_DIM: usize = 999;
/// What a goal that was reached looks like in the observation.
const REACHED: f32 = -1.0;

/// Options of [`MazeRunner`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MazeRunnerOptions {
    /// Side of the square maze, its border included; an even number counts as the next odd one.
    pub maze_dim: usize,
    /// Goals to reach, in order.
    pub num_goals: usize,
    /// Longest episode in steps.
    pub time_limit: usize,
    /// Shuffle the meaning of the actions in each new maze.
    pub randomized_action_space: bool,
}

impl Default for MazeRunnerOptions {
    fn default() -> Self {
        Self { maze_dim: 11, num_goals: 3, time_limit: 250, randomized_action_space: false }
    }
}

impl MazeRunnerOptions {
    fn side(&self) -> usize {
        self.maze_dim / 2 * 2 + 1
    }
}

/// A new random maze in every episode, in which to visit `num_goals` places in a given order.
///
/// Observation: `obs` with `row / n`, `column / n`, the free places to the west, north, east and
/// south up to the next wall, each over the side `n`, and `time / time_limit`; `goals`,
/// `num_goals × 2`, with row and column of every goal, -1 for those already reached; `achieved`,
/// `1 × 2`, with row and column of the agent, by which an episode can be relabelled afterwards.
/// Actions: west, north, east, south, stay, unless shuffled. Reward 1 for each goal.
///
/// The episode is terminated with the last goal, and both terminated and truncated at the time
/// limit: time is part of the observation, so values do not go on beyond it. It begins in an open
/// area of four rows at the lower side.
///
/// Metric: `goals reached`. Success is having reached all of them.
///
/// The original reports the lowest legal value of `goals` as 0, although -1 occurs; here it is -1.
#[derive(Debug)]
pub struct MazeRunner {
    options: MazeRunnerOptions,
    spec: TaskSpec,
    task: MazeTask,
    /// Free places, used while a maze is drawn.
    free: Vec<(usize, usize)>,
    position: (usize, usize),
    /// Goals reached so far.
    reached: usize,
    time: usize,
    /// The goals as observed.
    instruction: Vec<f32>,
}

impl MazeRunner {
    /// Mazes with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: MazeRunnerOptions) -> Result<Self, EnvError> {
        let (id, k) = (Self::ID, options.num_goals);
        require(id, (MIN_DIM..=MAX_DIM).contains(&options.maze_dim), || {
            format!("maze_dim must be from {MIN_DIM} to {MAX_DIM}, not {}", options.maze_dim)
        })?;
        require(id, options.time_limit >= 1, || "time_limit must be at least 1".to_owned())?;
        let side = options.side();
        let most = task::always_free(side);
        require(id, (1..=most).contains(&k), || {
            format!("num_goals must be from 1 to {most} in a maze with maze_dim = {side}, not {k}")
        })?;
        let keys = [
            ("obs", Space::box_f32(&[7], 0.0, 1.0)),
            ("goals", Space::box_f32(&[k, 2], REACHED, side as f32)),
            ("achieved", Space::box_f32(&[1, 2], 0.0, side as f32)),
        ];
        Ok(Self {
            spec: TaskSpec::new(id, keys, Space::Discrete { n: 5 }).with_horizon(options.time_limit),
            task: MazeTask::empty(&options),
            free: Vec::with_capacity(side * side),
            position: task::start(side),
            reached: 0,
            time: 0,
            instruction: vec![0.0; 2 * k],
            options,
        })
    }

    /// Starts an episode in a given maze.
    ///
    /// # Errors
    /// When the maze is of another size or has another number of goals than the options say, its
    /// border has a gap, a goal or the start is in a wall, or a move is longer than one place.
    pub fn reset_to(&mut self, task: MazeTask, obs: &mut Observation) -> Result<(), EnvError> {
        let side = self.options.side();
        let fits = task.side == side && task.walls.len() == side * side;
        require(Self::ID, fits, || format!("the maze must have {side} by {side} places"))?;
        let (k, given) = (self.options.num_goals, task.goals.len());
        require(Self::ID, given == k, || format!("the maze must have num_goals = {k} goals, not {given}"))?;
        let border = |i: usize| [(0, i), (side - 1, i), (i, 0), (i, side - 1)];
        let closed = (0..side).flat_map(border).all(|place| task.wall(place));
        require(Self::ID, closed, || "the border of the maze has a gap".to_owned())?;
        let free =
            |(row, column): &(usize, usize)| *row < side && *column < side && !task.wall((*row, *column));
        let reachable = task.goals.iter().all(free) && free(&task.start());
        require(Self::ID, reachable, || "a goal or the start is in a wall".to_owned())?;
        let single = task.moves.iter().all(|(down, right)| down.abs() + right.abs() <= 1);
        require(Self::ID, single, || format!("the moves {:?} are longer than one place", task.moves))?;
        self.task = task;
        self.begin(obs)
    }

    fn begin(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.position = self.task.start();
        self.reached = 0;
        self.time = 0;
        for (seen, (row, column)) in self.instruction.chunks_exact_mut(2).zip(&self.task.goals) {
            seen.copy_from_slice(&[*row as f32, *column as f32]);
        }
        self.observe(obs)
    }

    /// Free places in one direction, up to the next wall. The border is closed, so it ends.
    fn distance(&self, direction: (isize, isize)) -> usize {
        let ahead = |place| Some(shift(place, direction)).filter(|place| !self.task.wall(*place));
        std::iter::successors(ahead(self.position), |place| ahead(*place)).count()
    }

    fn observe(&self, obs: &mut Observation) -> Result<(), EnvError> {
        let side = self.task.side as f32;
        let part = |n: usize| n as f32 / side;
        let (row, column) = self.position;
        let values = [
            part(row),
            part(column),
            part(self.distance((0, -1))),
            part(self.distance((-1, 0))),
            part(self.distance((0, 1))),
            part(self.distance((1, 0))),
            self.time as f32 / self.options.time_limit as f32,
        ];
        obs.write("obs", &values)?;
        obs.write("goals", &self.instruction)?;
        obs.write("achieved", &[row as f32, column as f32])
    }
}

/// The place one step away, for places inside a closed border.
fn shift((row, column): (usize, usize), (down, right): (isize, isize)) -> (usize, usize) {
    (row.wrapping_add_signed(down), column.wrapping_add_signed(right))
}

impl Env for MazeRunner {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let mut rng = Rng::seed_from_u64(seed);
        self.task.draw(self.options.randomized_action_space, &mut self.free, &mut rng);
        self.begin(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let action = action.choice(&self.spec.action_space)?;
        self.time += 1;
        let ahead = shift(self.position, self.task.moves[action]);
        if !self.task.wall(ahead) {
            self.position = ahead;
        }
        let success = self.task.goals.get(self.reached) == Some(&self.position);
        if success {
            self.instruction[2 * self.reached..][..2].fill(REACHED);
            self.reached += 1;
        }
        let truncated = self.time >= self.options.time_limit;
        let terminated = truncated || self.reached == self.task.goals.len();
        self.observe(obs)?;
        Ok(Step { reward: f32::from(success), terminated, truncated })
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        report("goals reached", self.reached as f64);
    }

    fn success(&self) -> Option<bool> {
        Some(self.reached == self.task.goals.len())
    }

    fn draw(&self) -> Option<Grid> {
        let side = self.task.side;
        let mut grid = Grid::new(side, side, cells::FLOOR);
        for (i, _) in self.task.walls.iter().enumerate().filter(|(_, wall)| **wall) {
            grid.set(i % side, i / side, cells::WALL);
        }
        for (i, (row, column)) in self.task.goals.iter().enumerate().skip(self.reached).rev() {
            grid.set(*column, *row, cells::numbered_goal(i));
        }
        grid.set(self.position.1, self.position.0, cells::AGENT);
        Some(grid)
    }
}

impl Builtin for MazeRunner {
    type Options = MazeRunnerOptions;
    const ID: &'static str = "mazerunner";
    const SUMMARY: &'static str = "visit places in an unknown maze, in the order of an instruction";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
