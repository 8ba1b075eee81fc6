//! Point robot: find a hidden goal on a half circle.

use rand::{RngExt, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Vec2, add, distance, draw, movement, observe, spec};
use crate::builtin::{Builtin, require};
use crate::render::Grid;
use crate::{Action, Env, EnvError, Observation, Rng, Step, TaskSpec};

/// Where a random start lies: lowest and highest x and y.
const START_BOX: [[f64; 2]; 2] = [[-1.5, 1.5], [-0.5, 1.5]];

/// What [`PointRobot`] pays after each step, `d` being the distance to the goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointReward {
    /// `1 - d` within the goal's radius, else 0, as in VariBAD.
    #[default]
    Sparse,
    /// 1 within the goal's radius, else 0, as in BOReL.
    Indicator,
    /// `-d`.
    Dense,
}

/// Options of [`PointRobot`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PointRobotOptions {
    /// Steps of one episode.
    pub horizon: usize,
    /// Distance from the goal within which it counts as found.
    pub goal_radius: f64,
    /// What is paid: "sparse", `1 - d` within the radius, `d` being the distance to the goal; "indicator", 1 within
    /// the radius; or "dense", `-d`.
    pub reward: PointReward,
    /// Start anywhere in [-1.5, 1.5] × [-0.5, 1.5] instead of at (0, 0).
    pub random_start: bool,
}

impl Default for PointRobotOptions {
    fn default() -> Self {
        Self { horizon: 100, goal_radius: 0.2, reward: PointReward::Sparse, random_start: false }
    }
}

/// The hidden goal of one episode of [`PointRobot`], and where the agent starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointTask {
    /// The goal, `[x, y]`.
    pub goal: [f64; 2],
    /// The start, `[x, y]`.
    pub start: [f64; 2],
}

/// A point and a hidden goal, drawn uniformly for every episode from the upper half of the unit
/// circle.
///
/// Observation: the position. Action: the move along both axes, up to 0.1 per step. The reward is
/// that of [`PointReward`]. The episode is truncated at `horizon`. Success is having been within
/// `goal_radius` of the goal.
///
/// Sources: by default `SparsePointEnv-v0` of github.com/lmzintgraf/varibad (VariBAD, Zintgraf et al.
/// 2020, arXiv 1910.08348) with the goals of its half circle. `horizon = 60`, `reward = "indicator"`,
/// `random_start = true` and `k_shot = 2` make `PointRobotSparse-v0` of github.com/Rondorf/BOReL
/// (off-policy VariBAD, Dorfman, Shenfeld and Tamar 2021, arXiv 2008.02598), which
/// github.com/twni2016/pomdp-baselines shares; its runs draw from a list of 80 goals for training and
/// 20 for evaluation, here every episode has its own.
#[derive(Debug)]
pub struct PointRobot {
    options: PointRobotOptions,
    spec: TaskSpec,
    goal: Vec2,
    position: Vec2,
    time: usize,
    success: bool,
}

impl PointRobot {
    /// A robot with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: PointRobotOptions) -> Result<Self, EnvError> {
        require(Self::ID, options.horizon >= 1, || "horizon must be at least 1".to_owned())?;
        let radius = options.goal_radius;
        require(Self::ID, (0.0..=1e6).contains(&radius), || {
            format!("goal_radius must be from 0 to 1e6, not {radius}")
        })?;
        Ok(Self {
            spec: spec(Self::ID, options.horizon),
            goal: [1.0, 0.0],
            position: [0.0; 2],
            time: 0,
            success: false,
            options,
        })
    }

    /// Starts an episode with a given goal and start.
    ///
    /// # Errors
    /// When the observation does not fit its space.
    pub fn reset_to(&mut self, task: PointTask, obs: &mut Observation) -> Result<(), EnvError> {
        self.goal = task.goal;
        self.position = task.start;
        self.time = 0;
        self.success = false;
        observe(self.position, obs)
    }

    fn start(&self, rng: &mut Rng) -> Vec2 {
        let uniform = |[low, high]: [f64; 2]| rng.random_range(low..=high);
        if self.options.random_start { START_BOX.map(uniform) } else { [0.0; 2] }
    }
}

fn goal(rng: &mut Rng) -> Vec2 {
    let (y, x) = rng.random_range(0.0..=std::f64::consts::PI).sin_cos();
    [x, y]
}

impl Env for PointRobot {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let mut rng = Rng::seed_from_u64(seed);
        let task = PointTask { goal: goal(&mut rng), start: self.start(&mut rng) };
        self.reset_to(task, obs)
    }

    /// The goal stays, the start is drawn anew.
    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let goal = goal(&mut Rng::seed_from_u64(task));
        let start = self.start(&mut Rng::seed_from_u64(attempt));
        self.reset_to(PointTask { goal, start }, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let movement = movement(action, &self.spec.action_space)?;
        self.time += 1;
        self.position = add(self.position, movement);
        let d = distance(self.position, self.goal);
        let there = d <= self.options.goal_radius;
        self.success |= there;
        let reward = match self.options.reward {
            PointReward::Sparse if there => 1.0 - d,
            PointReward::Indicator if there => 1.0,
            PointReward::Sparse | PointReward::Indicator => 0.0,
            PointReward::Dense => -d,
        };
        observe(self.position, obs)?;
        let truncated = self.time >= self.options.horizon;
        Ok(Step { reward: reward as f32, terminated: false, truncated })
    }

    fn success(&self) -> Option<bool> {
        Some(self.success)
    }

    fn draw(&self) -> Option<Grid> {
        Some(draw(self.position, self.goal, self.options.goal_radius))
    }
}

impl Builtin for PointRobot {
    type Options = PointRobotOptions;
    const ID: &'static str = "point-robot";
    const SUMMARY: &'static str = "find a hidden goal on a half circle";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
