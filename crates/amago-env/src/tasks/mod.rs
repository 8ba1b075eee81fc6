//! Several environments as one: each episode is one of them.

mod joint;

pub use joint::{Joint, SpacesDiffer};

use crate::render::{Frame, Grid};
use crate::{Action, Env, EnvError, Observation, Role, Step, TaskSpec, stream_seed};

/// One of the tasks of [`Tasks`].
pub struct Part {
    /// Name in metrics.
    pub name: String,
    /// Plays it.
    pub env: Box<dyn Env>,
    /// How often it is drawn, relative to the others; above 0.
    pub weight: f64,
    /// Its rewards are paid times this.
    pub reward_scale: f32,
}

/// Several environments as one: the seed of an episode draws which of them it is, by their weights. So an episode is the
/// same whenever it is played again, and the task's own part of it is that of the plain environment with the same seed.
///
/// Observations and actions are those of a [`Joint`], rewards are paid times `reward_scale`, and
/// [`Env::episode_return`] tells their sum without it. Metrics are those of the task that is played.
///
/// ```
/// use amago_env::tasks::{Joint, Part, Tasks};
/// use amago_env::{Env, Observation, registry};
///
/// let make = |id| registry::make(id, &toml::Table::new());
/// let [maze, wind] = [make("tmaze-passive")?, make("wind")?];
/// let specs = [("maze", maze.spec()), ("wind", wind.spec())];
/// // One moves by choices, the other by numbers.
/// assert!(Joint::new(&specs, true).is_err_and(|e| e.to_string().contains("\"wind\"")));
/// let joint = Joint::new(&specs[..1], false)?;
/// let part = Part { name: "maze".to_owned(), env: make("tmaze-passive")?, weight: 1.0, reward_scale: 0.01 };
/// let mut tasks = Tasks::new(vec![part], joint);
/// let mut obs = Observation::new(&tasks.spec().observation_space);
/// tasks.reset(7, &mut obs)?;
/// assert_eq!(tasks.task(), "maze");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tasks {
    parts: Vec<Seat>,
    joint: Joint,
    spec: TaskSpec,
    active: usize,
    /// Sum of the episode's rewards, not scaled.
    episode_return: f64,
}

/// A task with what it has seen; nothing where it writes to the joint observation itself.
struct Seat {
    part: Part,
    seen: Option<Observation>,
}

/// A running episode.
#[derive(serde::Serialize, serde::Deserialize)]
struct State {
    active: usize,
    episode_return: f64,
    env: Vec<u8>,
}

impl Tasks {
    /// At least one environment, all of which the joint spaces were made for.
    pub fn new(parts: Vec<Part>, joint: Joint) -> Self {
        let horizons: Option<Vec<usize>> = parts.iter().map(|part| part.env.spec().horizon).collect();
        let spec = TaskSpec {
            name: if parts.len() == 1 { parts[0].name.clone() } else { "tasks".to_owned() },
            observation_space: joint.observation_space().clone(),
            action_space: joint.action_space().clone(),
            horizon: horizons.and_then(|all| all.into_iter().max()),
        };
        let seat = |part: Part| Seat {
            seen: (!joint.is_direct(part.env.spec()))
                .then(|| Observation::new(&part.env.spec().observation_space)),
            part,
        };
        Self { parts: parts.into_iter().map(seat).collect(), joint, spec, active: 0, episode_return: 0.0 }
    }

    /// Which task an episode is.
    fn draw(&self, seed: u64) -> usize {
        // 53 bits: all that a double holds between 0 and 1.
        let uniform = (stream_seed(seed, Role::Task, 0, 0) >> 11) as f64 / (1_u64 << 53) as f64;
        let mut left = uniform * self.parts.iter().map(|seat| seat.part.weight).sum::<f64>();
        let drawn = self.parts.iter().position(|seat| {
            left -= seat.part.weight;
            left < 0.0
        });
        drawn.unwrap_or(self.parts.len() - 1)
    }

    fn active(&self) -> &Part {
        &self.parts[self.active].part
    }

    /// Lets the active task write an observation, and widens it.
    fn play<T>(
        &mut self,
        obs: &mut Observation,
        f: impl FnOnce(&mut dyn Env, &mut Observation) -> Result<T, EnvError>,
    ) -> Result<T, EnvError> {
        let Seat { part, seen } = &mut self.parts[self.active];
        let Some(seen) = seen else { return f(&mut *part.env, obs) };
        let result = f(&mut *part.env, seen)?;
        self.joint.widen(part.env.spec(), seen, obs)?;
        Ok(result)
    }
}

impl Env for Tasks {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn task(&self) -> &str {
        &self.active().name
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.active, self.episode_return) = (self.draw(seed), 0.0);
        self.play(obs, |env, obs| env.reset(seed, obs))
    }

    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.active, self.episode_return) = (self.draw(task), 0.0);
        self.play(obs, |env, obs| env.retry(task, attempt, obs))
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let own = self.joint.narrow(action, &self.active().env.spec().action_space)?;
        let step = self.play(obs, |env, obs| env.step(&own, obs))?;
        self.episode_return += f64::from(step.reward);
        Ok(Step { reward: step.reward * self.active().reward_scale, ..step })
    }

    fn start_step(&mut self, action: &Action, next_seed: u64) -> bool {
        let Ok(own) = self.joint.narrow(action, &self.active().env.spec().action_space) else { return false };
        // The next episode may be another task; then this announcement comes to nothing.
        self.parts[self.active].part.env.start_step(&own, next_seed)
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        self.active().env.metrics(report);
    }

    fn success(&self) -> Option<bool> {
        self.active().env.success()
    }

    fn episode_return(&self) -> Option<f64> {
        Some(self.episode_return)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        let env = self.active().env.save_state()?;
        rmp_serde::to_vec(&State { active: self.active, episode_return: self.episode_return, env }).ok()
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let state: State = rmp_serde::from_slice(state).map_err(|e| EnvError::Failed(e.to_string()))?;
        let other = || EnvError::Failed(format!("there is no task {} of {}", state.active, self.parts.len()));
        self.parts.get(state.active).ok_or_else(other)?;
        (self.active, self.episode_return) = (state.active, state.episode_return);
        self.parts[self.active].part.env.load_state(&state.env)
    }

    fn attempt(&self) -> Option<usize> {
        self.active().env.attempt()
    }

    fn draw(&self) -> Option<Grid> {
        self.active().env.draw()
    }

    fn render(&self) -> Option<Frame> {
        self.active().env.render()
    }

    fn render_text(&self) -> Option<String> {
        self.active().env.render_text()
    }
}
