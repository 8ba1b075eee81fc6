//! What can go wrong in replay.

use std::path::{Path, PathBuf};

use amago_env::ActionError;

use crate::{NpzError, RelabelError};

/// One way in which the bytes of a trajectory file can be broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file ends before its contents do.
    #[error("the file has {got} bytes but needs {needed}")]
    TooShort {
        /// Bytes the file needs by what it says of itself.
        needed: u64,
        /// Bytes it has.
        got: u64,
    },
    /// The file goes on after its contents.
    #[error("the file has {got} bytes, {} more than it says", got - expected)]
    TrailingBytes {
        /// Bytes by what the file says of itself.
        expected: u64,
        /// Bytes it has.
        got: u64,
    },
    /// Not a trajectory file.
    #[error("the file does not begin with the magic of a trajectory file")]
    BadMagic,
    /// An intact file of another version of the format.
    #[error("the file has format version {found}, this program reads version {supported}")]
    UnsupportedVersion {
        /// Version of the file.
        found: u32,
        /// Version this program reads.
        supported: u32,
    },
    /// The bytes changed after they were written.
    #[error("the checksum of the {part} is {computed:08x}, the file says {stored:08x}")]
    Checksum {
        /// Which part: header or body.
        part: &'static str,
        /// Checksum in the file.
        stored: u32,
        /// Checksum of the bytes.
        computed: u32,
    },
    /// Lengths that contradict each other or the size of the file.
    #[error("the lengths in the file disagree: {0}")]
    Lengths(&'static str),
    /// An observation column of an unknown type.
    #[error("column {column} has the unknown type {code}")]
    BadDtype {
        /// Column number.
        column: u64,
        /// Type code in the file.
        code: u8,
    },
    /// An observation key that is not text.
    #[error("the key of column {0} is not UTF-8")]
    BadKey(u64),
    /// Observation keys that are not in ascending order.
    #[error("the key of column {0} does not come after the one before it")]
    KeyOrder(u64),
    /// A terminal signal that is neither 0 nor 1.
    #[error("terminal {index} is {value}, neither 0 nor 1")]
    BadTerminal {
        /// Row.
        index: usize,
        /// Byte in the file.
        value: u8,
    },
    /// A first time index that is negative, or so large that the last one exceeds 2^31 - 1.
    #[error("the first time index {0} is out of range")]
    BadStartTime(i64),
    /// NaN or infinity.
    #[error("number {index} of the {column} is not finite")]
    NotFinite {
        /// Which column.
        column: String,
        /// Place in it, from 0.
        index: usize,
    },
    /// An observation or an action that the task's spaces do not hold.
    #[error("{what} of step {row} is outside its space {space}")]
    OutOfSpace {
        /// Which one.
        what: String,
        /// Row.
        row: usize,
        /// The space.
        space: String,
    },
    /// An action that the action mask of its observation forbids.
    #[error("the action of step {row} is one that its action mask forbids")]
    ForbiddenAction {
        /// Row.
        row: usize,
    },
    /// A trajectory that is too long to be read back into memory.
    #[error(
        "the trajectory needs {bytes} bytes, more than the {limit} that one may (replay.traj_save_len cuts)"
    )]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// A trajectory without transitions.
    #[error("the trajectory has no transitions")]
    Empty,
}

/// Any failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The operating system refused, for example because the disk is full.
    #[error("{}: {cause}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A broken trajectory file.
    #[error("{}: {cause}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is broken.
        cause: FormatError,
    },
    /// A folder, pipe, socket or device in the place of a file, which might never end.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// A symbolic link inside a folder that is written to: what it points to belongs to somebody else.
    #[error("{}: a symbolic link, which a folder that is written to must not hold", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A folder without anything to learn from.
    #[error("{}: neither a replay folder (buffer/ and protected/) nor a folder of .npz files", dir.display())]
    NotADataset {
        /// The folder.
        dir: PathBuf,
    },
    /// The store was opened to draw from it only.
    #[error("{} was opened for reading only", dir.display())]
    ReadOnly {
        /// Its folder.
        dir: PathBuf,
    },
    /// A trajectory of other spaces than the rest of the store.
    #[error("{}: the layout is {found}, the store's is {expected}", path.display())]
    Layout {
        /// The file, or the store's folder when the trajectory is not a file yet.
        path: PathBuf,
        /// Layout of the store.
        expected: String,
        /// Layout of the trajectory.
        found: String,
    },
    /// An observation that does not fit the layout of the builder.
    #[error("the observation does not fit the layout {expected}")]
    Observation {
        /// Layout of the builder.
        expected: String,
    },
    /// NaN or infinity, which would spoil training for as long as the trajectory is kept.
    #[error("{what} is {value}, not a finite number")]
    NotFinite {
        /// Which number.
        what: String,
        /// Its value.
        value: f32,
    },
    /// An illegal action.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// A step was pushed before the first observation.
    #[error("a step was pushed to a trajectory that was not started")]
    NotStarted,
    /// Columns whose lengths do not fit their layout.
    #[error("{column} has {got} entries, the layout needs {expected}")]
    Columns {
        /// Which column.
        column: String,
        /// Entries it has.
        got: usize,
        /// Entries needed.
        expected: usize,
    },
    /// A trajectory without transitions, too large, or with a time index out of range, cannot be stored.
    #[error("the trajectory cannot be stored: {0}")]
    Unstorable(FormatError),
    /// An `.npz` file that is not a trajectory.
    #[error("{}: {cause}", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<NpzError>,
    },
    /// An episode of another format that cannot be read.
    #[error("{}: {cause}", path.display())]
    Episode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A trajectory that cannot be relabelled.
    #[error(transparent)]
    Relabel(#[from] RelabelError),
    /// Another holder of its lock, perhaps in another process, works on the folder.
    #[error("{}: in use by another process or handle", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// Nothing was stored yet.
    #[error("{}: the store is empty", dir.display())]
    EmptyStore {
        /// Folder of the store.
        dir: PathBuf,
    },
    /// Every trajectory turned out to be damaged.
    #[error("{}: no readable trajectory is left, {damaged} were damaged; last: {last}", dir.display())]
    NothingReadable {
        /// Folder of the store.
        dir: PathBuf,
        /// Number of damaged files met.
        damaged: usize,
        /// Path and reason of the last one.
        last: String,
    },
}

impl ReplayError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| ReplayError::Io { path, cause }
    }

    pub(crate) fn format(path: &Path) -> impl FnOnce(FormatError) -> Self {
        let path = path.to_owned();
        move |cause| ReplayError::Format { path, cause }
    }
}
