use std::fs;
use std::path::{Path, PathBuf};

use amago_replay::{FormatError, Padding, ReplayError, Store, StoreConfig, encode};

use crate::common::{names, rng, store, trajectory};

fn file(dir: &Path, id: u64) -> PathBuf {
    dir.join("buffer").join(format!("{id:020}.traj"))
}

/// Flips one bit, counted from the end so that it lies in the body, or from the start.
fn flip(path: &Path, from_end: bool, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = if from_end { bytes.len() - 1 - offset } else { offset };
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

fn filled(dir: &Path, n: usize) -> Store {
    let store = store(dir, StoreConfig { cache_bytes: 0, ..StoreConfig::default() });
    (0..n).for_each(|tag| assert!(store.append(&trajectory(tag, 4)).is_ok()));
    store
}

#[test]
fn a_damaged_file_is_set_aside_and_sampling_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 4);
    flip(&file(dir.path(), 1), true, 20);
    fs::remove_file(file(dir.path(), 2)).unwrap();
    let batch = store.sample_batch(100, 4, Padding::None, &mut rng(0)).unwrap();
    assert_eq!((batch.size, store.len(), store.transitions()), (100, 2, 8));
    let mut damage = store.damage();
    damage.sort_by_key(|d| d.path.clone());
    assert_eq!(damage.len(), 2);
    // The lost file could not be moved; the flipped one is kept for a look.
    assert_eq!(damage[0].path, file(dir.path(), 2));
    assert_eq!(damage[1].path, dir.path().join("damaged/00000000000000000001.traj"));
    let reason = &damage[1].reason;
    assert!(reason.contains("buffer/00000000000000000001.traj: the checksum of the body"), "{reason}");
    assert_eq!(names(dir.path().join("damaged")), ["00000000000000000001.traj"]);
    drop(store);
    // The id of a file set aside is not given out again.
    fs::rename(
        dir.path().join("damaged/00000000000000000001.traj"),
        dir.path().join("damaged/00000000000000000008.traj"),
    )
    .unwrap();
    assert_eq!(filled(dir.path(), 0).append(&trajectory(0, 1)).unwrap(), 9);
}

#[test]
fn sampling_fails_when_nothing_readable_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 3);
    (0..3).for_each(|id| fs::write(file(dir.path(), id), "short").unwrap());
    match store.sample_batch(4, 4, Padding::None, &mut rng(0)).unwrap_err() {
        ReplayError::NothingReadable { damaged, last, .. } => {
            assert_eq!(damaged, 3);
            assert!(last.contains("the file has 5 bytes but needs 36"), "{last}");
        }
        other => panic!("{other}"),
    }
    // New trajectories make it usable again.
    store.append(&trajectory(5, 2)).unwrap();
    assert_eq!(store.sample_batch(4, 4, Padding::None, &mut rng(0)).unwrap().size, 4);
}

#[test]
fn damaged_headers_are_found_on_open() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 3));
    flip(&file(dir.path(), 0), false, 8);
    fs::write(file(dir.path(), 2), "").unwrap();
    let store = filled(dir.path(), 0);
    assert_eq!((store.open_report().damaged, store.len(), store.damage().len()), (2, 1, 2));
    assert_eq!(names(dir.path().join("buffer")), ["00000000000000000001.traj"]);
}

#[test]
fn files_of_a_newer_program_are_not_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 1);
    let mut bytes = encode(&trajectory(0, 4));
    bytes[8] = 2;
    let header = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[8..32]);
    hasher.update(&bytes[36..36 + header]);
    bytes[32..36].copy_from_slice(&hasher.finalize().to_le_bytes());
    fs::write(file(dir.path(), 0), bytes).unwrap();
    let newer = |e: ReplayError| {
        let version = FormatError::UnsupportedVersion { found: 2, supported: 1 };
        assert!(matches!(&e, ReplayError::Format { cause, .. } if *cause == version), "{e}");
    };
    newer(store.sample_batch(1, 4, Padding::None, &mut rng(0)).unwrap_err());
    drop(store);
    newer(Store::open(dir.path(), StoreConfig::default()).unwrap_err());
    assert!(file(dir.path(), 0).exists());
}
