//! What is in a dataset.

use amago_replay::Trajectory;

use crate::{Dataset, DatasetError};

/// Smallest, largest and mean of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Range {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Range {
    fn add(&mut self, x: f64) {
        let first = self.count == 0;
        (self.count, self.sum) = (self.count + 1, self.sum + x);
        self.min = if first { x } else { self.min.min(x) };
        self.max = if first { x } else { self.max.max(x) };
    }

    /// Their mean; absent where there are none, as the others.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The smallest.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }
}

/// Figures of a dataset. Sums are those of the trajectories as they are stored: where `parts` is above zero, some
/// episodes were stored in several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Info {
    /// Trajectories.
    pub episodes: u64,
    /// Their transitions.
    pub steps: u64,
    /// Sums of rewards, without discount.
    pub returns: Range,
    /// Transitions of each.
    pub lengths: Range,
    /// Trajectories whose last step ended the task.
    pub terminated: u64,
    /// All others: episodes that were cut by a time limit, or stored in parts.
    pub truncated: u64,
    /// Trajectories that begin within an episode.
    pub parts: u64,
    /// Steps whose action was brought to its bounds.
    pub clipped: u64,
    /// What could not be read, with reasons.
    pub damaged: Vec<String>,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

impl Dataset {
    /// Reads all trajectories, one at a time. `go_on` is told after each how many of how many were read, and says
    /// whether to read more.
    ///
    /// # Errors
    /// When one cannot be read for a reason that is not damage.
    pub fn info(&self, go_on: &mut dyn FnMut(usize, usize) -> bool) -> Result<Info, DatasetError> {
        let mut info = Info::default();
        let ids = self.store.ids();
        for (done, id) in ids.iter().enumerate() {
            if let Some(trajectory) = self.store.get(*id)? {
                info.add(&trajectory);
            }
            if !go_on(done + 1, ids.len()) {
                info.stopped = true;
                break;
            }
        }
        info.clipped = self.clipped();
        info.damaged = self.store.damage().into_iter().map(|damage| damage.reason).collect();
        Ok(info)
    }
}

impl Info {
    fn add(&mut self, trajectory: &Trajectory) {
        let columns = trajectory.columns();
        self.episodes += 1;
        self.steps += trajectory.len() as u64;
        self.lengths.add(trajectory.len() as f64);
        self.returns.add(columns.rewards.iter().map(|r| f64::from(*r)).sum());
        match columns.terminals.last() {
            Some(true) => self.terminated += 1,
            _ => self.truncated += 1,
        }
        self.parts += u64::from(columns.start_time > 0);
    }
}
