//! Many environments stepped together, with automatic resets.
//!
//! The result never depends on the number of threads: each worker has its own environment, whose
//! episodes are seeded by `(run seed, role, worker, episode)`. A fault of one worker is reported
//! with its number and leaves the others' results readable; the caller decides whether to
//! [`VecEnv::restart`] it.

mod action_log;
mod error;
mod state;
mod worker;

use rayon::prelude::*;

use crate::guard::{self, Guarded};
use crate::observation::KnownSpace;
use crate::{Action, DictSpace, Env, Observation, Role, Space, Step, TaskSpec};
pub use error::{Phase, VecEnvError, WorkerFault};
pub use state::WorkerState;
use worker::Worker;

/// When the workers together take longer than this for a step, threads are worth their start.
const PARALLEL_ABOVE_NANOS: u64 = 100_000;

/// An episode that just ended.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpisodeStats {
    /// Name of the task.
    pub task: String,
    /// Number of the episode in this worker, from 0.
    pub episode: u64,
    /// Sum of the rewards.
    pub episode_return: f64,
    /// Steps.
    pub length: usize,
    /// It had not ended when it was truncated by [`VecEnv::with_max_episode_steps`].
    pub cut: bool,
    /// Whether it solved the task, where the task defines that.
    pub success: Option<bool>,
    /// The environment's own metrics.
    pub metrics: Vec<(String, f64)>,
}

/// What one worker's last step gave.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerStep {
    /// Observation to act on: after an episode's end, the first one of the next episode.
    pub obs: Observation,
    /// Reward and flags. Zero after a reset.
    pub step: Step,
    /// Set when the step ended an episode.
    pub episode: Option<EpisodeStats>,
    /// Steps taken in the episode that `obs` belongs to.
    pub local_step: usize,
    /// The worker failed: it needs a restart. If it failed in a step, `obs` is still the observation
    /// before that step, and `step` is zero. If it failed in the reset after an episode, `step`,
    /// `episode` and `final_obs()` are valid.
    pub faulted: bool,
    /// Receives each new observation, so that a failed step does not spoil `obs`.
    scratch: Observation,
}

impl WorkerStep {
    /// Nothing happened yet but this observation.
    fn new(obs: Observation) -> Self {
        let scratch = obs.clone();
        Self { obs, step: Step::default(), episode: None, local_step: 0, faulted: false, scratch }
    }

    /// Last observation of the episode that just ended; absent at any other step.
    pub fn final_obs(&self) -> Option<&Observation> {
        self.episode.is_some().then_some(&self.scratch)
    }
}

/// Whether a vector steps on several threads. The results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parallel {
    /// When the environments are slow enough to gain from it.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Always.
    On,
}

/// A fixed number of environments with equal spaces.
pub struct VecEnv {
    workers: Vec<Worker>,
    results: Vec<WorkerStep>,
    observation_space: KnownSpace,
    action_space: Space,
    parallel: Parallel,
}

impl VecEnv {
    /// Takes the environments. None is started: call [`VecEnv::reset_all`] first.
    ///
    /// # Errors
    /// When there is none, a space is unusable, or the spaces differ.
    pub fn new(envs: Vec<Box<dyn Env>>, run_seed: u64, role: Role) -> Result<Self, VecEnvError> {
        let envs: Vec<_> = envs.into_iter().map(Guarded::new).collect();
        let first = envs.first().ok_or(VecEnvError::Empty)?;
        let spec = first.try_spec().map_err(|cause| WorkerFault::making(0, first, cause))?;
        spec.validate()?;
        let TaskSpec { observation_space, action_space, .. } = spec;
        let results = vec![WorkerStep::new(Observation::new(&observation_space)); envs.len()];
        let observation_space = KnownSpace::new(observation_space);
        let mut vector =
            Self { workers: Vec::new(), results, observation_space, action_space, parallel: Parallel::Auto };
        for (i, env) in envs.into_iter().enumerate() {
            let horizon = vector.check_spaces(i, &env)?;
            vector.workers.push(Worker::new(env, horizon, i, run_seed, role));
        }
        Ok(vector)
    }

    /// Truncates every episode that has not ended after so many steps, at least one.
    #[must_use]
    pub fn with_max_episode_steps(mut self, steps: usize) -> Self {
        self.workers.iter_mut().for_each(|worker| worker.max_steps = steps.max(1));
        self
    }

    /// Keeps the actions of running episodes, so that [`VecEnv::save`] tells how to go on with them.
    #[must_use]
    pub fn resumable(mut self) -> Self {
        self.workers.iter_mut().for_each(|worker| worker.taken.begin(true));
        self
    }

    /// Refuses an environment with other spaces; gives its horizon.
    fn check_spaces(&self, worker: usize, env: &Guarded) -> Result<Option<usize>, VecEnvError> {
        let spec = env.try_spec().map_err(|cause| WorkerFault::making(worker, env, cause))?;
        let differ = |which, expected: String, got: String| {
            Err(VecEnvError::SpacesDiffer { worker, env: guard::task(&**env), which, expected, got })
        };
        if spec.observation_space != *self.observation_space {
            return differ(
                "observation",
                self.observation_space.to_string(),
                spec.observation_space.to_string(),
            );
        }
        if spec.action_space != self.action_space {
            return differ("action", self.action_space.to_string(), spec.action_space.to_string());
        }
        Ok(spec.horizon)
    }

