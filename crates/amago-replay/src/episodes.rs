//! Episodes in formats of somebody else's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Layout, ReplayError, Trajectory};

/// What is known of an episode without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpisodeHead {
    /// The file that it is in.
    pub path: PathBuf,
    /// Bytes of it in the file, roughly where many share one.
    pub bytes: u64,
    /// Number of transitions.
    pub transitions: usize,
}

/// Episodes in a format of somebody else's, which a store draws from: see [`Store::over`](crate::Store::over). They are
/// read one at a time, from several threads at once.
pub trait Episodes: Send + Sync + fmt::Debug {
    /// Layout of all of them.
    fn layout(&self) -> &Arc<Layout>;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of episode `i < len()` without reading it.
    ///
    /// # Errors
    /// When it is damaged.
    fn head(&self, i: usize) -> Result<EpisodeHead, ReplayError>;

    /// Reads episode `i < len()`.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    fn read(&self, i: usize) -> Result<Trajectory, ReplayError>;
}
