//! What is learned from: the run's own replay and other folders, each with a weight.

use std::path::Path;

use amago_env::Rng;
use amago_replay::{Batch, Damage, Layout, ReplayError, Snapshot, Store, StoreConfig, sample_mixture};

use crate::{Mode, Plan, RunDir, TrainError};

/// Stores and when each of them became ready.
pub(crate) struct Data {
    /// Where the run collects to; absent where it only learns.
    pub own: Option<Store>,
    datasets: Vec<Store>,
    /// Layout of the task's trajectories.
    layout: Layout,
    /// Of the run's own replay, then of the datasets.
    weights: Vec<f64>,
    /// The epoch in which each became ready.
    since: Vec<Option<usize>>,
    min_own: usize,
    anneal_epochs: usize,
}

impl Data {
    /// Opens everything that the plan names; the run's own replay as it was at a snapshot, if there is one.
    pub fn open(
        plan: &Plan,
        run: &RunDir,
        at: Option<(&Snapshot, Vec<Option<usize>>)>,
    ) -> Result<Self, TrainError> {
        let config = &plan.config.replay;
        let own = match (plan.config.train.mode, &at) {
            (Mode::Learn, _) => None,
            (_, Some((snapshot, _))) => Some(Store::resume(run.replay(), config.store(), snapshot)?),
            (_, None) => Some(Store::open(run.replay(), config.store())?),
        };
        let layout = plan.layout();
        let open = |set: &crate::DatasetConfig| open_dataset(&set.path, config.store(), &layout);
        let datasets = config.datasets.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let weights: Vec<f64> =
            [config.weight].into_iter().chain(config.datasets.iter().map(|d| d.weight)).collect();
        let since = at.map(|(_, since)| since).filter(|since| since.len() == weights.len());
        Ok(Self {
            own,
            datasets,
            layout,
            since: since.unwrap_or_else(|| vec![None; weights.len()]),
            weights,
            min_own: plan.config.train.min_trajectories,
            anneal_epochs: config.anneal_epochs,
        })
    }

    /// When each became ready, for a checkpoint.
    pub fn since(&self) -> Vec<Option<usize>> {
        self.since.clone()
    }

    /// Own replay first, then the datasets.
    fn stores(&self) -> impl Iterator<Item = Option<&Store>> {
        [self.own.as_ref()].into_iter().chain(self.datasets.iter().map(Some))
    }

    /// Looks for what others have stored or dropped, notes what is ready in an epoch, and tells whether anything is.
    pub fn begin_epoch(&mut self, epoch: usize) -> Result<bool, TrainError> {
        for set in &self.datasets {
            set.refresh()?;
            check_layout(set, &self.layout)?;
        }
        let need = [self.min_own].into_iter().chain(std::iter::repeat(1));
        let ready: Vec<bool> =
            self.stores().zip(need).map(|(s, n)| s.is_some_and(|s| s.is_ready(n))).collect();
        for (since, ready) in self.since.iter_mut().zip(ready) {
            *since = if ready { since.or(Some(epoch)) } else { None };
        }
        Ok(self.weights(epoch).iter().any(|w| *w > 0.0))
    }

    /// What is drawn in an epoch: nothing from what is not ready, and less, for some epochs, from what became
    /// ready after the others.
    fn weights(&self, epoch: usize) -> Vec<f64> {
        let first = self.since.iter().flatten().min();
        let weight = |(weight, since): (&f64, &Option<usize>)| match since {
            None => 0.0,
            Some(since) if Some(since) == first => *weight,
            Some(since) => weight * ((epoch - since + 1) as f64 / self.anneal_epochs.max(1) as f64).min(1.0),
        };
        self.weights.iter().zip(&self.since).map(weight).collect()
    }

    /// Draws a batch in an epoch that has begun and in which something is ready.
    pub fn sample(&self, plan: &Plan, epoch: usize, rng: &mut Rng) -> Result<Batch, ReplayError> {
        let chosen: Vec<(&Store, f64)> = self
            .stores()
            .zip(self.weights(epoch))
            .filter_map(|(store, w)| Some((store?, w)))
            .filter(|(_, w)| *w > 0.0)
            .collect();
        let train = &plan.config.train;
        sample_mixture(&chosen, (train.batch_size, train.max_seq_len), plan.config.replay.padding, rng)
    }

    /// Trajectories in all of them.
    pub fn len(&self) -> usize {
        self.stores().flatten().map(Store::len).sum()
    }

    /// Transitions in all of them.
    pub fn transitions(&self) -> u64 {
        self.stores().flatten().map(Store::transitions).sum()
    }

    /// Damaged files met so far.
    pub fn damage(&self) -> Vec<Damage> {
        self.stores().flatten().flat_map(Store::damage).collect()
    }
}

/// Opens a folder of trajectories of the task to draw from it only.
pub(crate) fn open_dataset(dir: &Path, config: StoreConfig, expected: &Layout) -> Result<Store, TrainError> {
    let store = Store::read(dir, config)?;
    check_layout(&store, expected)?;
    Ok(store)
}

/// Refuses a folder of another task's trajectories.
pub(crate) fn check_layout(store: &Store, expected: &Layout) -> Result<(), TrainError> {
    match store.layout() {
        Some(found) if *found != *expected => {
            let (expected, found) = (expected.to_string(), found.to_string());
            Err(ReplayError::Layout { path: store.dir().to_owned(), expected, found }.into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use amago_env::{DictSpace, Space};

    use super::*;

    #[test]
    fn what_becomes_ready_late_grows_to_its_weight() {
        let mut data = Data {
            own: None,
            datasets: Vec::new(),
            layout: Layout::new(&DictSpace::single(Space::Discrete { n: 2 }), &Space::Discrete { n: 2 }),
            weights: vec![1.0, 0.5, 2.0],
            since: vec![None, Some(1), Some(1)],
            min_own: 1,
            anneal_epochs: 4,
        };
        assert_eq!(data.weights(1), [0.0, 0.5, 2.0]);
        data.since[0] = Some(10);
        let own: Vec<f64> = (10..=15).map(|epoch| data.weights(epoch)[0]).collect();
        assert_eq!(own, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        data.anneal_epochs = 0;
        assert_eq!(data.weights(10), [1.0, 0.5, 2.0]);
    }
}
