//! Datasets that others have recorded, as trajectories: those of Minari, `.npz` folders of the original, and replay
//! folders of our own. All of them become a [`Store`] that is only read, one episode at a time.
//!
//! A crate of its own, so that `amago-replay`, which every program with a policy needs, does not bring along decoders of
//! HDF5, Arrow and JPEG. Like that crate it never links burn.
//!
//! ```no_run
//! use amago_replay::StoreConfig;
//!
//! let dataset = amago_dataset::open("datasets/D4RL/pen/human-v2".as_ref(), StoreConfig::default())?;
//! let info = dataset.info(&mut |_, _| true)?;
//! println!("{}: {} episodes, mean return {:?}", dataset.format, info.episodes, info.returns.mean());
//! # Ok::<(), amago_dataset::DatasetError>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod convert;
mod error;
mod info;
mod minari;
mod spaces_file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amago_env::{DictSpace, Space};
use amago_replay::{Layout, Part, ReplayError, Spaces, Store, StoreConfig};

pub use convert::{Converted, convert};
pub use error::{DatasetError, EpisodeError};
pub use info::{Info, Range};
use minari::Minari;

/// What kind of dataset a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own replay folder.
    Replay,
    /// `.npz` files of the original.
    Npz,
    /// A dataset of Minari in HDF5.
    MinariHdf5,
    /// A dataset of Minari in Arrow.
    MinariArrow,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Replay => "replay folder",
            Format::Npz => ".npz files of the original",
            Format::MinariHdf5 => "Minari (HDF5)",
            Format::MinariArrow => "Minari (Arrow)",
        })
    }
}

/// An opened dataset.
#[derive(Debug)]
pub struct Dataset {
    /// What it is.
    pub format: Format,
    /// Its trajectories.
    pub store: Store,
    /// The spaces that it names; `.npz` files and replay folders of runs do not name any.
    pub spaces: Option<Spaces>,
    clipped: Arc<AtomicU64>,
}

/// Opens a dataset of any kind to read it: a Minari dataset (the folder that holds `data`, or `data` itself), a replay
/// folder, or a folder of `.npz` files of the original. Nothing in it changes. Damaged episodes are left out, see
/// [`Store::damage`].
///
/// # Errors
/// When the path is no dataset, or its description cannot be understood.
pub fn open(path: &Path, config: StoreConfig) -> Result<Dataset, DatasetError> {
    std::fs::metadata(path).map_err(DatasetError::io(path))?;
    if let Some(data) = minari::data_folder(path) {
        let minari = Minari::open(&data)?;
        let (format, spaces, clipped) = (minari.format(), Some(minari.spaces().clone()), minari.clipped());
        let store = Store::over(path, Box::new(minari), config)?;
        return Ok(Dataset { format, store, spaces, clipped });
    }
    let store = Store::read(path, config).map_err(|error| match error {
        ReplayError::NotADataset { dir } => DatasetError::Unknown(dir),
        ReplayError::Io { path: at, cause }
            if at == path && cause.kind() == std::io::ErrorKind::NotADirectory =>
        {
            DatasetError::Unknown(at)
        }
        other => other.into(),
    })?;
    let foreign = store.ids().iter().any(|id| id.part == Part::Foreign);
    let format = if foreign { Format::Npz } else { Format::Replay };
    let spaces = spaces_file::read(path)?;
    Ok(Dataset { format, store, spaces, clipped: Arc::default() })
}

/// The spaces that a dataset names, without a look at its episodes.
///
/// # Errors
/// As [`open`], but not for a path that is no dataset: that names no spaces.
pub fn spaces(path: &Path) -> Result<Option<Spaces>, DatasetError> {
    std::fs::metadata(path).map_err(DatasetError::io(path))?;
    match minari::data_folder(path) {
        Some(data) => minari::spaces(&data).map(Some),
        None => spaces_file::read(path),
    }
}

impl Dataset {
    /// Steps read so far whose action lay beyond the bounds of its space. They were brought to the bounds, as
    /// environments do.
    pub fn clipped(&self) -> u64 {
        self.clipped.load(Ordering::Relaxed)
    }

    /// The spaces, or where it names none the layout of its columns.
    pub fn describe(&self) -> String {
        match (&self.spaces, self.store.layout()) {
            (Some(spaces), _) => describe(spaces),
            (None, Some(layout)) => layout.to_string(),
            (None, None) => "nothing readable".to_owned(),
        }
    }

    /// Its trajectories for a task: whatever is outside the task's spaces counts as damaged from now on. `wanted_by`
    /// names the task in an error. Bounds of observations may differ, because they do not change what a number means;
    /// those of actions may not, because actions are stored relative to them.
    ///
    /// # Errors
    /// When its spaces are not those of the task, or where it names none the layout of its columns; names both.
    pub fn for_task(self, task: Spaces, wanted_by: &str) -> Result<Store, DatasetError> {
        let (path, wanted_by) = (self.store.dir().to_owned(), wanted_by.to_owned());
        if let Some(spaces) = self.spaces.as_ref().filter(|spaces| !alike(spaces, &task)) {
            let (found, wanted) = (describe(spaces), describe(&task));
            return Err(DatasetError::Spaces { path, found, wanted_by, wanted });
        }
        self.store.keep_to(task).map_err(|error| match error {
            ReplayError::Layout { found, expected: wanted, .. } => {
                DatasetError::Spaces { path, found, wanted_by, wanted }
            }
            other => other.into(),
        })
    }
}

/// Spaces in words.
fn describe(spaces: &Spaces) -> String {
    format!("observations {} and actions {}", spaces.observation(), spaces.action())
}

/// Whether what is recorded with one can be learned from with the other.
fn alike(a: &Spaces, b: &Spaces) -> bool {
    let kinds = |space: &DictSpace| space.0.values().map(kind).collect::<Vec<_>>();
    let layouts: [&Arc<Layout>; 2] = [a.layout(), b.layout()];
    layouts[0] == layouts[1] && kinds(a.observation()) == kinds(b.observation()) && a.action() == b.action()
}

/// A space without its bounds.
fn kind(space: &Space) -> Space {
    match space {
        Space::Box(b) => Space::Box(amago_env::BoxSpace { low: Vec::new(), high: Vec::new(), ..b.clone() }),
        other => other.clone(),
    }
}
