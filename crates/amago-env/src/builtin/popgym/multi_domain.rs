//! Many tasks of POPGym in one environment.

use rand::{RngExt, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::task::Game;
use super::{Entry, TASKS, flat_space, timer_value};
use crate::builtin::{Builtin, require};
use crate::render::Grid;
use crate::{Action, DictSpace, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};

/// Families of which every size takes part.
const FAMILIES: [&str; 8] = [
    "Autoencode",
    "RepeatPrevious",
    "RepeatFirst",
    "CountRecall",
    "PositionOnlyCartPole",
    "VelocityOnlyCartpole",
    "NoisyPositionOnlyCartPole",
    "HigherLower",
];
/// Single tasks that take part.
const SINGLES: [&str; 3] = ["MultiarmedBanditEasy", "MultiarmedBanditMedium", "MineSweeperEasy"];
/// Entries that the observation of every task is padded to.
const WIDTH: usize = 26;
/// Actions offered in every task.
const ACTIONS: usize = 26;
/// More is a typing error.
const MAX_WARMUP: usize = 1000;

/// Options of [`MultiDomain`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MultiDomainOptions {
    /// Episodes of the task whose rewards are shown but not paid, before the one that counts.
    pub warmup_episodes: usize,
}

impl Default for MultiDomainOptions {
    fn default() -> Self {
        Self { warmup_episodes: 1 }
    }
}

struct Domain {
    name: String,
    game: Box<dyn Game>,
    /// Entries of its observation.
    width: usize,
}

/// One of 27 tasks of [`super::PopGym`], drawn uniformly for every episode and not named: some
/// warm-up episodes to find out which it is, then one that counts.
///
/// Observation: that of the task without its timer, padded with zeros to 26 entries; then steps
/// taken / 1000, number of the task's episode / `warmup_episodes`, whether the last action was one
/// of the task's, and the reward of the task. An action that is not is replaced by a random one.
/// `CountRecall` Easy and Medium have a 27th action, which cannot be chosen here.
///
/// After an episode of the task, the next action is ignored: it starts another one, with reward 0.
/// The episode ends, always by termination, with the step that would begin one more episode than
/// `warmup_episodes` and the counted one. Metrics are named after the task.
///
/// Deliberate difference from the original: its box of ±5 is not declared, because the velocities of
/// a cart-pole have no bounds in the package. The values are the same.
pub struct MultiDomain {
    options: MultiDomainOptions,
    domains: Vec<Domain>,
    active: usize,
    spec: TaskSpec,
    /// Episodes of the task that are over and followed by another.
    episode: usize,
    /// The task's episode is over.
    over: bool,
    time: usize,
    seen: Vec<f32>,
    rng: Rng,
}

impl MultiDomain {
    /// All tasks with these options.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn new(options: MultiDomainOptions) -> Result<Self, EnvError> {
        require(Self::ID, (1..=MAX_WARMUP).contains(&options.warmup_episodes), || {
            format!("warmup_episodes must be from 1 to {MAX_WARMUP}, not {}", options.warmup_episodes)
        })?;
        let domains: Vec<Domain> = TASKS.iter().filter_map(domain).collect();
        // Each episode takes one more step, which starts the next.
        let longest = domains.iter().map(|domain| domain.game.horizon() + 1).max().unwrap_or(0);
        let horizon = longest * (options.warmup_episodes + 1);
        Ok(Self {
            spec: TaskSpec::new(
                Self::ID,
                flat_space(&bounds(&domains, horizon)),
                Space::Discrete { n: ACTIONS },
            )
            .with_horizon(horizon),
            domains,
            active: 0,
            episode: 0,
            over: false,
            time: 0,
            seen: vec![0.0; WIDTH + 4],
            rng: Rng::seed_from_u64(0),
            options,
        })
    }

    fn begin(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.episode = 0;
        self.over = false;
        self.time = 0;
        self.seen.fill(0.0);
        let Domain { game, width, .. } = &mut self.domains[self.active];
        game.draw(&mut self.rng);
        game.begin(&mut self.rng, &mut self.seen[..*width]);
        self.observe(true, 0.0, obs)
    }

    fn observe(&mut self, valid: bool, reward: f32, obs: &mut Observation) -> Result<(), EnvError> {
        let episode = self.episode as f32 / self.options.warmup_episodes as f32;
        let rest = [timer_value(self.time), episode, f32::from(valid), reward];
        self.seen[WIDTH..].copy_from_slice(&rest);
        obs.write(DictSpace::SINGLE, &self.seen)
    }
}

fn domain(entry: &Entry) -> Option<Domain> {
    let name = entry.id.strip_prefix("popgym-")?.strip_suffix("-v0")?;
    let in_family = FAMILIES.iter().any(|family| name.starts_with(family));
    let game = (in_family || SINGLES.contains(&name)).then_some(entry.game)?();
    Some(Domain { name: format!("MultiDomainPOPGym-{name}"), width: game.bounds().len(), game })
}

/// Bounds that hold for every task.
fn bounds(domains: &[Domain], horizon: usize) -> Vec<(f32, f32)> {
    let mut bounds = vec![(0.0_f32, 0.0_f32); WIDTH];
    for domain in domains {
        for (all, (low, high)) in bounds.iter_mut().zip(domain.game.bounds()) {
            *all = (all.0.min(low), all.1.max(high));
        }
    }
    // One more episode than the warm-up and the counted one is begun: at most twice the warm-up.
    bounds.extend([(0.0, timer_value(horizon)), (0.0, 2.0), (0.0, 1.0), (-1.0, 1.0)]);
    bounds
}

impl Env for MultiDomain {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn task(&self) -> &str {
        &self.domains[self.active].name
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.rng = Rng::seed_from_u64(seed);
        self.active = self.rng.random_range(0..self.domains.len());
        self.begin(obs)
    }

    /// Which of the tasks is played is the task; decks, boards and noise are not.
    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.active = Rng::seed_from_u64(task).random_range(0..self.domains.len());
        self.rng = Rng::seed_from_u64(attempt);
        self.begin(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let mut action = action.choice(&self.spec.action_space)?;
        self.time += 1;
        let Domain { game, width, .. } = &mut self.domains[self.active];
        let actions = game.action_space().width();
        let valid = action < actions;
        if !valid {
            action = self.rng.random_range(0..actions);
        }
        let seen = &mut self.seen[..*width];
        let mut reward = 0.0;
        if self.over {
            game.draw(&mut self.rng);
            game.begin(&mut self.rng, seen);
            self.episode += 1;
            self.over = false;
        } else {
            let step = game.step(&Action::Discrete(action), &mut self.rng, seen)?;
            self.over = step.done();
            reward = step.reward;
        }
        self.observe(valid, reward, obs)?;
        let paid = if self.episode < self.options.warmup_episodes { 0.0 } else { reward };
        let terminated = self.episode > self.options.warmup_episodes;
        Ok(Step { reward: paid, terminated, truncated: false })
    }

    fn attempt(&self) -> Option<usize> {
        Some(self.episode.min(self.options.warmup_episodes))
    }

    fn draw(&self) -> Option<Grid> {
        Some(self.domains[self.active].game.picture())
    }
}

impl Builtin for MultiDomain {
    type Options = MultiDomainOptions;
    const ID: &'static str = "multi-domain-popgym";
    const SUMMARY: &'static str = "one of 27 tasks of POPGym, not named, with warm-up episodes";

    fn build(options: Self::Options) -> Result<Self, EnvError> {
        Self::new(options)
    }
}
