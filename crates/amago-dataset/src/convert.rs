//! From any dataset to a replay folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use amago_replay::{Store, StoreConfig};
use tempfile::TempDir;

use crate::{DatasetError, open, spaces_file};

/// What a conversion has done.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// Trajectories written.
    pub episodes: usize,
    /// Their transitions.
    pub steps: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What could not be read and was left out, with reasons.
    pub damaged: Vec<String>,
    /// Steps whose action was brought to its bounds.
    pub clipped: u64,
    /// Whether it was stopped; then nothing was left of it.
    pub stopped: bool,
}

/// Makes a replay folder from a dataset of any kind, beside its later place, and moves it there when it is whole. Where
/// the dataset names its spaces, they are put beside the trajectories as `spaces.toml`. `go_on` is told after each how
/// many of how many trajectories were read, and says whether to go on.
///
/// # Errors
/// When the target exists, nothing can be read, or nothing can be written; then nothing is left of it.
pub fn convert(
    from: &Path,
    to: &Path,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Converted, DatasetError> {
    // A link that leads nowhere is there as well.
    if fs::symlink_metadata(to).is_ok() {
        return Err(DatasetError::Exists(to.to_owned()));
    }
    let dataset = open(from, StoreConfig { cache_bytes: 0, ..StoreConfig::default() })?;
    let making = beside(to)?;
    // A temporary folder is for its owner alone; one that is made in it has the rights that any folder gets.
    let folder = making.path().join("replay");
    let target = Store::open(&folder, StoreConfig { cache_bytes: 0, ..StoreConfig::default() })?;
    let ids = dataset.store.ids();
    let mut stopped = false;
    for (done, id) in ids.iter().enumerate() {
        if let Some(trajectory) = dataset.store.get(*id)? {
            target.append(&trajectory)?;
        }
        if !go_on(done + 1, ids.len()) {
            stopped = true;
            break;
        }
    }
    let damaged: Vec<String> = dataset.store.damage().into_iter().map(|damage| damage.reason).collect();
    let (episodes, steps, bytes) = (target.len(), target.transitions(), target.bytes());
    let converted = Converted { episodes, steps, bytes, clipped: dataset.clipped(), damaged, stopped };
    if stopped {
        return Ok(converted);
    }
    if converted.episodes == 0 {
        let last = converted.damaged.last().cloned().unwrap_or_else(|| "there are no episodes".to_owned());
        return Err(DatasetError::NothingReadable { path: from.to_owned(), last });
    }
    if let Some(spaces) = &dataset.spaces {
        spaces_file::write(&folder, spaces)?;
    }
    drop(target);
    publish(&folder, to)?;
    Ok(converted)
}

/// A folder beside another one, so that it can be moved to its place; it is removed again unless it is.
fn beside(to: &Path) -> Result<TempDir, DatasetError> {
    let parent = match to.parent() {
        // Of a path without a parent, as "folder", the parent is "".
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(DatasetError::io(&parent))?;
    let made = tempfile::Builder::new().prefix(".amago-").suffix(".converting").tempdir_in(&parent);
    made.map_err(DatasetError::io(parent))
}

/// Moves the folder to its place.
fn publish(folder: &Path, to: &Path) -> Result<(), DatasetError> {
    let lock = folder.join("lock");
    fs::remove_file(&lock).map_err(DatasetError::io(&lock))?;
    fs::rename(folder, to).map_err(|cause| match cause.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            DatasetError::Exists(to.to_owned())
        }
        _ => DatasetError::io(to)(cause),
    })
}
