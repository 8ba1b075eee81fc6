//! Folders of the original's files, which are only read.

use std::fs;
use std::path::Path;

use amago_replay::{FormatError, Padding, ReplayError, Spaces, Store, StoreConfig, Trajectory};

use crate::common::{builder, names, observation, push, rng, spaces, trajectory};
use crate::npz_file::{arrays, save, write};

fn task() -> Spaces {
    let (obs, action) = spaces();
    Spaces::new(&obs, &action)
}

fn open(dir: &Path) -> Result<Store, ReplayError> {
    Store::read(dir, StoreConfig::default())?.keep_to(task())
}

/// Names as the original gives them.
fn name(tag: usize, timestamp: usize) -> String {
    format!("meta-env_{tag}_{}.npz", 1_700_000_000 + timestamp)
}

/// A rollout that was cut: its second part begins in the middle of the episode.
fn cut() -> Trajectory {
    let mut b = builder();
    b.start(&observation(5, 0)).unwrap();
    (0..3).for_each(|t| push(&mut b, 5, t, false));
    b.cut();
    push(&mut b, 5, 3, true);
    b.finish()
}

/// How often trajectories of each length were drawn.
fn lengths(store: &Store) -> [usize; 8] {
    let batch = store.sample_batch(400, 8, Padding::None, &mut rng(2)).unwrap();
    let mut counts = [0; 8];
    batch.mask.chunks(batch.len).for_each(|row| counts[row.iter().filter(|real| **real).count() - 1] += 1);
    counts
}

#[test]
fn they_are_drawn_like_our_own() {
    for parts in
        [["", ""], ["buffer", "protected"], ["buffer/fifo", "buffer/protected"], ["fifo", "protected"]]
    {
        let dir = tempfile::tempdir().unwrap();
        for part in ["buffer", "protected", parts[0], parts[1]] {
            fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        save(&dir.path().join(parts[0]).join(name(1, 5)), &trajectory(1, 2));
        save(&dir.path().join(parts[0]).join(name(2, 3)), &trajectory(2, 4));
        save(&dir.path().join(parts[1]).join(name(5, 4)), &cut());
        let store = open(dir.path()).unwrap();
        assert_eq!((store.len(), store.transitions()), (3, 7), "{parts:?}");
        assert!(store.bytes() > 500 && store.is_ready(3));
        let counts = lengths(&store);
        assert!([1, 2, 4].iter().all(|n| (90..180).contains(&counts[*n])), "{parts:?}: {counts:?}");
        assert!(store.cached_bytes() > 0);
        // By its id as it happened.
        let ids = store.sample_ids(9, &mut rng(0)).unwrap();
        let all: Vec<_> = ids.iter().map(|id| store.get(*id).unwrap().unwrap()).collect();
        for expected in [trajectory(1, 2), trajectory(2, 4), cut()] {
            assert!(all.iter().any(|t| **t == expected), "{parts:?}");
        }
        assert!(store.damage().is_empty());
        // A folder that is only read.
        assert!(!dir.path().join("lock").exists() && !dir.path().join("damaged").exists());
        assert!(store.append(&trajectory(0, 1)).is_err());
    }
}

#[test]
fn what_comes_and_goes_is_found_and_the_order_is_that_of_the_names() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("b.npz"), &trajectory(1, 2));
    save(&dir.path().join("d.npz"), &trajectory(2, 4));
    let store = open(dir.path()).unwrap();
    store.sample_batch(10, 8, Padding::None, &mut rng(0)).unwrap();
    let old = store.sample_ids(9, &mut rng(0)).unwrap();
    save(&dir.path().join("a.npz"), &trajectory(3, 3));
    save(&dir.path().join("c.npz"), &trajectory(4, 5));
    fs::remove_file(dir.path().join("d.npz")).unwrap();
    store.refresh().unwrap();
    assert_eq!((store.len(), store.transitions()), (3, 10));
    // Somebody may still hold a number from before.
    assert!(old.iter().all(|id| store.get(*id).unwrap().is_none()));
    // The same folder, opened anew, gives the same batches.
    let sample = |store: &Store| store.sample_batch(30, 3, Padding::Both, &mut rng(7)).unwrap();
    assert_eq!(sample(&store), sample(&open(dir.path()).unwrap()));
    store.refresh().unwrap();
    assert!(store.cached_bytes() > 0, "nothing has changed");
}

#[test]
fn damaged_ones_are_left_out_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("good.npz"), &trajectory(1, 2));
    fs::write(dir.path().join("text.npz"), "no archive").unwrap();
    fs::create_dir(dir.path().join("folder.npz")).unwrap();
    let mut outside = arrays(&trajectory(2, 4));
    outside[4].1.2[..4].copy_from_slice(&0.5_f32.to_le_bytes());
    outside[0].1.2[20..24].copy_from_slice(&0.5_f32.to_le_bytes());
    write(&dir.path().join("action.npz"), &outside, zip::CompressionMethod::Stored);
    let mut nan = arrays(&trajectory(2, 4));
    nan[2].1.2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    write(&dir.path().join("nan.npz"), &nan, zip::CompressionMethod::Stored);
    let before = names(dir.path().to_owned());
    let store = open(dir.path()).unwrap();
    assert_eq!(store.damage().len(), 2, "{:?}", store.damage());
    assert_eq!(lengths(&store)[2], 400);
    store.refresh().unwrap();
    let mut reasons: Vec<_> = store.damage().into_iter().map(|d| d.reason).collect();
    reasons.sort();
    let expected = [
        "action.npz: the action of step 0 is outside its space Discrete(3)",
        "folder.npz: not a regular file",
        "nan.npz: the array \"rews\" holds NaN",
        "text.npz: the file is not a readable .npz archive",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.contains(expected), "\"{reason}\" lacks \"{expected}\"");
    }
    assert_eq!((store.len(), names(dir.path().to_owned())), (1, before));
}

#[test]
fn folders_without_any_are_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(&error, ReplayError::NotADataset { dir: found } if found == dir.path()), "{error}");
    let none = dir.path().join("none");
    assert!(matches!(open(&none).unwrap_err(), ReplayError::Io { path, .. } if path.starts_with(&none)));
    // Of another task.
    let mut other = arrays(&trajectory(1, 2));
    other.retain(|(name, _)| name != "_OBS_KEY_image");
    write(&dir.path().join("other.npz"), &other, zip::CompressionMethod::Stored);
    match open(dir.path()).unwrap_err() {
        ReplayError::Layout { found, .. } => assert!(!found.contains("image"), "{found}"),
        error => panic!("{error}"),
    }
}

#[test]
fn time_that_a_device_cannot_count_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut late = arrays(&trajectory(1, 2));
    late[1].1.2 = (1_i64 << 31..).take(3).flat_map(i64::to_le_bytes).collect();
    let path = dir.path().join("late.npz");
    write(&path, &late, zip::CompressionMethod::Stored);
    let error = amago_replay::read_npz(&path).unwrap_err();
    assert!(matches!(error, ReplayError::Format { cause: FormatError::BadStartTime(_), .. }), "{error}");
}
