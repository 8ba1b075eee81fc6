use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use amago_replay::{Padding, ReplayError, Store, StoreConfig};

use crate::common::{names, rng, store, trajectory};

/// A tiny file system, unmounted when dropped.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(dir: &'a Path) -> Self {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(dir);
        let output = command.output().expect("a program named mount");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(dir)
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        // Lazily, so that it also goes while a failing test still has files open.
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
#[ignore = "a full disk: needs root to mount a small one"]
fn full_disk_is_a_typed_error_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let _mounted = Tmpfs::mount(dir.path());
    let config = StoreConfig { cache_bytes: 0, ..StoreConfig::default() };
    let store = store(dir.path(), config);
    let mut ids = Vec::new();
    let error = loop {
        match store.append(&trajectory(ids.len(), 300)) {
            Ok(id) => ids.push(id),
            Err(e) => break e,
        }
        assert!(ids.len() < 100, "64 KiB never became full");
    };
    assert!(!ids.is_empty());
    match &error {
        ReplayError::Io { path, cause } => {
            assert_eq!(cause.kind(), ErrorKind::StorageFull);
            assert_eq!(path.parent(), Some(dir.path().join("buffer").as_path()));
        }
        other => panic!("{other}"),
    }
    assert_eq!(names(dir.path().join("buffer")).len(), ids.len(), "a half-written file is left");
    let batch = store.sample_batch(200, 4, Padding::None, &mut rng(0)).unwrap();
    assert_eq!((batch.size, store.len(), store.damage()), (200, ids.len(), vec![]));
    // Space makes the store work again.
    fs::remove_file(dir.path().join("buffer").join(&names(dir.path().join("buffer"))[0])).unwrap();
    store.append(&trajectory(0, 300)).unwrap();
}

#[test]
fn a_folder_that_goes_away_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), StoreConfig::default());
    store.append(&trajectory(0, 3)).unwrap();
    store.sample_batch(1, 2, Padding::None, &mut rng(0)).unwrap();
    fs::rename(dir.path().join("buffer"), dir.path().join("elsewhere")).unwrap();
    match store.append(&trajectory(1, 3)).unwrap_err() {
        ReplayError::Io { path, cause } => {
            assert_eq!(cause.kind(), ErrorKind::NotFound);
            assert_eq!(path, dir.path().join("buffer/00000000000000000001.traj"));
        }
        other => panic!("{other}"),
    }
    assert_eq!(store.len(), 1);
    fs::rename(dir.path().join("elsewhere"), dir.path().join("buffer")).unwrap();
    store.append(&trajectory(1, 3)).unwrap();
    assert_eq!((store.len(), names(dir.path().join("buffer")).len()), (2, 2));
}

#[test]
fn a_path_below_a_file_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    match Store::open(dir.path().join("file/store"), StoreConfig::default()).unwrap_err() {
        ReplayError::Io { path, .. } => assert_eq!(path, dir.path().join("file/store/buffer")),
        other => panic!("{other}"),
    }
}
