//! T-Mazes: remember a sign from the beginning of a corridor to its end.

use rand::{RngExt, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Builtin, cells, require};
use crate::render::Grid;
use crate::{Action, DictSpace, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};

/// Moves of the four actions: forward, up, back, down.
const MOVES: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// Options of [`TMazePassive`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TMazePassiveOptions {
    /// Steps between the sign and the junction.
    pub corridor_length: usize,
    /// Reward at the end, in the arm that the sign named.
    pub goal_reward: f64,
    /// Added for every action other than forward; not above 0.
    pub penalty: f64,
    /// Added for every step that ends at the sign.
    pub distract_reward: f64,
}

impl Default for TMazePassiveOptions {
    fn default() -> Self {
        Self { corridor_length: 10, goal_reward: 1.0, penalty: 0.0, distract_reward: 0.0 }
    }
}

/// Options of [`TMazeActive`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TMazeActiveOptions {
    /// Steps between the start and the junction.
    pub corridor_length: usize,
    /// Steps back from the start to the sign.
    pub oracle_length: usize,
    /// Reward at the end, in the arm that the sign named.
    pub goal_reward: f64,
    /// Added for every action other than forward, once there was time to visit the sign; not above 0.
    pub penalty: f64,
    /// Added for every step that ends at the sign.
    pub distract_reward: f64,
}

impl Default for TMazeActiveOptions {
    fn default() -> Self {
        let p = TMazePassiveOptions::default();
        Self {
            corridor_length: p.corridor_length,
            oracle_length: 1,
            goal_reward: p.goal_reward,
            penalty: p.penalty,
            distract_reward: p.distract_reward,
        }
    }
}

/// What the two mazes share.
#[derive(Debug)]
struct Maze {
    options: TMazeActiveOptions,
    spec: TaskSpec,
    length: usize,
    junction: i64,
    position: (i64, i64),
    goal: i64,
    sign_seen: bool,
    time: usize,
}

impl Maze {
    fn new(id: &str, options: TMazeActiveOptions) -> Result<Self, EnvError> {
        require(id, (1..=1 << 40).contains(&options.corridor_length), || {
            format!(
                "corridor_length must be at least 1 and no more than 2^40, not {}",
                options.corridor_length
            )
        })?;
        require(id, options.oracle_length <= 1 << 40, || "oracle_length is above 2^40".to_owned())?;
        require(id, options.penalty.is_finite() && options.penalty <= 0.0, || {
            format!("penalty must not be above 0, but is {}", options.penalty)
        })?;
        require(id, options.goal_reward.is_finite(), || "goal_reward must be finite".to_owned())?;
        require(id, options.distract_reward.is_finite(), || "distract_reward must be finite".to_owned())?;
        let length = options.corridor_length + 2 * options.oracle_length + 1;
        Ok(Self {
            spec: TaskSpec::new(id, Space::box_f32(&[2], -1.0, 1.0), Space::Discrete { n: 4 })
                .with_horizon(length),
            length,
            junction: (options.corridor_length + options.oracle_length) as i64,
            position: (0, 0),
            goal: 1,
            sign_seen: false,
            time: 0,
            options,
        })
    }

    fn reset_to(&mut self, up: bool, obs: &mut Observation) -> Result<(), EnvError> {
        self.goal = if up { 1 } else { -1 };
        self.position = (self.options.oracle_length as i64, 0);
        self.sign_seen = false;
        self.time = 0;
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let action = action.choice(&self.spec.action_space)?;
        self.time += 1;
        let (x, y) = (self.position.0 + MOVES[action].0, self.position.1 + MOVES[action].1);
        let corridor = y == 0 && (0..=self.junction).contains(&x);
        if corridor || (x == self.junction && y.abs() == 1) {
            self.position = (x, y);
        }
        let over = self.time >= self.length;
        let reward = if over {
            f64::from(u8::from(self.at_goal())) * self.options.goal_reward
        } else {
            let penalised = action != 0 && self.time > self.options.oracle_length;
            let distracted = self.position.0 == 0;
            f64::from(u8::from(penalised)) * self.options.penalty
                + f64::from(u8::from(distracted)) * self.options.distract_reward
        };
        self.observe(obs)?;
        Ok(Step { reward: reward as f32, terminated: over, truncated: over })
    }

    fn at_goal(&self) -> bool {
        self.position.1 == self.goal
    }

