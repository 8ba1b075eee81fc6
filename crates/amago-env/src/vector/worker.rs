//! One environment of a vector, its counters and its last fault.

use std::time::Instant;

use super::action_log::ActionLog;
use super::{EpisodeStats, Phase, WorkerFault, WorkerStep};
use crate::guard::{self, Guarded};
use crate::observation::KnownSpace;
use crate::{Action, EnvError, Observation, Role, Step, stream_seed};

/// One environment and what its running episode has added up.
pub(super) struct Worker {
    pub env: Guarded,
    pub index: usize,
    /// Longest possible episode, where it is known.
    pub horizon: Option<usize>,
    run_seed: u64,
    role: Role,
    /// Episodes started so far: the number of the next one.
    pub next_episode: u64,
    /// An episode is running.
    pub ready: bool,
    /// Taken by the vector after each call.
    pub faults: Vec<WorkerFault>,
    /// Time of the last step, to choose between one and many threads.
    pub nanos: u64,
    pub episode_return: f64,
    /// Steps after which an episode is truncated.
    pub max_steps: usize,
    /// Actions of the running episode, where somebody wants to save it.
    pub taken: ActionLog,
    /// Why a step could not even be announced: the step's fault.
    unstarted: Option<EnvError>,
}

impl Worker {
    pub fn new(env: Guarded, horizon: Option<usize>, index: usize, run_seed: u64, role: Role) -> Self {
        Self {
            env,
            index,
            horizon,
            run_seed,
            role,
            next_episode: 0,
            ready: false,
            faults: Vec::new(),
            nanos: 0,
            episode_return: 0.0,
            max_steps: usize::MAX,
            taken: ActionLog::default(),
            unstarted: None,
        }
    }

    /// Puts another environment, that must be reset, in the place of this one.
    pub fn replace(&mut self, env: Guarded, horizon: Option<usize>) {
        self.ready = false;
        self.horizon = horizon;
        let old = std::mem::replace(&mut self.env, env);
        let name = guard::task(&*old);
        let dropped = old.discard();
        self.faults.extend(dropped.err().map(|cause| self.fault(name, Phase::Drop, cause)));
    }

    /// Drops the environment.
    pub fn close(self) -> Option<WorkerFault> {
        let name = guard::task(&*self.env);
        let Self { env, index: worker, next_episode, .. } = self;
        let episode = next_episode.saturating_sub(1);
        let cause = env.discard().err()?;
        Some(WorkerFault { worker, env: name, episode, phase: Phase::Drop, cause })
    }

    /// Drops the running episode and starts the next.
    pub fn restart(&mut self, result: &mut WorkerStep, space: &KnownSpace) {
        // New buffers: a faulty environment may have put others in their place.
        *result = WorkerStep::new(Observation::new(space));
        self.begin(result, space);
    }

    /// Seed of the next episode.
    fn next_seed(&self) -> u64 {
        stream_seed(self.run_seed, self.role, self.index as u64, self.next_episode)
    }

    fn begin(&mut self, result: &mut WorkerStep, space: &KnownSpace) {
        let seed = self.next_seed();
        self.next_episode += 1;
        self.episode_return = 0.0;
        result.local_step = 0;
        self.taken.begin(self.taken.is_kept());
        match guard::reset(&mut *self.env, seed, space, &mut result.obs) {
            Ok(()) => (self.ready, result.faulted) = (true, false),
            Err(cause) => self.fail(result, Phase::Reset, cause),
        }
    }

    /// Announces a step, and tells whether the environment works on it already.
    pub fn start(&mut self, action: &Action) -> bool {
        let seed = self.next_seed();
        let started = guard::guard(|| Ok(self.env.start_step(action, seed)));
        started.unwrap_or_else(|cause| {
            self.unstarted = Some(cause);
            true
        })
    }

    /// Takes a step and, at the end of an episode, starts the next.
    pub fn step(&mut self, action: &Action, result: &mut WorkerStep, space: &KnownSpace) {
        let start = Instant::now();
        result.episode = None;
        result.step = Step::default();
        let stepped = match self.unstarted.take() {
            None => guard::step(&mut *self.env, action, space, &mut result.scratch),
            Some(cause) => Err(cause),
        };
        match stepped {
            Err(cause) => self.fail(result, Phase::Step, cause),
            Ok(step) => {
                result.step = step;
                result.local_step += 1;
                self.episode_return += f64::from(step.reward);
                let cut = !step.done() && result.local_step >= self.max_steps;
                if step.done() || cut {
                    result.step.truncated |= cut;
                    self.end(result, cut, space);
                } else {
                    self.taken.push(action, &*self.env);
                    std::mem::swap(&mut result.obs, &mut result.scratch);
                }
            }
        }
        self.nanos = start.elapsed().as_nanos() as u64;
    }

    fn end(&mut self, result: &mut WorkerStep, cut: bool, space: &KnownSpace) {
        match self.stats(result.local_step, cut) {
            Ok(stats) => {
                result.episode = Some(stats);
                self.begin(result, space);
            }
            Err(cause) => {
                result.step = Step::default();
                self.fail(result, Phase::Step, cause);
            }
        }
    }

    fn stats(&self, length: usize, cut: bool) -> Result<EpisodeStats, EnvError> {
        guard::guard(|| {
            let mut metrics = Vec::new();
            self.env.metrics(&mut |name, value| metrics.push((name.to_owned(), value)));
            Ok(EpisodeStats {
                task: self.env.task().to_owned(),
                episode: self.next_episode - 1,
                episode_return: self.env.episode_return().unwrap_or(self.episode_return),
                length,
                cut,
                success: self.env.success(),
                metrics,
            })
        })
    }

    fn fail(&mut self, result: &mut WorkerStep, phase: Phase, cause: EnvError) {
        self.ready = false;
        result.faulted = true;
        let fault = self.fault(guard::task(&*self.env), phase, cause);
        self.faults.push(fault);
    }

    /// A failure in the episode that began last.
    pub fn fault(&self, env: String, phase: Phase, cause: EnvError) -> WorkerFault {
        let episode = self.next_episode.saturating_sub(1);
        WorkerFault { worker: self.index, env, episode, phase, cause }
    }
}
