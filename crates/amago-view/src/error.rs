//! What can go wrong when runs are looked at.

use std::path::{Path, PathBuf};

/// Why something cannot be shown. A message is whole: it ends with the cause.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// A file could not be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing has this name.
    #[error("no run has the metric \"{name}\"; they have {known}")]
    NoMetric {
        /// The name asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A film without pictures, or of pictures that do not fit together.
    #[error("cannot make a film: {0}")]
    Film(String),
}

impl ViewError {
    /// Wraps an I/O error with the path it happened at.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |cause| ViewError::Io { path, cause }
    }

    /// A file that is not what it should be.
    pub(crate) fn format(path: &Path, reason: impl ToString) -> Self {
        ViewError::Format { path: path.to_owned(), reason: reason.to_string() }
    }
}
