//! What a store draws from, so that an interrupted run finds it as it was.

use std::path::Path;

use super::index::Part;
use super::{Inner, Store, StoreConfig, files};
use crate::ReplayError;

/// The FIFO trajectories that a store draws from at one moment, and the id it gives out next.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    next_id: u64,
    /// Ranges of ids, ascending, the first and the last of each.
    fifo: Vec<(u64, u64)>,
}

impl Snapshot {
    fn contains(&self, id: u64) -> bool {
        let after = self.fifo.partition_point(|(first, _)| *first <= id);
        after > 0 && id <= self.fifo[after - 1].1
    }

    /// Saturating, because it may come from a damaged file.
    fn len(&self) -> usize {
        let sizes = self.fifo.iter().map(|(first, last)| last.saturating_sub(*first).saturating_add(1));
        sizes.fold(0, |sum: u64, n| sum.saturating_add(n)) as usize
    }
}

impl Store {
    /// What is drawn from now.
    pub fn snapshot(&self) -> Snapshot {
        let inner = self.lock();
        let mut fifo: Vec<(u64, u64)> = Vec::new();
        for id in inner.index.fifo.ids() {
            match fifo.last_mut() {
                Some((_, last)) if *last + 1 == id => *last = id,
                _ => fifo.push((id, id)),
            }
        }
        Snapshot { next_id: inner.next_id, fifo }
    }

    /// Opens a folder as it was at a snapshot. Trajectories that were retired by then wait for
    /// [`Store::purge`]. Those that came later are hidden until the same trajectory is written again under
    /// the same id; when another one is, the run does not repeat itself, and all of them come back. No file is
    /// lost in either case.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn resume(
        dir: impl AsRef<Path>,
        config: StoreConfig,
        snapshot: &Snapshot,
    ) -> Result<Self, ReplayError> {
        Self::open_at(dir.as_ref(), config, Some(snapshot))
    }
}

impl Inner {
    /// Goes back to a snapshot; returns how many of its trajectories are gone.
    pub(super) fn go_back(&mut self, snapshot: &Snapshot) -> usize {
        let ids: Vec<u64> = self.index.fifo.ids().filter(|id| !snapshot.contains(*id)).collect();
        for entry in ids.into_iter().filter_map(|id| self.index.remove(Part::Fifo, id)) {
            if entry.id < snapshot.next_id {
                self.retired.push(entry);
            } else {
                self.later.insert(entry.id, entry);
            }
        }
        // It may come from a damaged file.
        self.next_id = snapshot.next_id.min(files::MAX_ID);
        snapshot.len().saturating_sub(self.index.fifo.len())
    }

    /// Draws from the later ones too, and gives out ids beyond theirs.
    pub(super) fn adopt_later(&mut self) {
        for (id, entry) in std::mem::take(&mut self.later) {
            self.index.insert(Part::Fifo, entry);
            self.next_id = self.next_id.max(id + 1);
        }
    }
}
