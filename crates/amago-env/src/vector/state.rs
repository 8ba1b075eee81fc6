//! Workers in the middle of an episode, for a checkpoint.

use super::worker::Worker;
use super::{Phase, VecEnv, VecEnvError, WorkerStep};
use crate::guard::{guard, name};
use crate::{Action, Column, DictSpace, Observation};

/// What a checkpoint keeps of one worker.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerState {
    next_episode: u64,
    /// Absent after a fault.
    running: Option<Running>,
}

/// An episode that has begun.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    /// Taken since its start.
    actions: Vec<Action>,
    /// What came of them.
    obs: Vec<Column>,
    episode_return: f64,
    /// Of [`crate::Env::save_state`].
    env: Option<Vec<u8>>,
}

impl VecEnv {
    /// What a checkpoint must keep; `taken` are the actions of each running episode since its start. An environment
    /// that fails to save its state is played again when the run is resumed; its fault is told by the next call
    /// that tells of faults.
    ///
    /// # Panics
    /// When `taken` has another length than the vector.
    pub fn save(&mut self, taken: &[Vec<Action>]) -> Vec<WorkerState> {
        assert_eq!(taken.len(), self.len(), "save: actions of {} workers", taken.len());
        let states = self.workers.iter_mut().zip(&self.results).zip(taken);
        let states = states.map(|((worker, result), actions)| WorkerState {
            next_episode: worker.next_episode,
            running: worker.ready.then(|| Running {
                actions: actions.clone(),
                obs: result.obs.columns().to_vec(),
                episode_return: worker.episode_return,
                env: worker.save(),
            }),
        });
        states.collect()
    }

    /// Brings fresh environments to where others were saved, and tells for each worker whether its episode
    /// goes on, and with which actions so far. Where the environment does not come out where it stood, or
    /// had failed, the worker's next episode begins and there are none.
    ///
    /// # Errors
    /// When there are states of another number of workers, or a worker can not even begin an episode.
    pub fn load(&mut self, states: Vec<WorkerState>) -> Result<Vec<Option<Vec<Action>>>, VecEnvError> {
        self.check_count("saved states", states.len())?;
        let space = &self.observation_space;
        let workers = self.workers.iter_mut().zip(&mut self.results).zip(states);
        let taken = workers.map(|((worker, result), state)| worker.resume(state, result, space)).collect();
        self.finish()?;
        Ok(taken)
    }
}

impl Worker {
    fn save(&mut self) -> Option<Vec<u8>> {
        let saved = guard(|| Ok(self.env.save_state()));
        saved.unwrap_or_else(|cause| {
            let fault = self.fault(name(&*self.env), Phase::Save, cause);
            self.faults.push(fault);
            None
        })
    }

    fn resume(
        &mut self,
        state: WorkerState,
        result: &mut WorkerStep,
        space: &DictSpace,
    ) -> Option<Vec<Action>> {
        if let Some(running) = state.running
            && self.go_on(state.next_episode, &running, result, space)
        {
            return Some(running.actions);
        }
        self.next_episode = state.next_episode;
        self.faults.clear();
        self.restart(result, space);
        None
    }

    fn go_on(
        &mut self,
        next_episode: u64,
        running: &Running,
        result: &mut WorkerStep,
        space: &DictSpace,
    ) -> bool {
        let mut obs = Observation::new(space);
        if !obs.fill(&running.obs) {
            return false;
        }
        let Some(state) = &running.env else {
            self.next_episode = next_episode.saturating_sub(1);
            self.restart(result, space);
            for action in &running.actions {
                if result.faulted || result.episode.is_some() {
                    return false;
                }
                self.step(action, result, space);
            }
            return !result.faulted && result.episode.is_none() && result.obs == obs;
        };
        self.next_episode = next_episode;
        self.episode_return = running.episode_return;
        self.ready = true;
        *result = WorkerStep::new(obs);
        result.local_step = running.actions.len();
        guard(|| self.env.load_state(state)).is_ok()
    }
}
