//! How a run folder comes to be: made under a name of its own, then moved to its place as a whole.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::RunDir;
use crate::TrainError;

/// Names of folders in the making begin and end so.
const MAKING: [&str; 2] = [".amago-", ".making"];

/// Making takes milliseconds: a folder that is still being made after so long belongs to a process that was
/// killed.
const STALE: Duration = Duration::from_secs(3600);

/// A run folder that nobody else knows of yet; removed again unless it is published.
pub(super) struct Making(TempDir);

impl Making {
    /// Makes the folder beside its later place, with the text of its config.
    pub fn new(parent: &Path, config: &str) -> Result<Self, TrainError> {
        // Of a path without a parent, as "run", the parent is "".
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        if !parent.exists() {
            fs::create_dir_all(parent).map_err(TrainError::io(parent))?;
        }
        sweep(parent).map_err(TrainError::io(parent))?;
        let temp = tempfile::Builder::new().prefix(MAKING[0]).suffix(MAKING[1]).tempdir_in(parent);
        let made = Self(temp.map_err(|e| TrainError::io(parent)(without_path(e)))?);
        let run = RunDir(made.0.path().to_owned());
        fs::create_dir(run.checkpoints()).map_err(TrainError::io(run.checkpoints()))?;
        fs::write(run.config_file(), config).map_err(TrainError::io(run.config_file()))?;
        Ok(made)
    }

    /// Moves the folder to its place. Of several that want the same place, one gets it.
    ///
    /// # Errors
    /// When something is there that is no empty folder; the folder then stays in the making.
    pub fn publish(&self, path: &Path) -> Result<RunDir, TrainError> {
        let moved = match fs::rename(self.0.path(), path) {
            // Not every system moves a folder onto an empty one. Nothing but an empty one is removed here.
            Err(_) if fs::remove_dir(path).is_ok() => fs::rename(self.0.path(), path),
            moved => moved,
        };
        moved.map_err(|cause| match cause.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                TrainError::RunDirExists(path.to_owned())
            }
            // Not every system says why.
            _ if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) => {
                TrainError::RunDirExists(path.to_owned())
            }
            _ => TrainError::io(path)(cause),
        })?;
        Ok(RunDir(path.to_owned()))
    }
}

/// Removes what processes that were killed left in the making. Only what such a folder can hold is removed,
/// so that whatever has a name like that by chance stays.
fn sweep(parent: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(parent)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let old = || {
            let changed = entry.metadata().and_then(|m| m.modified()).ok()?;
            Some(SystemTime::now().duration_since(changed).ok()? > STALE)
        };
        if name.starts_with('.') && name.ends_with(MAKING[1]) && old().unwrap_or(false) {
            let run = RunDir(entry.path());
            let parts = [run.config_file(), run.checkpoints()];
            let known = |path| parts.contains(&path);
            if fs::read_dir(run.path()).is_ok_and(|mut all| all.all(|e| e.is_ok_and(|e| known(e.path())))) {
                // Whoever else sweeps at the same time removes the same.
                let _ = fs::remove_file(&parts[0]);
                let _ = fs::remove_dir(&parts[1]);
                let _ = fs::remove_dir(run.path());
            }
        }
    }
    Ok(())
}

/// An error of `tempfile` without the name of the temporary folder, which means nothing to anybody.
fn without_path(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    std::io::Error::new(error.kind(), text.split(" at path ").next().unwrap_or(&text))
}
