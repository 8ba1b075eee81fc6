//! Opening a folder, and looking at it again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::cache::Cache;
use super::files::{self, Head, Scan};
use super::index::{Entry, Index, Part, TrajectoryId};
use super::{Inner, OpenReport, Snapshot, Store, StoreConfig};
use crate::{EpisodeHead, Episodes, Layout, ReplayError, Spaces, npz};

impl Store {
    /// Opens a folder, creating what is missing, and reads the headers of all trajectories.
    ///
    /// # Errors
    /// When the folder cannot be used or holds symbolic links, another live store uses it, or it holds trajectories of
    /// different layouts or of another format version. Damaged files are set aside.
    pub fn open(dir: impl AsRef<Path>, config: StoreConfig) -> Result<Self, ReplayError> {
        Self::open_at(dir.as_ref(), config, None)
    }

    /// Opens a folder to draw from it only: nothing in it changes, and others may use it at the same time.
    /// Damaged files are left out, and stay where they are. What others add is found by [`Store::refresh`].
    ///
    /// The folder is that of another store, or one of `.npz` files as the original saves them: in the folder itself,
    /// in `fifo`, `buffer` or `protected`, or in `buffer/fifo` and `buffer/protected`.
    ///
    /// # Errors
    /// As [`Store::open`], and when there is no such folder.
    pub fn read(dir: impl AsRef<Path>, config: StoreConfig) -> Result<Self, ReplayError> {
        Self::empty(dir.as_ref(), config, None).filled(None)
    }

    /// A store that draws from episodes of another format, which are in this folder. Damaged ones are left out.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use amago_env::{DictSpace, Space};
    /// use amago_replay::{Columns, EpisodeHead, Episodes, Layout, ReplayError, Store, StoreConfig, Trajectory};
    ///
    /// /// Two steps in a corridor, as many times as you like.
    /// #[derive(Debug)]
    /// struct Corridor(Arc<Layout>);
    ///
    /// impl Episodes for Corridor {
    ///     fn layout(&self) -> &Arc<Layout> {
    ///         &self.0
    ///     }
    ///     fn len(&self) -> usize {
    ///         7
    ///     }
    ///     fn head(&self, _: usize) -> Result<EpisodeHead, ReplayError> {
    ///         Ok(EpisodeHead { path: "corridor".into(), bytes: 100, transitions: 2 })
    ///     }
    ///     fn read(&self, _: usize) -> Result<Trajectory, ReplayError> {
    ///         let columns = Columns {
    ///             obs: vec![amago_env::Column::F32(vec![0.0, 0.5, 1.0])],
    ///             actions: vec![0.0, 1.0, 0.0, 1.0],
    ///             rewards: vec![0.0, 1.0],
    ///             terminals: vec![false, true],
    ///             start_time: 0,
    ///             first_prev: vec![0.0; 3],
    ///         };
    ///         Trajectory::new(self.0.clone(), columns)
    ///     }
    /// }
    ///
    /// let place = DictSpace::single(Space::box_f32(&[1], 0.0, 1.0));
    /// let corridor = Corridor(Arc::new(Layout::new(&place, &Space::Discrete { n: 2 })));
    /// let store = Store::over(".", Box::new(corridor), StoreConfig::default())?;
    /// assert_eq!((store.len(), store.transitions()), (7, 14));
    /// # Ok::<(), ReplayError>(())
    /// ```
    ///
    /// # Errors
    /// When the head of an episode cannot be read for a reason that is not damage.
    pub fn over(
        dir: impl AsRef<Path>,
        episodes: Box<dyn Episodes>,
        config: StoreConfig,
    ) -> Result<Self, ReplayError> {
        let mut store = Self::empty(dir.as_ref(), config, None);
        {
            let mut inner = store.lock();
            inner.layout = Some(episodes.layout().clone());
            for number in 0..episodes.len() {
                match episodes.head(number) {
                    Ok(EpisodeHead { path, bytes, transitions }) => {
                        let id = number as u64;
                        inner.index.insert(Part::Foreign, Entry { id, bytes, transitions });
                        inner.foreign.insert(id, path);
                    }
                    Err(error) => store.leave_out(&mut inner, dir.as_ref().to_owned(), error)?,
                }
            }
        }
        store.report.damaged = store.damage().len();
        store.episodes = Some(episodes);
        Ok(store)
    }

    /// Checks every trajectory that is read from now on against the spaces of a task. Files with others count as
    /// damaged.
    ///
    /// # Errors
    /// When the trajectories that are here have another layout.
    pub fn keep_to(mut self, spaces: Spaces) -> Result<Self, ReplayError> {
        let mut inner = self.lock();
        if let Some(found) = inner.layout.as_ref().filter(|found| *found != spaces.layout()) {
            let (expected, found) = (spaces.layout().to_string(), found.to_string());
            return Err(ReplayError::Layout { path: self.root.clone(), expected, found });
        }
        inner.layout = Some(spaces.layout().clone());
        drop(inner);
        self.spaces = Some(spaces);
        Ok(self)
    }

