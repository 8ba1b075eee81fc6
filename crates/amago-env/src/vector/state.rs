//! Workers in the middle of an episode, for a checkpoint.

use super::action_log::{decode, encode};
use super::worker::Worker;
use super::{Phase, VecEnv, VecEnvError, WorkerStep};
use crate::guard::{guard, task};
use crate::observation::KnownSpace;
use crate::{Action, Column, Observation, Space};

/// What a checkpoint keeps of one worker.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerState {
    next_episode: u64,
    /// Absent after a fault, and where there is no way back.
    running: Option<Running>,
}

/// An episode that has begun.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    /// Taken since its start, in checkpoints before `taken`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    /// Steps since its start.
    #[serde(default)]
    steps: usize,
    /// The actions of these steps, packed; empty where the environment saves its state.
    #[serde(default, with = "serde_bytes")]
    taken: Vec<u8>,
    /// What came of them.
    obs: Vec<Column>,
    episode_return: f64,
    /// Of [`crate::Env::save_state`].
    env: Option<serde_bytes::ByteBuf>,
}

impl VecEnv {
    /// What a checkpoint must keep. Episodes go on from it where their environments save their state, or the
    /// vector was made [`VecEnv::resumable`] before they began. The fault of an environment that fails to save its
    /// state is told by the next call that tells of faults.
    pub fn save(&mut self) -> Vec<WorkerState> {
        let states = self.workers.iter_mut().zip(&self.results).map(|(worker, result)| WorkerState {
            next_episode: worker.next_episode,
            running: if worker.ready { worker.running(result) } else { None },
        });
        states.collect()
    }

    /// Brings fresh environments to where others were saved, and tells for each worker whether its episode
    /// goes on. Where the environment does not come out where it stood, or had failed, the worker's next episode
    /// begins.
    ///
    /// # Errors
    /// When there are states of another number of workers, or a worker can not even begin an episode.
    pub fn load(&mut self, states: Vec<WorkerState>) -> Result<Vec<bool>, VecEnvError> {
        self.check_count("saved states", states.len())?;
        let spaces = (&self.observation_space, &self.action_space);
        let workers = self.workers.iter_mut().zip(&mut self.results).zip(states);
        let went_on = workers.map(|((worker, result), state)| worker.resume(state, result, spaces)).collect();
        self.finish()?;
        Ok(went_on)
    }
}

impl Worker {
    fn running(&mut self, result: &WorkerStep) -> Option<Running> {
        let env = self.save();
        let taken = match &env {
            Some(_) => &[],
            None => self.taken.bytes()?,
        };
        Some(Running {
            actions: Vec::new(),
            steps: result.local_step,
            taken: taken.to_vec(),
            obs: result.obs.columns().to_vec(),
            episode_return: self.episode_return,
            env: env.map(serde_bytes::ByteBuf::from),
        })
    }

    fn save(&mut self) -> Option<Vec<u8>> {
        let saved = guard(|| Ok(self.env.save_state()));
        saved.unwrap_or_else(|cause| {
            let fault = self.fault(task(&*self.env), Phase::Save, cause);
            self.faults.push(fault);
            None
        })
    }

    fn resume(&mut self, state: WorkerState, result: &mut WorkerStep, spaces: (&KnownSpace, &Space)) -> bool {
        if let Some(mut running) = state.running {
            if !running.actions.is_empty() {
                running.steps = running.actions.len();
                running.actions.iter().for_each(|action| encode(action, &mut running.taken));
            }
            if self.go_on(state.next_episode, &running, result, spaces) {
                return true;
            }
        }
        self.next_episode = state.next_episode;
        self.faults.clear();
        self.restart(result, spaces.0);
        false
    }

    fn go_on(
        &mut self,
        next_episode: u64,
        running: &Running,
        result: &mut WorkerStep,
        (space, actions): (&KnownSpace, &Space),
    ) -> bool {
        let mut obs = Observation::new(space);
        if !obs.fill(&running.obs) {
            return false;
        }
        let Some(state) = &running.env else {
            self.next_episode = next_episode.saturating_sub(1);
            self.restart(result, space);
            let mut rest = &running.taken[..];
            for _ in 0..running.steps {
                let Some(action) = decode(actions, &mut rest) else { return false };
                if result.faulted || result.episode.is_some() {
                    return false;
                }
                self.step(&action, result, space);
            }
            return rest.is_empty() && !result.faulted && result.episode.is_none() && result.obs == obs;
        };
        self.next_episode = next_episode;
        self.episode_return = running.episode_return;
        self.ready = true;
        *result = WorkerStep::new(obs);
        result.local_step = running.steps;
        self.taken.drop_all();
        guard(|| self.env.load_state(state)).is_ok()
    }
}
