//! Reading trajectories back, and what happens to damaged files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use amago_env::Rng;
use rand::RngExt;

use super::index::{Part, TrajectoryId};
use super::{Inner, Store, files};
use crate::{ReplayError, Trajectory, decode, read_npz};

/// A damaged file that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where the file is now; where it was when it could not be moved.
    pub path: PathBuf,
    /// What is wrong with it, with the path it had.
    pub reason: String,
}

impl Store {
    /// The damaged files that this store has met since it was opened.
    pub fn damage(&self) -> Vec<Damage> {
        self.lock().damage.clone()
    }

    /// Draws a readable trajectory uniformly.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Result<Arc<Trajectory>, ReplayError> {
        loop {
            let id = {
                let inner = self.lock();
                if inner.index.len() == 0 {
                    return Err(self.nothing(&inner));
                }
                inner.index.nth(rng.random_range(0..inner.index.len()))
            };
            if let Some(trajectory) = self.load(id)? {
                return Ok(trajectory);
            }
        }
    }

    /// Ids of `n` different trajectories, drawn uniformly from the FIFO and protected ones together, in
    /// ascending order: all of them when there are no more than `n`.
    ///
    /// # Errors
    /// When nothing readable is left in the store.
    pub fn sample_ids(&self, n: usize, rng: &mut Rng) -> Result<Vec<TrajectoryId>, ReplayError> {
        let inner = self.lock();
        let len = inner.index.len();
        if len == 0 {
            return Err(self.nothing(&inner));
        }
        let chosen = rand::seq::index::sample(rng, len, n.min(len));
        let mut ids: Vec<TrajectoryId> = chosen.into_iter().map(|i| inner.index.nth(i)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Ids of all trajectories, ascending.
    pub fn ids(&self) -> Vec<TrajectoryId> {
        let inner = self.lock();
        let mut ids: Vec<TrajectoryId> = (0..inner.index.len()).map(|i| inner.index.nth(i)).collect();
        ids.sort_unstable();
        ids
    }

    /// The trajectory of an id as it happened, without relabelling. `None` when there is none, or its file
    /// was damaged and has been set aside.
    ///
    /// # Errors
    /// When the file cannot be read for a reason that is not damage.
    pub fn get(&self, id: TrajectoryId) -> Result<Option<Arc<Trajectory>>, ReplayError> {
        let known = self.lock().index.contains(id.part, id.number);
        if known { self.load(id) } else { Ok(None) }
    }

    fn nothing(&self, inner: &Inner) -> ReplayError {
        let dir = self.root.clone();
        match inner.damage.last() {
            None => ReplayError::EmptyStore { dir },
            Some(last) => {
                let last = last.reason.clone();
                ReplayError::NothingReadable { dir, damaged: inner.damage.len(), last }
            }
        }
    }

    /// The trajectory, or `None` when it was set aside or dropped in the meantime.
    fn load(&self, id: TrajectoryId) -> Result<Option<Arc<Trajectory>>, ReplayError> {
        if let Some(hit) = self.lock().cache.get(id) {
            return Ok(Some(hit));
        }
        let Some(path) = self.lock().path(&self.root, id) else { return Ok(None) };
        // The lock is free while the file is read: appending goes on.
        let read = match id.part {
            Part::Foreign => match &self.episodes {
                Some(episodes) => episodes.read(usize::try_from(id.number).unwrap_or(usize::MAX)),
                None => read_npz(&path),
            },
            _ => files::read(&path, self.writer.is_some())
                .and_then(|bytes| decode(&bytes).map_err(ReplayError::format(&path))),
        };
        let mut inner = self.lock();
        let read = match read {
            Ok(mut trajectory) => {
                trajectory.layout = self.adopt_layout(&mut inner, &trajectory.layout, &path)?;
                let legal = self.spaces.as_ref().map_or(Ok(()), |spaces| spaces.check(&trajectory));
                legal.map(|()| trajectory).map_err(ReplayError::format(&path))
            }
            error => error,
        };
        match read {
            Ok(trajectory) => {
                let trajectory = Arc::new(trajectory);
                inner.cache.insert(id, &trajectory);
                Ok(Some(trajectory))
            }
            // Another thread has dropped or moved it since it was drawn.
            Err(_) if !inner.index.contains(id.part, id.number) => Ok(None),
            Err(e) => self.handle_damage(&mut inner, id, e).map(|()| None),
        }
    }

    /// Sets a damaged file aside, if the file is to blame.
    pub(super) fn handle_damage(
        &self,
        inner: &mut Inner,
        id: TrajectoryId,
        error: ReplayError,
    ) -> Result<(), ReplayError> {
        let Some(from) = inner.path(&self.root, id) else { return Ok(()) };
        if self.writer.is_none() || !files::is_damage(&error) {
            self.leave_out(inner, from, error)?;
            inner.index.remove(id.part, id.number);
            return Ok(());
        }
        inner.index.remove(id.part, id.number);
        let dir = files::damaged_dir(&self.root);
        let name = files::name(id.number);
        let to = dir.join(if id.part == Part::Protected { format!("protected-{name}") } else { name });
        // A file that cannot be moved is still left out of sampling, and the reason is kept.
        let moved = fs::create_dir_all(&dir).and_then(|()| fs::rename(&from, &to));
        let path = if moved.is_ok() { to } else { from };
        inner.damage.push(Damage { path, reason: error.to_string() });
        Ok(())
    }

    /// Notes a damaged file in a folder that does not change.
    pub(super) fn leave_out(
        &self,
        inner: &mut Inner,
        path: PathBuf,
        error: ReplayError,
    ) -> Result<(), ReplayError> {
        if !files::is_damage(&error) {
            return Err(error);
        }
        // What is gone was dropped by whoever writes there.
        if path.exists() {
            inner.damage.push(Damage { path, reason: error.to_string() });
        }
        Ok(())
    }
}

impl Inner {
    /// Where a trajectory is; absent when it had its number before the folder was looked at again.
    fn path(&self, root: &Path, id: TrajectoryId) -> Option<PathBuf> {
        match id.part {
            Part::Foreign => self.foreign.get(&id.number).cloned(),
            part => Some(files::path(root, part, id.number)),
        }
    }
}
