//! Training environments: explore and store.

use std::collections::BTreeMap;
use std::time::Instant;

use amago_agent::Agent;
use amago_env::exploration::{Exploration, ExplorationConfig};
use amago_env::vector::{EpisodeStats, VecEnv};
use amago_env::{Rng, Role, rng};
use amago_replay::{Store, TrajectoryBuilder};
use burn::tensor::Device;

use crate::{Event, Observer, Plan, PolicyDriver, StopFlag, TaskReport, TrainError};

/// Steps training environments and stores what happens.
pub struct Collector {
    envs: VecEnv,
    driver: PolicyDriver,
    exploration: Vec<Exploration>,
    noise: Vec<Rng>,
    builders: Vec<TrajectoryBuilder>,
    traj_save_len: usize,
    sample: bool,
    seed: u64,
}

/// What one epoch's collecting gave.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct CollectReport {
    /// Steps over all environments.
    pub env_steps: usize,
    /// Episodes that ended.
    pub episodes: usize,
    /// Mean return of those, if any.
    pub return_mean: Option<f64>,
    /// Share of those that solved the task, where the task defines it.
    pub success: Option<f64>,
    /// Means of the environments' own metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The same of each task, by the name that the environment gives it.
    #[serde(default)]
    pub tasks: BTreeMap<String, TaskReport>,
    /// Return of each episode; counted in bins in `metrics.jsonl`.
    #[serde(default)]
    pub returns: Vec<f64>,
    /// Exploration noise of the first actor at the end.
    pub epsilon: f64,
    /// Seconds.
    pub seconds: f64,
}

impl Collector {
    /// Makes the environments and starts their first episodes.
    ///
    /// # Errors
    /// When an environment cannot be made or reset, or exploration does not fit it.
    pub fn new(plan: &Plan, agent: &Agent, device: &Device) -> Result<Self, TrainError> {
        let config = &plan.config;
        let n = config.train.parallel_actors;
        let mut envs = VecEnv::new(plan.make_envs(n)?, config.seed, Role::TrainEnv)?;
        let action_space = envs.action_space().clone();
        let horizon = envs.horizon();
        let explore = |c: &ExplorationConfig| Exploration::new(c.clone(), horizon, &action_space);
        let mut exploration = (0..n).map(|_| explore(&config.exploration)).collect::<Result<Vec<_>, _>>()?;
        let mut noise: Vec<_> = (0..n as u64).map(|i| rng(config.seed, Role::Exploration, i, 0)).collect();
        let mut builders: Vec<_> =
            (0..n).map(|_| TrajectoryBuilder::new(envs.observation_space(), &action_space)).collect();
        for (i, step) in envs.reset_all()?.iter().enumerate() {
            builders[i].start(&step.obs)?;
            exploration[i].start_episode(&mut noise[i]);
        }
        Ok(Self {
            driver: PolicyDriver::new(agent, &envs, config.train.max_seq_len, device),
            exploration,
            noise,
            builders,
            traj_save_len: match config.replay.traj_save_len {
                0 => usize::MAX,
                len => len,
            },
            sample: config.train.sample_actions,
            seed: config.seed,
            envs,
        })
    }

    /// Makes the memory of running episodes again with new weights.
    pub fn reencode(&mut self, agent: &Agent) {
        self.driver.reencode(agent);
    }

    /// Takes `steps` steps in every environment, or fewer when asked to stop.
    ///
    /// # Errors
    /// When an environment or the store fails. What was stored before stays stored.
    pub fn collect(
        &mut self,
        agent: &Agent,
        store: &Store,
        (epoch, steps): (usize, usize),
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<CollectReport, TrainError> {
        let start = Instant::now();
        let mut policy_rng = rng(self.seed, Role::Policy, 0, epoch as u64);
        let mut episodes = Vec::new();
        let mut done = 0;
        while done < steps && !stop.is_set() {
            self.step(agent, store, &mut policy_rng, &mut episodes)?;
            done += 1;
            observer.event(Event::Collect { done, total: steps });
        }
        Ok(self.report(done, &episodes, start))
    }

    /// Stores the unfinished episodes, so that stopping loses nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub fn flush(&mut self, store: &Store) -> Result<(), TrainError> {
        for builder in self.builders.iter_mut().filter(|b| !b.is_empty()) {
            store.append(&builder.cut())?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        agent: &Agent,
        store: &Store,
        rng: &mut Rng,
        episodes: &mut Vec<EpisodeStats>,
    ) -> Result<(), TrainError> {
        let mut actions = self.driver.act(agent, self.envs.results(), !self.sample, rng);
        for (i, action) in actions.iter_mut().enumerate() {
            let at = &self.envs.results()[i];
            self.exploration[i].apply(action, at.local_step, at.obs.action_mask(), &mut self.noise[i]);
        }
        let stepped = self.envs.step(&actions).map(drop);
        // A step that was refused as a whole gave nothing. Where only some workers failed, the steps
        // of the others are stored before the failure is reported.
        if stepped.as_ref().is_err_and(|e| e.faults().is_empty()) {
            return stepped.map_err(TrainError::from);
        }
        let results = self.envs.results();
        for (i, result) in results.iter().enumerate() {
            if result.faulted && result.episode.is_none() {
                continue;
            }
            let next = result.final_obs().unwrap_or(&result.obs);
            self.builders[i].push(&actions[i], &result.step, next)?;
            if let Some(stats) = &result.episode {
                store.append(&self.builders[i].finish())?;
                episodes.push(stats.clone());
                if result.faulted {
                    continue;
                }
                self.builders[i].start(&result.obs)?;
                self.exploration[i].start_episode(&mut self.noise[i]);
            } else if self.builders[i].len() >= self.traj_save_len {
                store.append(&self.builders[i].cut())?;
            }
        }
        stepped?;
        self.driver.observe(&actions, results);
        Ok(())
    }

    fn report(&self, steps: usize, episodes: &[EpisodeStats], start: Instant) -> CollectReport {
        let summary = crate::evaluate::summarize(episodes);
        CollectReport {
            env_steps: steps * self.envs.len(),
            episodes: episodes.len(),
            return_mean: (!episodes.is_empty()).then_some(summary.return_mean),
            success: summary.success,
            metrics: summary.metrics,
            tasks: summary.tasks,
            returns: summary.returns,
            epsilon: self.exploration[0].epsilon(self.envs.results()[0].local_step),
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}