    /// Chooses whether to use threads.
    pub fn set_parallel(&mut self, parallel: Parallel) {
        self.parallel = parallel;
    }

    /// Number of workers.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Never: a vector has at least one worker.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Space of every worker's observations.
    pub fn observation_space(&self) -> &DictSpace {
        &self.observation_space
    }

    /// Space of every worker's actions.
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// Number of the episode that a worker plays, from 0.
    ///
    /// # Panics
    /// When there is no such worker.
    pub fn episode(&self, worker: usize) -> u64 {
        self.workers[worker].next_episode.saturating_sub(1)
    }

    /// Longest possible episode of any worker; `None` when one of them knows none.
    pub fn horizon(&self) -> Option<usize> {
        self.workers.iter().try_fold(0, |longest, w| Some(w.horizon?.max(longest)))
    }

    /// What the last call gave, also where it failed for some workers.
    pub fn results(&self) -> &[WorkerStep] {
        &self.results
    }

    fn check_count(&self, what: &'static str, got: usize) -> Result<(), VecEnvError> {
        let expected = self.workers.len();
        if got == expected { Ok(()) } else { Err(VecEnvError::Count { what, got, expected }) }
    }

    /// Starts a new episode in every worker, dropping those in progress.
    ///
    /// # Errors
    /// Names the workers that failed. The others are ready.
    pub fn reset_all(&mut self) -> Result<&[WorkerStep], VecEnvError> {
        let space = &self.observation_space;
        let reset = |(worker, result): (&mut Worker, &mut WorkerStep)| worker.restart(result, space);
        if self.parallel == Parallel::Off {
            self.workers.iter_mut().zip(&mut self.results).for_each(reset);
        } else {
            self.workers.par_iter_mut().zip(&mut self.results).for_each(reset);
        }
        self.finish()
    }

    /// Takes one action in every worker; where that ends an episode, starts the next.
    ///
    /// # Errors
    /// When the number of actions is wrong or a worker is not ready, before anything is stepped; or
    /// names the workers that failed, while the results of the others stay in
    /// [`VecEnv::results`].
    pub fn step(&mut self, actions: &[Action]) -> Result<&[WorkerStep], VecEnvError> {
        self.check_count("actions", actions.len())?;
        if let Some(worker) = self.workers.iter().find(|w| !w.ready) {
            return Err(VecEnvError::NotReady { worker: worker.index });
        }
        // All of them, before any is waited for. Threads would only wait for what goes on elsewhere.
        let started = self.workers.iter_mut().zip(actions).fold(true, |all, (w, a)| w.start(a) && all);
        let space = &self.observation_space;
        let step = |((worker, result), action): ((&mut Worker, &mut WorkerStep), &Action)| {
            worker.step(action, result, space);
        };
        let parallel = match self.parallel {
            Parallel::Auto => {
                !started && self.workers.iter().map(|w| w.nanos).sum::<u64>() > PARALLEL_ABOVE_NANOS
            }
            choice => choice == Parallel::On,
        };
        if parallel {
            self.workers.par_iter_mut().zip(&mut self.results).zip(actions).for_each(step);
        } else {
            self.workers.iter_mut().zip(&mut self.results).zip(actions).for_each(step);
        }
        self.finish()
    }

    /// Starts a new episode in one worker, after a fault or at will, with another environment if
    /// the old one cannot be trusted.
    ///
    /// # Errors
    /// When the worker does not exist, the replacement's spaces differ, or it fails to reset. Also when the old
    /// environment fails to drop; the worker is then ready all the same.
    pub fn restart(
        &mut self,
        worker: usize,
        replacement: Option<Box<dyn Env>>,
    ) -> Result<&WorkerStep, VecEnvError> {
        self.check_worker(worker)?;
        if let Some(env) = replacement.map(Guarded::new) {
            let horizon = self.check_spaces(worker, &env)?;
            self.workers[worker].replace(env, horizon);
        }
        self.workers[worker].restart(&mut self.results[worker], &self.observation_space);
        self.finish().map(|results| &results[worker])
    }

    /// Drops the environments.
    ///
    /// # Errors
    /// Names those that failed to.
    pub fn close(mut self) -> Result<(), VecEnvError> {
        let faults: Vec<_> = self.workers.drain(..).filter_map(Worker::close).collect();
        if faults.is_empty() { Ok(()) } else { Err(VecEnvError::Workers(faults)) }
    }

    fn check_worker(&self, worker: usize) -> Result<(), VecEnvError> {
        let workers = self.workers.len();
        if worker < workers { Ok(()) } else { Err(VecEnvError::NoWorker { worker, workers }) }
    }

    /// Gathers the faults of this call.
    fn finish(&mut self) -> Result<&[WorkerStep], VecEnvError> {
        let faults: Vec<_> = self.workers.iter_mut().flat_map(|w| w.faults.drain(..)).collect();
        if faults.is_empty() { Ok(&self.results) } else { Err(VecEnvError::Workers(faults)) }
    }
}

impl std::fmt::Debug for VecEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VecEnv")
            .field("workers", &self.workers.len())
            .field("observation_space", &*self.observation_space)
            .field("action_space", &self.action_space)
            .finish_non_exhaustive()
    }
}