    pub(super) fn open_at(
        root: &Path,
        config: StoreConfig,
        at: Option<&Snapshot>,
    ) -> Result<Self, ReplayError> {
        if root.is_dir() {
            files::refuse_links(root)?;
        }
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
            foreign: BTreeMap::new(),
        };
        let (root, report) = (root.to_owned(), OpenReport::default());
        Self { root, config, report, spaces: None, episodes: None, inner: Mutex::new(inner), writer }
    }

    fn filled(mut self, at: Option<&Snapshot>) -> Result<Self, ReplayError> {
        let scan = self.read_folders()?;
        self.report.temp_files = scan.temp_files;
        self.report.foreign = scan.foreign;
        if let Some(snapshot) = at {
            let missing = self.lock().go_back(snapshot);
            self.report.missing = missing;
        }
        let damaged = self.lock().damage.len();
        self.report.damaged = damaged;
        // The ids of files set aside are not given out again, so that names there never collide.
        let damaged = files::damaged_dir(&self.root);
        if damaged.is_dir() && at.is_none() {
            let ids = files::scan(&damaged, false)?.ids;
            let mut inner = self.lock();
            inner.next_id = ids.last().map_or(0, |id| id.saturating_add(1)).max(inner.next_id);
        }
        Ok(self)
    }

    /// Looks again at a folder that others write to: from now on what came is drawn too, and what went is not.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn refresh(&self) -> Result<(), ReplayError> {
        match self.episodes {
            // They are what they were when they were opened.
            Some(_) => Ok(()),
            None => self.read_folders().map(drop),
        }
    }

    /// Makes the index that of the folder.
    fn read_folders(&self) -> Result<Scan, ReplayError> {
        let foreign = self.writer.is_none() && self.read_npz_files()?;
        let mut all = Scan::default();
        let parts = [Part::Protected, Part::Fifo].map(|part| (part, files::part_dir(&self.root, part)));
        let missing = |dir: &Path| fs::metadata(dir).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        if !foreign && self.root.is_dir() && parts.iter().all(|(_, dir)| missing(dir)) {
            return Err(ReplayError::NotADataset { dir: self.root.clone() });
        }
        for (part, dir) in parts {
            if foreign && missing(&dir) {
                self.lock().keep_only(part, &[]);
                continue;
            }
            let scan = self.read_folder(part)?;
            all.temp_files += scan.temp_files;
            all.foreign += scan.foreign;
        }
        Ok(all)
    }

    /// Makes one part of the index that of its folder. Files that were found damaged are not looked at again.
    fn read_folder(&self, part: Part) -> Result<Scan, ReplayError> {
        let own = self.writer.is_some();
        let scan = files::scan(&files::part_dir(&self.root, part), own)?;
        self.lock().keep_only(part, &scan.ids);
        for &id in &scan.ids {
            let path = files::path(&self.root, part, id);
            if self.lock().knows(TrajectoryId { part, number: id }, &path) {
                continue;
            }
            let head = Head::read(&path, own);
            let mut inner = self.lock();
            inner.next_id = inner.next_id.max(id.saturating_add(1));
            match head {
                Ok(Head { header, len, .. }) => {
                    self.adopt_layout(&mut inner, &Arc::new(header.layout), &path)?;
                    inner.index.insert(part, Entry { id, bytes: len, transitions: header.transitions });
                }
                Err(e) => self.handle_damage(&mut inner, TrajectoryId { part, number: id }, e)?,
            }
        }
        Ok(scan)
    }

    /// Makes the index of the original's files that of the folder, in the order of their names, whatever came when: a
    /// folder must mean the same after a restart. Tells whether there are any.
    fn read_npz_files(&self) -> Result<bool, ReplayError> {
        let present = files::npz_files(&self.root)?;
        let (mut known, damaged): (BTreeMap<PathBuf, Entry>, Vec<PathBuf>) = {
            let inner = self.lock();
            let known =
                inner.index.foreign.iter().map(|entry| (inner.foreign[&entry.id].clone(), *entry)).collect();
            (known, inner.damage.iter().map(|d| d.path.clone()).collect())
        };
        let any = !present.is_empty();
        let wanted: Vec<PathBuf> = present.into_iter().filter(|path| !damaged.contains(path)).collect();
        if known.keys().eq(&wanted) {
            return Ok(any);
        }
        let mut entries = Vec::new();
        for path in wanted {
            let entry = match known.remove(&path) {
                Some(entry) => Ok(entry),
                None => npz::summary(&path).and_then(|summary| {
                    self.adopt_layout(&mut self.lock(), &Arc::new(summary.layout), &path)?;
                    Ok(Entry { id: 0, bytes: summary.bytes, transitions: summary.transitions })
                }),
            };
            match entry {
                Ok(entry) => entries.push((path, entry)),
                Err(error) => self.leave_out(&mut self.lock(), path, error)?,
            }
        }
        // New numbers for all: what was drawn by an old one in the meantime is drawn again.
        let mut inner = self.lock();
        inner.keep_only(Part::Foreign, &[]);
        inner.foreign.clear();
        for (path, entry) in entries {
            let id = inner.take_id();
            inner.index.insert(Part::Foreign, Entry { id, ..entry });
            inner.foreign.insert(id, path);
        }
        Ok(any)
    }

    /// The store's layout: the first one seen. Every other must be equal.
    pub(super) fn adopt_layout(
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
}
