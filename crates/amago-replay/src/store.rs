//! Trajectories on disk: a bounded FIFO part and a protected part.

mod cache;
mod files;
mod index;
mod open;
mod read;
mod snapshot;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache::Cache;
pub(crate) use files::open;
pub use files::{lock, open_file, refuse_links};
use index::{Entry, Index};
pub use index::{Part, TrajectoryId};
pub use read::Damage;
pub use snapshot::Snapshot;
pub use write::Written;

use crate::{Episodes, Layout, Relabeler, Spaces};

/// Limits and habits of a [`Store`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Most FIFO trajectories that [`Store::retire`] leaves.
    pub max_trajectories: Option<usize>,
    /// Most bytes of FIFO files that [`Store::retire`] leaves.
    pub max_bytes: Option<u64>,
    /// Most bytes of trajectories kept in memory.
    pub cache_bytes: u64,
    /// How trajectories are relabelled when they are drawn for a batch.
    pub relabel: Relabeler,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { max_trajectories: None, max_bytes: None, cache_bytes: 256 << 20, relabel: Relabeler::None }
    }
}

/// What [`Store::open`] found besides trajectories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenReport {
    /// Temporary files of interrupted writes; they were removed.
    pub temp_files: usize,
    /// Files whose header is damaged; see [`Store::damage`].
    pub damaged: usize,
    /// Files that are not the store's; they are left alone.
    pub foreign: usize,
    /// Trajectories of a [`Snapshot`] whose files are gone.
    pub missing: usize,
}

/// A folder of trajectories, one file each: `buffer/` (FIFO) and `protected/` (never dropped). Where it is only read,
/// also a folder of `.npz` files of the original.
///
/// All methods take `&self`: one thread may append while another samples. Memory does not grow
/// with the contents, except for a few bytes per trajectory.
///
/// ```
/// use amago_env::{Action, DictSpace, Observation, Space, Step};
/// use amago_replay::{Store, StoreConfig, TrajectoryBuilder};
///
/// # let observations = DictSpace::single(Space::box_f32(&[2], -1.0, 1.0));
/// # let mut builder = TrajectoryBuilder::new(&observations, &Space::Discrete { n: 3 });
/// # let obs = Observation::new(&observations);
/// # builder.start(&obs)?;
/// # let step = Step { reward: 1.0, terminated: true, truncated: false };
/// # builder.push(&Action::Discrete(1), &step, &obs)?;
/// # let trajectory = builder.finish();
/// # let folder = tempfile::tempdir()?;
/// # let dir = folder.path();
/// let config = StoreConfig { max_trajectories: Some(1), ..StoreConfig::default() };
/// let store = Store::open(dir, config)?;
/// store.append(&trajectory)?;
/// store.append(&trajectory)?;
/// assert_eq!(store.len(), 2);
/// // The oldest is not drawn any more; its file goes when a checkpoint cannot need it any more.
/// assert_eq!((store.retire(), store.len()), (1, 1));
/// assert_eq!(store.purge()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    config: StoreConfig,
    report: OpenReport,
    /// What trajectories are checked against, where that is known.
    spaces: Option<Spaces>,
    /// Where it draws from instead of files of its own or of the original.
    episodes: Option<Box<dyn Episodes>>,
    inner: Mutex<Inner>,
    /// Held for as long as the store lives; absent where it only reads.
    writer: Option<File>,
}

#[derive(Debug)]
struct Inner {
    index: Index,
    cache: Cache,
    layout: Option<Arc<Layout>>,
    damage: Vec<Damage>,
    next_id: u64,
    /// Dropped, but their files are still there.
    retired: Vec<Entry>,
    /// Stored after the snapshot that the store was opened at, by id.
    later: BTreeMap<u64, Entry>,
    /// Files of episodes of other formats, by the numbers they have at the moment.
    foreign: BTreeMap<u64, PathBuf>,
}

impl Inner {
    /// Whether a file is drawn from, or is known to be damaged.
    fn knows(&self, id: TrajectoryId, path: &Path) -> bool {
        self.index.contains(id.part, id.number) || self.damage.iter().any(|d| d.path == path)
    }

    /// Forgets trajectories of a part that are not among these numbers, which ascend.
    fn keep_only(&mut self, part: Part, numbers: &[u64]) {
        let gone = self.index.numbers(part).filter(|n| numbers.binary_search(n).is_err());
        for number in gone.collect::<Vec<_>>() {
            self.index.remove(part, number);
            self.cache.remove(TrajectoryId { part, number });
        }
    }
}

impl Store {
    /// Number of trajectories, FIFO and protected.
    pub fn len(&self) -> usize {
        self.lock().index.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of protected trajectories.
    pub fn protected_len(&self) -> usize {
        self.lock().index.protected.len()
    }

    /// Bytes of all files, FIFO and protected.
    pub fn bytes(&self) -> u64 {
        self.lock().index.bytes()
    }

    /// Transitions of all trajectories, FIFO and protected.
    pub fn transitions(&self) -> u64 {
        self.lock().index.transitions()
    }

    /// Bytes of trajectories in memory; at most [`StoreConfig::cache_bytes`].
    pub fn cached_bytes(&self) -> u64 {
        self.lock().cache.bytes()
    }

    /// Whether at least `min` trajectories are stored.
    pub fn is_ready(&self, min: usize) -> bool {
        self.len() >= min
    }

    /// Layout of the trajectories, once there is one.
    pub fn layout(&self) -> Option<Arc<Layout>> {
        self.lock().layout.clone()
    }

    /// What opening found besides trajectories.
    pub fn open_report(&self) -> OpenReport {
        self.report
    }

    /// Limits and habits.
    pub(crate) fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Folder of the store.
    pub fn dir(&self) -> &Path {
        &self.root
    }

    /// A panic elsewhere cannot leave the state half changed in a way that matters: at worst a
    /// file on disk is missing from the index.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
