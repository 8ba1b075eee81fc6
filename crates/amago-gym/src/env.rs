//! One environment of a worker, as the rest of the program sees it.

use std::sync::Arc;

use amago_env::render::Frame;
use amago_env::{Action, Env, EnvError, Observation, Step, TaskSpec};

use crate::group::Group;
use crate::gym_seed;
use crate::layout::Scratch;
use crate::pool::{Pool, Team};

/// Takes a copy in a worker with its first reset, gives it back when it is dropped or has failed.
pub(crate) struct GymEnv {
    pool: Arc<Pool>,
    team: Option<Team>,
    seat: Option<(Arc<Group>, usize)>,
    scratch: Scratch,
    metrics: Vec<f64>,
    success: Option<bool>,
}

impl GymEnv {
    pub fn new(pool: Arc<Pool>, team: Option<Team>) -> Self {
        Self { pool, team, seat: None, scratch: Scratch::default(), metrics: Vec::new(), success: None }
    }

    fn seat(&mut self) -> Result<(Arc<Group>, usize), EnvError> {
        if self.seat.is_none() {
            self.seat = Some(self.pool.take(self.team)?);
        }
        let (group, index) = self.seat.as_ref().expect("it was taken");
        Ok((group.clone(), *index))
    }

    /// Gives the copy back after a failure. A refused action is none.
    fn failed<T>(&mut self, result: Result<T, EnvError>) -> Result<T, EnvError> {
        if matches!(&result, Err(e) if !matches!(e, EnvError::Action(_)))
            && let Some((group, index)) = self.seat.take()
        {
            let copies = group.free(index, true);
            if let Some(copies) = copies {
                self.pool.note_lost(&group, copies);
            }
        }
        result
    }

    fn played(&self) -> Result<(Arc<Group>, usize), EnvError> {
        let (group, index) =
            self.seat.as_ref().ok_or_else(|| EnvError::Failed("it was not reset".to_owned()))?;
        Ok((group.clone(), *index))
    }

    fn try_step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let (group, index) = self.played()?;
        if group.prepare(index, action)? {
            self.pool.flush();
        }
        let (layout, scratch, metrics) = (&self.pool.common.layout, &mut self.scratch, &mut self.metrics);
        let stepped = group.finish(index, |row, numbers| {
            metrics.clear();
            metrics.extend_from_slice(numbers);
            layout.get(row, scratch, obs)
        })?;
        let once = self.pool.common.config.success_once && self.success == Some(true);
        self.success = if once { self.success } else { stepped.success };
        Ok(Step { reward: stepped.reward, terminated: stepped.terminated, truncated: stepped.truncated })
    }

    fn try_reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.success, self.metrics) = (None, Vec::new());
        let (group, index) = self.seat()?;
        let (layout, scratch) = (&self.pool.common.layout, &mut self.scratch);
        group.reset(index, gym_seed(seed), |row| layout.get(row, scratch, obs))
    }
}

impl Env for GymEnv {
    fn spec(&self) -> &TaskSpec {
        &self.pool.common.layout.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let result = self.try_reset(seed, obs);
        self.failed(result)
    }

    fn start_step(&mut self, action: &Action, next_seed: u64) -> bool {
        self.seat.as_ref().is_some_and(|(group, index)| group.start(*index, action, gym_seed(next_seed)))
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let result = self.try_step(action, obs);
        self.failed(result)
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        let names = &self.pool.common.config.metrics;
        for (name, value) in names.iter().zip(&self.metrics).filter(|(_, value)| !value.is_nan()) {
            report(name, *value);
        }
    }

    fn success(&self) -> Option<bool> {
        self.success
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        if !self.pool.common.layout.saves_state {
            return None;
        }
        let (group, index) = self.played().ok()?;
        let mut state = group.save(index).ok()?;
        state.push(match self.success {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        });
        Some(state)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let unknown = || EnvError::Failed("this is no state of a Python environment".to_owned());
        let (success, state) = state.split_last().ok_or_else(unknown)?;
        let success = match success {
            0 => None,
            1 => Some(false),
            2 => Some(true),
            _ => return Err(unknown()),
        };
        let (group, index) = self.seat()?;
        let loaded = group.load(index, state).map_err(EnvError::from);
        (self.success, self.metrics) = (success, Vec::new());
        self.failed(loaded)
    }

    fn render(&self) -> Option<Frame> {
        let (group, index) = self.played().ok()?;
        let picture = group.draw(index).ok()??;
        let (head, rgb) = picture.split_at_checked(8)?;
        let number = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]) as usize;
        let (width, height) = (number(0), number(4));
        let fits =
            width.checked_mul(height).and_then(|n| n.checked_mul(3)) == Some(rgb.len()) && !rgb.is_empty();
        fits.then(|| Frame { width, height, rgb: rgb.to_vec() })
    }
}

impl Drop for GymEnv {
    fn drop(&mut self) {
        if let Some((group, index)) = self.seat.take() {
            group.free(index, false);
        }
    }
}
