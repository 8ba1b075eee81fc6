//! What can go wrong with datasets.

use std::path::{Path, PathBuf};

use amago_replay::ReplayError;
use arrow_schema::ArrowError;

/// A dataset that cannot be used. A message is whole: it ends with its cause.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A path that is no dataset of any kind.
    #[error(
        "{}: not a dataset: looked for a Minari dataset (data/metadata.json), a replay folder (buffer/ and \
         protected/) and .npz files of the original (in the folder, or in buffer/, protected/ or fifo/ in it)",
        .0.display()
    )]
    Unknown(PathBuf),
    /// A file that cannot be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A description of a dataset that cannot be understood.
    #[error("{}: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of episodes that cannot be opened.
    #[error("{}: {cause}", path.display())]
    Episodes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: EpisodeError,
    },
    /// A dataset of other spaces than those that are wanted.
    #[error("{}: the dataset has {found}, but {wanted_by} has {wanted}", path.display())]
    Spaces {
        /// The dataset.
        path: PathBuf,
        /// Its spaces.
        found: String,
        /// Who wants others.
        wanted_by: String,
        /// Those.
        wanted: String,
    },
    /// The target of a conversion is there already.
    #[error("{} exists: choose another folder or remove it", .0.display())]
    Exists(PathBuf),
    /// Nothing was left to write.
    #[error("{}: no episode could be read; the last: {last}", path.display())]
    NothingReadable {
        /// The dataset.
        path: PathBuf,
        /// Why the last one could not.
        last: String,
    },
    /// Replay failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl DatasetError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |cause| Self::Io { path, cause }
    }

    pub(crate) fn metadata(path: &Path, reason: impl Into<String>) -> Self {
        Self::Metadata { path: path.to_owned(), reason: reason.into() }
    }
}

/// One way in which an episode cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EpisodeError {
    /// Broken HDF5.
    #[error(transparent)]
    Hdf5(#[from] hdf5_reader::error::Error),
    /// Broken Arrow.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// What was found wrong when the episodes were listed.
    #[error("{0}")]
    Listing(String),
    /// Lengths or places in the file that contradict each other.
    #[error("the file contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A column that is not there.
    #[error("there is no \"{0}\"")]
    Missing(String),
    /// A column of a type that its space does not have.
    #[error("\"{name}\" is of the type {found}, not {expected}")]
    Type {
        /// Its name.
        name: String,
        /// Its type.
        found: String,
        /// What its space asks for.
        expected: &'static str,
    },
    /// A column of another length than it should have.
    #[error("\"{name}\" has {got} numbers, not {expected}")]
    Length {
        /// Its name.
        name: String,
        /// Numbers it has.
        got: usize,
        /// Numbers by the number of steps and the space.
        expected: usize,
    },
    /// A value that its space does not hold.
    #[error("row {row} of \"{name}\" is {value}, which {space} does not hold")]
    OutOfSpace {
        /// Name of the column.
        name: String,
        /// Row.
        row: usize,
        /// The value.
        value: f64,
        /// The space.
        space: String,
    },
    /// A missing value.
    #[error("\"{0}\" has missing values")]
    Null(String),
    /// An image that is not as its space says.
    #[error("image {row} of \"{name}\" {reason}")]
    Image {
        /// Name of the column.
        name: String,
        /// Row.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No steps.
    #[error("the episode has no steps")]
    Empty,
    /// More than an episode may need.
    #[error("the episode needs more than {limit} bytes")]
    TooLarge {
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The decoder of the format gave up on a file that it did not expect.
    #[error("the decoder failed: {0}")]
    Panicked(String),
    /// The file cannot be read at all.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}