    /// At most the last hundred places before the junction: corridors may be very long.
    fn draw(&self) -> Grid {
        let first = self.junction - self.junction.min(99);
        let mut grid = Grid::new((self.junction - first + 1) as usize, 3, cells::WALL);
        // What lies before the first place gets a column outside the drawing.
        let mut set = |(x, y): (i64, i64), cell| {
            grid.set(usize::try_from(x - first).unwrap_or(usize::MAX), (1 - y) as usize, cell);
        };
        (first..=self.junction).for_each(|x| set((x, 0), cells::FLOOR));
        set((0, 0), if self.goal > 0 { cells::SIGN_UP } else { cells::SIGN_DOWN });
        set((self.junction, -self.goal), cells::FLOOR);
        set((self.junction, self.goal), cells::GOAL);
        set(self.position, cells::AGENT);
        grid
    }

    /// The sign shows only on the first visit; the whole corridor looks the same.
    fn observe(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        let (x, y) = self.position;
        let values = match x {
            0 if !self.sign_seen => {
                self.sign_seen = true;
                [0.0, self.goal as f32]
            }
            x if x < self.junction => [0.0, 0.0],
            _ => [1.0, y as f32],
        };
        obs.write(DictSpace::SINGLE, &values)
    }
}

/// T-Maze that starts at the sign: walk a corridor without landmarks, then turn as the sign said.
///
/// Observation: `[0, sign]` at the first visit of the sign (sign is 1 or -1), `[0, 0]` in the
/// corridor, `[1, y]` at the junction (`y` 0) and in its arms. Actions: forward, up, back, down. The
/// episode lasts `corridor_length + 1` steps, which leaves none to waste, and ends both terminated
/// and truncated, as in the original. Success is ending in the right arm.
///
/// The penalty is the original's gentler variant: for each action other than forward, rather than
/// for each step of delay. A difference: the original refuses a `distract_reward`; here it works as
/// in the task that both derive from.
#[derive(Debug)]
pub struct TMazePassive(Maze);

impl TMazePassive {
    /// A maze with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(o: TMazePassiveOptions) -> Result<Self, EnvError> {
        let options = TMazeActiveOptions {
            corridor_length: o.corridor_length,
            oracle_length: 0,
            goal_reward: o.goal_reward,
            penalty: o.penalty,
            distract_reward: o.distract_reward,
        };
        Maze::new(Self::ID, options).map(Self)
    }
}

/// T-Maze that starts beside the sign: the agent must first go back to see it.
///
/// As [`TMazePassive`], but the sign is `oracle_length` steps behind the start, the episode lasts
/// `corridor_length + 2 * oracle_length + 1` steps, and the first `oracle_length` steps are free of
/// penalty. The original has `oracle_length` fixed at 1.
#[derive(Debug)]
pub struct TMazeActive(Maze);

impl TMazeActive {
    /// A maze with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: TMazeActiveOptions) -> Result<Self, EnvError> {
        require(Self::ID, options.oracle_length >= 1, || "oracle_length must be at least 1".to_owned())?;
        Maze::new(Self::ID, options).map(Self)
    }
}

/// Both mazes are the same task with other options, so their trait code is written once.
macro_rules! maze_env {
    ($maze:ident) => {
        impl $maze {
            /// Starts an episode whose sign points up (1) or down (-1).
            ///
            /// # Errors
            /// When the observation does not fit its space.
            pub fn reset_to(&mut self, up: bool, obs: &mut Observation) -> Result<(), EnvError> {
                self.0.reset_to(up, obs)
            }
        }

        impl Env for $maze {
            fn spec(&self) -> &TaskSpec {
                &self.0.spec
            }

            fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
                self.0.reset_to(Rng::seed_from_u64(seed).random(), obs)
            }

            fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
                self.0.step(action, obs)
            }

            fn success(&self) -> Option<bool> {
                Some(self.0.at_goal())
            }

            fn draw(&self) -> Option<Grid> {
                Some(self.0.draw())
            }
        }
    };
}

maze_env!(TMazePassive);
maze_env!(TMazeActive);

impl Builtin for TMazePassive {
    type Options = TMazePassiveOptions;
    const ID: &'static str = "tmaze-passive";
    const SUMMARY: &'static str = "remember a sign seen at the first step to the end of a corridor";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}

impl Builtin for TMazeActive {
    type Options = TMazeActiveOptions;
    const ID: &'static str = "tmaze-active";
    const SUMMARY: &'static str = "go back to see a sign, then remember it to the end of a corridor";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
