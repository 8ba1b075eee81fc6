//! Decoded trajectories, bounded by bytes.

use std::sync::Arc;

use lru::LruCache;

use super::index::TrajectoryId;
use crate::Trajectory;

/// Keeps the most recently used trajectories as long as they fit.
#[derive(Debug)]
pub(super) struct Cache {
    map: LruCache<TrajectoryId, Arc<Trajectory>>,
    bytes: u64,
    limit: u64,
}

impl Cache {
    /// An empty cache for at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { map: LruCache::unbounded(), bytes: 0, limit }
    }

    /// The trajectory, if it is here; it becomes the most recently used.
    pub fn get(&mut self, id: TrajectoryId) -> Option<Arc<Trajectory>> {
        self.map.get(&id).cloned()
    }

    /// Adds a trajectory and drops the least recently used ones that no longer fit. One that is
    /// larger than the whole cache is not kept: it would push everything else out.
    pub fn insert(&mut self, id: TrajectoryId, trajectory: &Arc<Trajectory>) {
        let size = trajectory.bytes();
        if size > self.limit {
            return;
        }
        if let Some(old) = self.map.put(id, trajectory.clone()) {
            self.bytes -= old.bytes();
        }
        self.bytes += size;
        while self.bytes > self.limit {
            let Some((_, old)) = self.map.pop_lru() else { break };
            self.bytes -= old.bytes();
        }
    }

    /// Forgets a trajectory.
    pub fn remove(&mut self, id: TrajectoryId) {
        if let Some(old) = self.map.pop(&id) {
            self.bytes -= old.bytes();
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
