//! The files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders of the root that hold nothing of ours: build output and runs.
const SKIPPED: [&str; 3] = [".git", "runs", "target"];

/// The workspace on disk.
pub struct Repo {
    /// Its folder.
    pub root: PathBuf,
    /// Every file outside the skipped folders, relative to the root, with `/`, sorted.
    pub files: Vec<String>,
}

impl Repo {
    /// Lists the files of the workspace.
    pub fn open(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        list(root, "", &mut files)?;
        files.sort();
        Ok(Self { root: root.to_owned(), files })
    }

    /// Whether the file is there.
    pub fn has(&self, path: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok()
    }

    /// The text of a file.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {path}"))
    }

    /// Names of the folders under `crates/`, sorted.
    pub fn crates(&self) -> Vec<&str> {
        let name = |path: &'_ String| path.strip_suffix("/Cargo.toml").map(str::len);
        let manifests = self.files.iter().filter_map(|path| name(path).map(|end| &path[..end]));
        manifests.filter_map(|dir| dir.strip_prefix("crates/")).filter(|name| !name.contains('/')).collect()
    }
}

fn list(root: &Path, folder: &str, files: &mut Vec<String>) -> Result<()> {
    let path = root.join(folder);
    for entry in fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry?;
        // A name that is not UTF-8 is no file of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if folder.is_empty() && SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let relative = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if kind.is_dir() {
            list(root, &relative, files)?;
        } else if kind.is_file() {
            files.push(relative);
        }
    }
    Ok(())
}
