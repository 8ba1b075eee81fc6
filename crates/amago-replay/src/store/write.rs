//! Trajectories come in and go.

use std::fs;

use super::index::{Entry, Part, TrajectoryId};
use super::{Inner, Store, files};
use crate::format::check_storable;
use crate::{ReplayError, Trajectory, encode};

/// A trajectory whose file is published, but which is not drawn yet: see [`Store::admit`].
#[derive(Debug)]
#[must_use = "it is not drawn from until it is admitted"]
pub struct Written(Part, Entry);

impl Store {
    /// Stores a trajectory in the FIFO part and returns its id. Ids ascend.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn append(&self, trajectory: &Trajectory) -> Result<u64, ReplayError> {
        Ok(self.admit(self.write(trajectory)?))
    }

    /// Stores a trajectory that is never dropped.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn append_protected(&self, trajectory: &Trajectory) -> Result<u64, ReplayError> {
        Ok(self.admit(self.write_to(Part::Protected, trajectory)?))
    }

    /// The first half of [`Store::append`]: the file is there, but nothing is drawn from it yet. So one
    /// thread can collect without changing what another one draws.
    ///
    /// # Errors
    /// When the trajectory is empty, too large, or of another layout than the store's, or the file cannot be
    /// written, for example because the disk is full; then nothing of it is left, and all earlier
    /// trajectories stay readable.
    pub fn write(&self, trajectory: &Trajectory) -> Result<Written, ReplayError> {
        self.write_to(Part::Fifo, trajectory)
    }

    /// Lets a written trajectory be drawn, and returns its id.
    pub fn admit(&self, Written(part, entry): Written) -> u64 {
        self.lock().index.insert(part, entry);
        entry.id
    }

    fn write_to(&self, part: Part, trajectory: &Trajectory) -> Result<Written, ReplayError> {
        check_storable(trajectory).map_err(ReplayError::Unstorable)?;
        self.check_writable()?;
        let bytes = encode(trajectory);
        let mut inner = self.lock();
        self.adopt_layout(&mut inner, trajectory.layout(), &self.root)?;
        let mut id = inner.take_id();
        if let Some(entry) = inner.later.remove(&id) {
            // A resumed run collects again what it had collected before it was interrupted.
            let path = files::path(&self.root, Part::Fifo, id);
            if fs::read(&path).is_ok_and(|before| before == bytes) {
                return Ok(Written(Part::Fifo, entry));
            }
            inner.later.insert(id, entry);
            inner.adopt_later();
            id = inner.take_id();
        }
        drop(inner);
        // The lock is free while the file is written: sampling goes on.
        files::publish(&files::part_dir(&self.root, part), &files::name(id), &bytes)?;
        Ok(Written(part, Entry { id, bytes: bytes.len() as u64, transitions: trajectory.len() }))
    }

    fn check_writable(&self) -> Result<(), ReplayError> {
        match self.writer {
            Some(_) => Ok(()),
            None => Err(ReplayError::ReadOnly { dir: self.root.clone() }),
        }
    }

    /// Stops drawing from the oldest FIFO trajectories until the FIFO part is within both limits, and
    /// returns how many they were. Protected ones neither count nor go. Their files stay until
    /// [`Store::purge`], because the newest [`Snapshot`](super::Snapshot) may still need them.
    pub fn retire(&self) -> usize {
        let mut inner = self.lock();
        let before = inner.retired.len();
        while let Some(oldest) = inner.index.fifo.oldest() {
            let fifo = &inner.index.fifo;
            let over = self.config.max_trajectories.is_some_and(|n| fifo.len() > n)
                || self.config.max_bytes.is_some_and(|n| fifo.bytes > n);
            if !over {
                break;
            }
            inner.index.remove(Part::Fifo, oldest.id);
            inner.cache.remove(TrajectoryId { part: Part::Fifo, number: oldest.id });
            inner.retired.push(oldest);
        }
        inner.retired.len() - before
    }

    /// Removes the files of retired trajectories, and returns how many there were.
    ///
    /// # Errors
    /// When a file cannot be removed; it and those after it are tried again the next time.
    pub fn purge(&self) -> Result<usize, ReplayError> {
        let mut inner = self.lock();
        let mut purged = 0;
        while let Some(entry) = inner.retired.last() {
            let path = files::path(&self.root, Part::Fifo, entry.id);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(ReplayError::io(&path)(e)),
                _ => {}
            }
            inner.retired.pop();
            purged += 1;
        }
        Ok(purged)
    }
}

impl Inner {
    pub(super) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }
}
