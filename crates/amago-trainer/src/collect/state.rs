//! A collector in the middle of its episodes, for a checkpoint.

use amago_agent::Agent;
use amago_env::exploration::ExplorationState;
use amago_env::vector::{EpisodeStats, WorkerState};
use amago_replay::{Columns, Store};
use burn::tensor::Device;

use super::Collector;
use crate::driver::DriverState;
use crate::{Plan, TrainError};

/// What a checkpoint keeps of a collector: everything that the next step depends on, but the weights.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectorState {
    steps: u64,
    workers: Vec<WorkerState>,
    exploration: Vec<ExplorationState>,
    /// What was recorded of the running episodes; absent after a fault.
    unfinished: Vec<Option<Columns>>,
    driver: DriverState,
    /// What the epoch gave in which the run was stopped.
    #[serde(default)]
    part: Part,
}

/// What collecting gave in the running epoch.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Part {
    pub episodes: Vec<EpisodeStats>,
    pub faults: u64,
    pub seconds: f64,
}

impl Collector {
    /// What a checkpoint must keep.
    pub fn save(&mut self) -> CollectorState {
        CollectorState {
            steps: self.steps,
            workers: self.envs.save(),
            exploration: self.exploration.iter().map(|e| e.state()).collect(),
            unfinished: self.builders.iter().map(|b| b.unfinished().cloned()).collect(),
            driver: self.driver.save(),
            part: self.part.clone(),
        }
    }

    /// A collector that goes on from a saved state, and the numbers of the environments that did not come out
    /// where they had stood: what was recorded of their episodes is stored, and others begin.
    ///
    /// # Errors
    /// As [`Collector::new`], and when the state is that of another run; the message says how.
    pub fn resume(
        plan: &Plan,
        agent: &Agent,
        device: &Device,
        store: &Store,
        state: CollectorState,
    ) -> Result<(Self, Vec<usize>), TrainError> {
        let mut collector = Self::unstarted(plan, agent, device)?;
        let other = |reason| TrainError::OtherRun { reason };
        // What can be refused comes first: nothing on disk has changed by then.
        collector.driver.load(state.driver, agent).map_err(other)?;
        let n = collector.envs.len();
        if state.unfinished.len() != n || state.exploration.len() != n {
            return Err(other(format!("it holds {} actors of {n}", state.unfinished.len())));
        }
        (collector.steps, collector.part) = (state.steps, state.part);
        let exploring = collector.exploration.iter_mut().zip(state.exploration);
        exploring.for_each(|(explore, state)| explore.restore(state));
        let builders = collector.builders.iter_mut().zip(state.unfinished);
        for (builder, unfinished) in builders.filter_map(|(b, u)| Some((b, u?))) {
            builder.resume(unfinished)?;
        }
        let mut restarted = Vec::new();
        let went_on = collector.envs.load(state.workers)?;
        for i in (0..n).filter(|i| !went_on[*i]) {
            // What the environment gave is still true, though it does not go on.
            if collector.builders[i].is_started() && !collector.builders[i].is_empty() {
                let trajectory = collector.builders[i].finish();
                collector.store(store, &trajectory)?;
            }
            collector.begin(i)?;
            restarted.push(i);
        }
        Ok((collector, restarted))
    }
}
