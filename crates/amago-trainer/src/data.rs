//! What is learned from: the run's own replay and other folders, each with a weight.

use std::path::Path;

use amago_env::Rng;
use amago_replay::{Batch, Damage, ReplayError, Snapshot, Store, sample_mixture};

use crate::{Mode, Plan, RunDir, TrainError};

/// Stores and when each of them became ready.
pub(crate) struct Data {
    /// Where the run collects to; absent where it only learns.
    pub own: Option<Store>,
    datasets: Vec<Store>,
    /// Of the run's own replay, then of the datasets.
    weights: Vec<Weight>,
    /// The epoch in which each became ready.
    since: Vec<Option<usize>>,
    min_own: usize,
    anneal_epochs: usize,
}

/// How often something is drawn from, against the others.
struct Weight {
    /// When it has just become ready, where the config says so.
    initial: Option<f64>,
    full: f64,
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
        // A file of another task has the layout of this one by chance only.
        let own = own.map(|store| store.keep_to(plan.spaces())).transpose()?;
        let open = |set: &crate::DatasetConfig| open_dataset(&set.path, plan);
        let datasets = config.datasets.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let sets = config.datasets.iter().map(|d| Weight { initial: d.initial_weight, full: d.weight });
        let own_weight = Weight { initial: config.initial_weight, full: config.weight };
        let weights: Vec<Weight> = [own_weight].into_iter().chain(sets).collect();
        let since = at.map(|(_, since)| since).filter(|since| since.len() == weights.len());
        Ok(Self {
            own,
            datasets,
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
            // The run that collects a dataset may still be going on. Looked at once per epoch, it is the same
            // for all batches.
            set.refresh()?;
        }
        // A dataset is there as a whole; the own replay begins with few trajectories, which would be learned
        // by heart.
        let need = [self.min_own].into_iter().chain(std::iter::repeat(1));
        let ready: Vec<bool> =
            self.stores().zip(need).map(|(s, n)| s.is_some_and(|s| s.is_ready(n))).collect();
        for (since, ready) in self.since.iter_mut().zip(ready) {
            // What has become empty and is filled again grows in again.
            *since = if ready { since.or(Some(epoch)) } else { None };
        }
        Ok(self.weights(epoch).iter().any(|w| *w > 0.0))
    }

    /// What is drawn in an epoch: nothing from what is not ready, and less, for some epochs, from what became
    /// ready after the others, unless it has an initial weight.
    fn weights(&self, epoch: usize) -> Vec<f64> {
        let first = self.since.iter().flatten().min();
        let weight = |(weight, since): (&Weight, &Option<usize>)| {
            let Some(since) = since else { return 0.0 };
            // It comes from a checkpoint, which may be damaged.
            let before = epoch.saturating_sub(*since);
            let share = |epochs: usize| match self.anneal_epochs {
                0 => 1.0,
                all => (epochs as f64 / all as f64).min(1.0),
            };
            match weight.initial {
                Some(initial) => initial + (weight.full - initial) * share(before),
                None if Some(since) == first => weight.full,
                None => weight.full * share(before + 1),
            }
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

/// Opens a dataset of the task, of any kind, to draw from it only.
pub(crate) fn open_dataset(path: &Path, plan: &Plan) -> Result<Store, TrainError> {
    let dataset = amago_dataset::open(path, plan.config.replay.store())?;
    Ok(dataset.for_task(plan.spaces(), &plan.task_name())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(weights: &[(Option<f64>, f64)], since: &[Option<usize>], anneal_epochs: usize) -> Data {
        let weights = weights.iter().map(|(initial, full)| Weight { initial: *initial, full: *full });
        let (weights, since) = (weights.collect(), since.to_vec());
        Data { own: None, datasets: Vec::new(), weights, since, min_own: 1, anneal_epochs }
    }

    #[test]
    fn what_becomes_ready_late_grows_to_its_weight() {
        let weights = [(None, 1.0), (None, 0.5), (None, 2.0)];
        let mut data = data(&weights, &[None, Some(1), Some(1)], 4);
        assert_eq!(data.weights(1), [0.0, 0.5, 2.0]);
        data.since[0] = Some(10);
        let own: Vec<f64> = (10..=15).map(|epoch| data.weights(epoch)[0]).collect();
        assert_eq!(own, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        data.anneal_epochs = 0;
        assert_eq!(data.weights(10), [1.0, 0.5, 2.0]);
    }

    #[test]
    fn an_initial_weight_becomes_the_full_one() {
        let weights = [(Some(0.0), 0.5), (Some(1.0), 0.25), (None, 2.0), (Some(4.0), 2.0)];
        let mut data = data(&weights, &[Some(1), Some(1), Some(1), Some(3)], 4);
        let of = |i: usize, data: &Data| (1..=8).map(|epoch| data.weights(epoch)[i]).collect::<Vec<_>>();
        // From the first epoch on, also where all are ready at once; the default does not change.
        assert_eq!(of(0, &data), [0.0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5]);
        assert_eq!(of(1, &data), [1.0, 0.8125, 0.625, 0.4375, 0.25, 0.25, 0.25, 0.25]);
        assert_eq!(of(2, &data), [2.0; 8]);
        // Late, it begins at its own, not at zero.
        assert_eq!(of(3, &data)[2..], [4.0, 3.5, 3.0, 2.5, 2.0, 2.0]);
        data.anneal_epochs = 0;
        assert_eq!(data.weights(3), [0.5, 0.25, 2.0, 2.0]);
        // A damaged checkpoint may say that it became ready later.
        data.since[0] = Some(usize::MAX);
        data.anneal_epochs = 4;
        assert_eq!(data.weights(3)[0], 0.0);
    }
}
