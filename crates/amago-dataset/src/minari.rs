//! Datasets of Minari (<https://minari.farama.org>), as its versions from 0.5 on write them.
//!
//! | file | content |
//! |---|---|
//! | `data/metadata.json` | `data_format`, and both spaces as JSON in strings |
//! | `data/main_data.hdf5` | where the format is `hdf5`: a group `episode_N` for each |
//! | `data/N/part-0.arrow` | where it is `arrow`: one Arrow IPC file for each |
//!
//! An episode of `T` steps has `T + 1` observations. In HDF5 dictionaries are groups; in Arrow they are structs, and all
//! other columns are padded to `T + 1` rows.

mod arrow;
mod encode;
mod episode;
mod hdf5;
mod jpeg;
mod metadata;
mod space;
mod values;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amago_replay::{EpisodeHead, Episodes, Layout, ReplayError, Spaces, Trajectory};

use crate::{DatasetError, EpisodeError, Format};
use episode::Task;
use metadata::{DataFormat, Metadata};

/// Most bytes of one episode, as in `read_npz`.
const MAX_EPISODE: usize = 1 << 30;

/// A dataset of Minari.
#[derive(Debug)]
pub(crate) struct Minari {
    task: Task,
    files: Files,
    clipped: Arc<AtomicU64>,
}

/// How the episodes are stored.
#[derive(Debug)]
enum Files {
    Hdf5(hdf5::File),
    Arrow(arrow::Folder),
}

/// The folder with `metadata.json`, if the path is a dataset of Minari or the folder `data` of one.
pub(crate) fn data_folder(path: &Path) -> Option<PathBuf> {
    [path.join("data"), path.to_owned()].into_iter().find(|dir| dir.join(metadata::FILE).is_file())
}

/// The spaces in the metadata of a folder that [`data_folder`] has found.
pub(crate) fn spaces(data: &Path) -> Result<Spaces, DatasetError> {
    Ok(Metadata::read(&data.join(metadata::FILE))?.task.spaces)
}

impl Minari {
    /// Opens the folder that [`data_folder`] has found.
    pub fn open(data: &Path) -> Result<Self, DatasetError> {
        let Metadata { format, task } = Metadata::read(&data.join(metadata::FILE))?;
        let files = match format {
            DataFormat::Hdf5 => Files::Hdf5(hdf5::File::open(&data.join(hdf5::FILE))?),
            DataFormat::Arrow => Files::Arrow(arrow::Folder::open(data)?),
        };
        Ok(Self { task, files, clipped: Arc::default() })
    }

    /// How its episodes are stored.
    pub fn format(&self) -> Format {
        match self.files {
            Files::Hdf5(_) => Format::MinariHdf5,
            Files::Arrow(_) => Format::MinariArrow,
        }
    }

    /// What its metadata say.
    pub fn spaces(&self) -> &Spaces {
        &self.task.spaces
    }

    /// Counts the steps read whose action had to be brought into its bounds.
    pub fn clipped(&self) -> Arc<AtomicU64> {
        self.clipped.clone()
    }

    fn path(&self, i: usize) -> PathBuf {
        match &self.files {
            Files::Hdf5(file) => file.path().to_owned(),
            Files::Arrow(folder) => folder.path(i),
        }
    }

    fn number(&self, i: usize) -> u64 {
        match &self.files {
            Files::Hdf5(file) => file.number(i),
            Files::Arrow(folder) => folder.number(i),
        }
    }

    fn fault(&self, i: usize, cause: EpisodeError) -> ReplayError {
        match cause {
            // Has the path already, and may not be the file's fault.
            EpisodeError::Replay(error) => error,
            cause => {
                let cause = format!("episode {}: {cause}", self.number(i)).into();
                ReplayError::Episode { path: self.path(i), cause }
            }
        }
    }
}

impl Episodes for Minari {
    fn layout(&self) -> &Arc<Layout> {
        self.task.spaces.layout()
    }

    fn len(&self) -> usize {
        match &self.files {
            Files::Hdf5(file) => file.len(),
            Files::Arrow(folder) => folder.len(),
        }
    }

    fn head(&self, i: usize) -> Result<EpisodeHead, ReplayError> {
        let (bytes, transitions) = match &self.files {
            Files::Hdf5(file) => file.head(i),
            Files::Arrow(folder) => folder.head(i),
        }
        .map_err(|cause| self.fault(i, cause))?;
        match transitions {
            0 => Err(self.fault(i, EpisodeError::Empty)),
            _ => Ok(EpisodeHead { path: self.path(i), bytes, transitions }),
        }
    }

    fn read(&self, i: usize) -> Result<Trajectory, ReplayError> {
        let columns = match &self.files {
            Files::Hdf5(file) => file.read(i, &self.task),
            Files::Arrow(folder) => folder.read(i, &self.task),
        };
        let (columns, clipped) = columns.map_err(|cause| self.fault(i, cause))?;
        self.clipped.fetch_add(clipped, Ordering::Relaxed);
        Trajectory::new(self.layout().clone(), columns).map_err(|error| match error {
            ReplayError::Unstorable(cause) => {
                let cause = format!("episode {}: {cause}", self.number(i)).into();
                ReplayError::Episode { path: self.path(i), cause }
            }
            other => other,
        })
    }
}

/// Numbers in the names `PREFIX N` of a folder or a group, ascending; other names are somebody else's.
fn numbered(names: impl Iterator<Item = String>, prefix: &str) -> Vec<u64> {
    let number = |name: String| {
        let digits = name.strip_prefix(prefix)?;
        // "+1" and "01" parse as well, and would be read under another name.
        digits.parse().ok().filter(|n: &u64| n.to_string() == digits)
    };
    let mut numbers: Vec<u64> = names.filter_map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// A decoder's panic as an error: what comes from a file must not end a run.
fn contained<T>(f: impl FnOnce() -> Result<T, EpisodeError>) -> Result<T, EpisodeError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        .unwrap_or_else(|payload| Err(EpisodeError::Panicked(amago_env::guard::panic_message(payload))))
}

/// All bytes of a regular file, and no more than an episode may need.
fn bytes(path: &Path, limit: usize) -> Result<Vec<u8>, EpisodeError> {
    use std::io::Read;
    let (file, len) = amago_replay::open_file(path)?;
    if len > limit as u64 {
        return Err(EpisodeError::TooLarge { limit });
    }
    let mut all = Vec::new();
    let read = file.take(limit as u64).read_to_end(&mut all);
    read.map_err(|cause| ReplayError::Io { path: path.to_owned(), cause })?;
    Ok(all)
}

/// The names in a folder.
fn names(dir: &Path) -> Result<Vec<String>, DatasetError> {
    let items = fs::read_dir(dir).map_err(DatasetError::io(dir))?;
    let name = |item: std::io::Result<fs::DirEntry>| Ok(item?.file_name().to_string_lossy().into_owned());
    items.map(name).collect::<std::io::Result<_>>().map_err(DatasetError::io(dir))
}
