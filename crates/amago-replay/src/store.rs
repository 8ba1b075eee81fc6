//! Trajectories on disk: a bounded FIFO part and a protected part.

mod cache;
mod files;
mod index;
mod read;
mod snapshot;
mod write;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache::Cache;
use files::Scan;
pub use files::lock;
use index::{Entry, Index};
pub use index::{Part, TrajectoryId};
pub use read::Damage;
pub use snapshot::Snapshot;
pub use write::Written;

use crate::{Layout, Relabeler, ReplayError};

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

/// A folder of trajectories, one file each: `buffer/` (FIFO) and `protected/` (never dropped).
///
/// All methods take `&self`: one thread may append while another samples. Memory does not grow
/// with the contents, except for a few bytes per trajectory.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    config: StoreConfig,
    report: OpenReport,
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
    /// Opens a folder, creating what is missing, and reads the headers of all trajectories.
    ///
    /// # Errors
    /// When the folder cannot be used, another live store uses it, or it holds trajectories of
    /// different layouts or of another format version. Damaged files are set aside.
    pub fn open(dir: impl AsRef<Path>, config: StoreConfig) -> Result<Self, ReplayError> {
        Self::open_at(dir.as_ref(), config, None)
    }

    /// Opens a folder to draw from it only: nothing in it changes, and others may use it at the same time.
    /// Damaged files are left out, and stay where they are. What others add is found by [`Store::refresh`].
    ///
    /// # Errors
    /// As [`Store::open`], and when there is no such folder.
    pub fn read(dir: impl AsRef<Path>, config: StoreConfig) -> Result<Self, ReplayError> {
        Self::empty(dir.as_ref(), config, None).filled(None)
    }

    fn open_at(root: &Path, config: StoreConfig, at: Option<&Snapshot>) -> Result<Self, ReplayError> {
        for part in [Part::Fifo, Part::Protected] {
            let dir = files::part_dir(root, part);
            fs::create_dir_all(&dir).map_err(ReplayError::io(&dir))?;
        }
        let lock = files::lock(root)?;
        Self::empty(root, config, Some(lock)).filled(at)
    }

    fn empty(root: &Path, config: StoreConfig, writer: Option<File>) -> Self {
        let inner = Inner {
            index: Index::default(),
            cache: Cache::new(config.cache_bytes),
            layout: None,
            damage: Vec::new(),
            next_id: 0,
            retired: Vec::new(),
            later: BTreeMap::new(),
        };
        let (root, report) = (root.to_owned(), OpenReport::default());
        Self { root, config, report, inner: Mutex::new(inner), writer }
    }

    fn filled(mut self, at: Option<&Snapshot>) -> Result<Self, ReplayError> {
        let store = &mut self;
        for part in [Part::Protected, Part::Fifo] {
            let scan = store.read_folder(part)?;
            store.report.temp_files += scan.temp_files;
            store.report.foreign += scan.foreign;
        }
        if let Some(snapshot) = at {
            let missing = store.lock().go_back(snapshot);
            store.report.missing = missing;
        }
        let damaged = store.lock().damage.len();
        store.report.damaged = damaged;
        // The ids of files set aside are not given out again, so that names there never collide.
        let damaged = files::damaged_dir(&store.root);
        if damaged.is_dir() && at.is_none() {
            let ids = files::scan(&damaged, false)?.ids;
            let mut inner = store.lock();
            inner.next_id = ids.last().map_or(0, |id| id.saturating_add(1)).max(inner.next_id);
        }
        Ok(self)
    }

    /// Looks again at a folder that others write to: from now on what came is drawn too, and what went is not.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn refresh(&self) -> Result<(), ReplayError> {
        [Part::Protected, Part::Fifo].into_iter().try_for_each(|part| self.read_folder(part).map(drop))
    }

    /// Makes the index that of the folder. Files that were found damaged are not looked at again.
    fn read_folder(&self, part: Part) -> Result<Scan, ReplayError> {
        let scan = files::scan(&files::part_dir(&self.root, part), self.writer.is_some())?;
        self.lock().keep_only(part, &scan.ids);
        for &id in &scan.ids {
            let path = files::path(&self.root, part, id);
            if self.lock().knows(TrajectoryId { part, number: id }, &path) {
                continue;
            }
            let read = files::summary(&path, id);
            let mut inner = self.lock();
            inner.next_id = inner.next_id.max(id.saturating_add(1));
            match read {
                Ok((entry, layout)) => {
                    self.adopt_layout(&mut inner, &Arc::new(layout), &path)?;
                    inner.index.insert(part, entry);
                }
                Err(e) => self.handle_damage(&mut inner, TrajectoryId { part, number: id }, e)?,
            }
        }
        Ok(scan)
    }

    /// The store's layout: the first one seen. Every other must be equal.
    fn adopt_layout(
        &self,
        inner: &mut Inner,
        found: &Arc<Layout>,
        path: &Path,
    ) -> Result<Arc<Layout>, ReplayError> {
        let expected = inner.layout.get_or_insert_with(|| found.clone());
        if expected == found {
            return Ok(expected.clone());
        }
        let (expected, found) = (expected.to_string(), found.to_string());
        Err(ReplayError::Layout { path: path.to_owned(), expected, found })
    }

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
        let inner = self.lock();
        inner.index.fifo.bytes + inner.index.protected.bytes
    }

    /// Transitions of all trajectories, FIFO and protected.
    pub fn transitions(&self) -> u64 {
        let inner = self.lock();
        inner.index.fifo.transitions + inner.index.protected.transitions
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
