//! Stores the episodes of evaluations, in the format that is learned from.

use std::path::Path;

use amago_env::Action;
use amago_env::vector::{VecEnv, WorkerStep};
use amago_replay::{Store, StoreConfig, TrajectoryBuilder};

use crate::{Plan, RunDir, TrainError};

/// Opens a folder for episodes of the planned task, which can then be one of `replay.datasets`. It is made where it is
/// missing; the oldest episodes beyond `max` go, or none where that is zero.
///
/// # Errors
/// When it cannot be written, somebody else writes to it, or it holds something else.
pub fn saved_episodes(plan: &Plan, dir: &Path, max: usize) -> Result<Store, TrainError> {
    let other = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
        && !dir.join("buffer").is_dir();
    if other {
        return Err(TrainError::NoReplayFolder(dir.to_owned()));
    }
    std::fs::create_dir_all(dir).map_err(TrainError::io(dir))?;
    let config = StoreConfig {
        max_trajectories: (max > 0).then_some(max),
        // They are written, not drawn.
        cache_bytes: 0,
        ..StoreConfig::default()
    };
    Ok(Store::open(dir, config)?.keep_to(plan.spaces())?)
}

/// The same for the evaluations of a run, if it wants that.
pub(crate) fn run_episodes(plan: &Plan, run: &RunDir) -> Result<Option<Store>, TrainError> {
    let eval = &plan.config.eval;
    let open = || saved_episodes(plan, &run.eval_replay(), eval.max_trajectories);
    eval.save_trajectories.then(open).transpose()
}

/// Records episodes of several environments and stores those that end.
pub(super) struct Recorder<'a> {
    store: &'a Store,
    builders: Vec<TrajectoryBuilder>,
}

impl<'a> Recorder<'a> {
    pub fn new(store: &'a Store, envs: &VecEnv) -> Self {
        let builder = TrajectoryBuilder::new(envs.observation_space(), envs.action_space());
        Self { store, builders: vec![builder; envs.len()] }
    }

    /// Begins anew where an episode begins.
    pub fn begin(&mut self, steps: &[WorkerStep]) -> Result<(), TrainError> {
        for (builder, step) in self.builders.iter_mut().zip(steps).filter(|(_, step)| step.local_step == 0) {
            builder.start(&step.obs)?;
        }
        Ok(())
    }

    /// Adds what a step of one environment gave.
    pub fn push(&mut self, row: usize, action: &Action, result: &WorkerStep) -> Result<(), TrainError> {
        if result.faulted && result.episode.is_none() {
            return Ok(());
        }
        let builder = &mut self.builders[row];
        builder.push(action, &result.step, result.final_obs().unwrap_or(&result.obs))?;
        if result.episode.is_some() {
            self.store.admit(self.store.write(&builder.finish())?);
            self.store.retire();
        }
        Ok(())
    }

    /// Removes the files of what was too much.
    pub fn finish(self) -> Result<(), TrainError> {
        self.store.purge()?;
        Ok(())
    }
}
