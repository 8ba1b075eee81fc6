//! Checkpoints of a run in progress.

use super::Trainer;
use crate::checkpoint::{Checkpoint, RunState};
use crate::{Collector, Event, Observer, TrainError};

impl Trainer {
    /// Saves everything; only then are the files of dropped trajectories removed, because until then the
    /// checkpoint before this one needs them.
    pub(super) fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        if let (Some(collector), Some(store)) = (&mut self.collector, &self.data.own) {
            collector.admit(store);
        }
        let state = RunState {
            replay: self.data.own.as_ref().map(|store| store.snapshot()).unwrap_or_default(),
            ready_since: self.data.since(),
            policy_age: self.policy_age.clone(),
            collector: self.collector.as_mut().map(Collector::save),
            learned: self.learned.clone(),
            unevaluated: self.unevaluated.clone(),
            best: self.best,
            seconds: self.seconds(),
        };
        let keep = self.plan.config.train.keep_checkpoints;
        let folder = self.run.checkpoints();
        let path = Checkpoint::save(&folder, &self.learner, self.meta, Some(&state), keep)?;
        observer.event(Event::Checkpoint(&path));
        if let Some(store) = &self.data.own {
            store.purge()?;
        }
        Ok(())
    }
}
