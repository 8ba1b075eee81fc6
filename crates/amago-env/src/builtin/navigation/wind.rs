//! Wind: reach a known goal while an unknown wind blows.

use rand::{RngExt, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Vec2, add, distance, draw, movement, observe, spec};
use crate::builtin::{Builtin, require};
use crate::render::Grid;
use crate::{Action, Env, EnvError, Observation, Rng, Step, TaskSpec};

const GOAL: Vec2 = [0.0, 1.0];

/// Options of [`Wind`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WindOptions {
    /// Steps of one episode.
    pub horizon: usize,
    /// Distance from the goal within which there is a reward.
    pub goal_radius: f64,
    /// Strongest wind along each axis, per step.
    pub wind_max: f64,
}

impl Default for WindOptions {
    fn default() -> Self {
        Self { horizon: 75, goal_radius: 0.03, wind_max: 0.08 }
    }
}

/// A point that starts at (0, 0), and a goal at (0, 1), which the agent is not shown. A hidden wind,
/// drawn uniformly for every episode, is added to each move.
///
/// Observation: the position. Action: the move along both axes, up to 0.1 per step. Reward 1 after
/// each step that ends within `goal_radius` of the goal, else 0. The episode is truncated at
/// `horizon`. Success is having been at the goal.
///
/// Source: `Wind-v0` of the meta-RL tasks in github.com/twni2016/pomdp-baselines (Ni, Eysenbach and
/// Salakhutdinov 2022, arXiv 2110.05038), which extend the off-policy VariBAD benchmark (BOReL,
/// Dorfman, Shenfeld and Tamar 2021, arXiv 2008.02598), with one attempt per wind. A difference: the
/// published runs draw from a list of 40 winds for training and 20 for evaluation, here every
/// episode has its own.
#[derive(Debug)]
pub struct Wind {
    options: WindOptions,
    spec: TaskSpec,
    wind: Vec2,
    position: Vec2,
    time: usize,
    success: bool,
}

impl Wind {
    /// Winds with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: WindOptions) -> Result<Self, EnvError> {
        require(Self::ID, options.horizon >= 1, || "horizon must be at least 1".to_owned())?;
        for (name, value) in [("goal_radius", options.goal_radius), ("wind_max", options.wind_max)] {
            let usable = (0.0..=1e6).contains(&value);
            require(Self::ID, usable, || format!("{name} must be from 0 to 1e6, not {value}"))?;
        }
        Ok(Self {
            spec: spec(Self::ID, options.horizon),
            wind: [0.0; 2],
            position: [0.0; 2],
            time: 0,
            success: false,
            options,
        })
    }

    /// Starts an episode with a given wind.
    ///
    /// # Errors
    /// When the observation does not fit its space.
    pub fn reset_to(&mut self, wind: [f64; 2], obs: &mut Observation) -> Result<(), EnvError> {
        self.wind = wind;
        self.position = [0.0; 2];
        self.time = 0;
        self.success = false;
        observe(self.position, obs)
    }
}

impl Env for Wind {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let mut rng = Rng::seed_from_u64(seed);
        let max = self.options.wind_max;
        let wind = [rng.random_range(-max..=max), rng.random_range(-max..=max)];
        self.reset_to(wind, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let movement = movement(action, &self.spec.action_space)?;
        self.time += 1;
        self.position = add(add(self.position, movement), self.wind);
        let there = distance(self.position, GOAL) <= self.options.goal_radius;
        self.success |= there;
        observe(self.position, obs)?;
        let truncated = self.time >= self.options.horizon;
        Ok(Step { reward: f32::from(there), terminated: false, truncated })
    }

    fn success(&self) -> Option<bool> {
        Some(self.success)
    }

    fn draw(&self) -> Option<Grid> {
        Some(draw(self.position, GOAL, self.options.goal_radius))
    }
}

impl Builtin for Wind {
    type Options = WindOptions;
    const ID: &'static str = "wind";
    const SUMMARY: &'static str = "steer a point to a goal through an unknown wind";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
