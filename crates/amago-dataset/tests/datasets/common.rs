//! Samples, see `tests/data/README.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use amago_dataset::Dataset;
use amago_replay::{StoreConfig, Trajectory};

/// Folder of a sample.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Opens a dataset.
pub fn open(path: &Path) -> Dataset {
    amago_dataset::open(path, StoreConfig::default()).unwrap()
}

/// Why a path is refused.
pub fn refusal(path: &Path) -> String {
    amago_dataset::open(path, StoreConfig::default()).unwrap_err().to_string()
}

/// All trajectories of a dataset.
pub fn trajectories(dataset: &Dataset) -> Vec<Arc<Trajectory>> {
    dataset.store.ids().into_iter().map(|id| dataset.store.get(id).unwrap().unwrap()).collect()
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        match item.file_type().unwrap().is_dir() {
            true => copy(&item.path(), &to),
            false => drop(fs::copy(item.path(), to).unwrap()),
        }
    }
}

/// Replaces a text in a file, where it must occur.
pub fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{}: no {from}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}
