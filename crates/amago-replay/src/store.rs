//! Trajectories on disk: a bounded FIFO part and a protected part.

mod cache;
mod files;
mod index;
mod read;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache::Cache;
use index::{Entry, Index, Part};
pub use read::{Damage, OnDamage};

use crate::{FormatError, Layout, Relabeler, ReplayError, Trajectory, encode};

/// Limits and habits of a [`Store`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Most FIFO trajectories that [`Store::enforce_limit`] leaves.
    pub max_trajectories: Option<usize>,
    /// Most bytes of FIFO files that [`Store::enforce_limit`] leaves.
    pub max_bytes: Option<u64>,
    /// Most bytes of trajectories kept in memory.
    pub cache_bytes: u64,
    /// Whether each file is forced to the disk before it becomes visible. Without it, a power cut
    /// may damage the newest files; they are then found out by their checksums.
    pub sync: bool,
    /// What to do with a damaged file.
    pub on_damage: OnDamage,
    /// How trajectories are relabelled when they are drawn for a batch.
    pub relabel: Relabeler,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            max_trajectories: None,
            max_bytes: None,
            cache_bytes: 256 << 20,
            sync: false,
            on_damage: OnDamage::default(),
            relabel: Relabeler::None,
        }
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
    /// Held for as long as the store lives.
    _lock: File,
}

#[derive(Debug)]
struct Inner {
    index: Index,
    cache: Cache,
    layout: Option<Arc<Layout>>,
    damage: Vec<Damage>,
    next_id: u64,
}

impl Store {
    /// Opens a folder, creating what is missing, and reads the headers of all trajectories.
    ///
    /// # Errors
    /// When the folder cannot be used, another live store uses it, or it holds trajectories of
    /// different layouts or of another format version. Damaged files are an error only with
    /// [`OnDamage::Fail`].
    pub fn open(dir: impl AsRef<Path>, config: StoreConfig) -> Result<Self, ReplayError> {
        let root = dir.as_ref().to_owned();
        for part in [Part::Fifo, Part::Protected] {
            let dir = files::part_dir(&root, part);
            fs::create_dir_all(&dir).map_err(ReplayError::io(&dir))?;
        }
        let lock = files::lock(&root)?;
        let inner = Inner {
            index: Index::default(),
            cache: Cache::new(config.cache_bytes),
            layout: None,
            damage: Vec::new(),
            next_id: 0,
        };
        let mut store =
            Self { root, config, report: OpenReport::default(), inner: Mutex::new(inner), _lock: lock };
        for part in [Part::Protected, Part::Fifo] {
            store.read_folder(part)?;
        }
        let damaged = store.lock().damage.len();
        store.report.damaged = damaged;
        // The ids of files set aside are not given out again, so that names there never collide.
        let damaged = files::damaged_dir(&store.root);
        if damaged.is_dir() {
            let ids = files::scan(&damaged)?.ids;
            let mut inner = store.lock();
            inner.next_id = ids.last().map_or(0, |id| id.saturating_add(1)).max(inner.next_id);
        }
        Ok(store)
    }

    fn read_folder(&mut self, part: Part) -> Result<(), ReplayError> {
        let scan = files::scan(&files::part_dir(&self.root, part))?;
        self.report.temp_files += scan.temp_files;
        self.report.foreign += scan.foreign;
        for id in scan.ids {
            let path = files::path(&self.root, part, id);
            let read = files::summary(&path, id);
            let mut inner = self.lock();
            inner.next_id = inner.next_id.max(id.saturating_add(1));
            match read {
                Ok((entry, layout)) => {
                    self.adopt_layout(&mut inner, &Arc::new(layout), &path)?;
                    inner.index.insert(part, entry);
                }
                Err(e) => self.handle_damage(&mut inner, part, id, e)?,
            }
        }
        Ok(())
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

    /// Stores a trajectory in the FIFO part and returns its id. Ids ascend.
    ///
    /// # Errors
    /// When the trajectory is empty or of another layout than the store's, or the file cannot be
    /// written, for example because the disk is full; then nothing of it is left, and all earlier
    /// trajectories stay readable.
    pub fn append(&self, trajectory: &Trajectory) -> Result<u64, ReplayError> {
        self.append_to(Part::Fifo, trajectory)
    }

    /// Stores a trajectory that is never dropped.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_protected(&self, trajectory: &Trajectory) -> Result<u64, ReplayError> {
        self.append_to(Part::Protected, trajectory)
    }

    fn append_to(&self, part: Part, trajectory: &Trajectory) -> Result<u64, ReplayError> {
        if trajectory.is_empty() {
            return Err(ReplayError::Unstorable(FormatError::Empty));
        }
        let id = {
            let mut inner = self.lock();
            self.adopt_layout(&mut inner, trajectory.layout(), &self.root)?;
            inner.next_id += 1;
            inner.next_id - 1
        };
        // The lock is free while the file is written: sampling goes on.
        let bytes = encode(trajectory);
        files::publish(&files::part_dir(&self.root, part), &files::name(id), &bytes, self.config.sync)?;
        let entry = Entry { id, bytes: bytes.len() as u64, transitions: trajectory.len() };
        self.lock().index.insert(part, entry);
        Ok(id)
    }

    /// Moves a FIFO trajectory to the protected part.
    ///
    /// # Errors
    /// When no FIFO trajectory has this id, or the file cannot be moved.
    pub fn protect(&self, id: u64) -> Result<(), ReplayError> {
        let mut inner = self.lock();
        let unknown = || ReplayError::UnknownId { dir: self.root.clone(), id };
        let entry = inner.index.remove(Part::Fifo, id).ok_or_else(unknown)?;
        let (from, to) =
            (files::path(&self.root, Part::Fifo, id), files::path(&self.root, Part::Protected, id));
        let moved = fs::rename(&from, &to).map_err(ReplayError::io(&from));
        inner.index.insert(if moved.is_ok() { Part::Protected } else { Part::Fifo }, entry);
        moved
    }

    /// Drops the oldest FIFO trajectories until the FIFO part is within both limits, and returns
    /// how many were dropped. Protected ones neither count nor go.
    ///
    /// # Errors
    /// When a file cannot be removed; those before it are gone.
    pub fn enforce_limit(&self) -> Result<usize, ReplayError> {
        let mut inner = self.lock();
        let mut dropped = 0;
        while let Some(oldest) = inner.index.fifo.oldest() {
            let fifo = &inner.index.fifo;
            let over = self.config.max_trajectories.is_some_and(|n| fifo.len() > n)
                || self.config.max_bytes.is_some_and(|n| fifo.bytes > n);
            if !over {
                break;
            }
            let path = files::path(&self.root, Part::Fifo, oldest.id);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(ReplayError::io(&path)(e)),
                _ => {}
            }
            inner.index.remove(Part::Fifo, oldest.id);
            inner.cache.remove(oldest.id);
            dropped += 1;
        }
        Ok(dropped)
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
