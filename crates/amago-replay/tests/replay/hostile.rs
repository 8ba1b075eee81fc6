//! What somebody may have put into a folder of trajectories.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use amago_env::{DictSpace, Space};
use amago_replay::{
    Columns, Damage, Layout, Padding, ReplayError, Spaces, Store, StoreConfig, Trajectory, encode,
    refuse_links,
};

use crate::common::{names, rng, spaces, store, trajectory};
use crate::format::reseal;

fn file(dir: &Path, id: u64) -> PathBuf {
    dir.join("buffer").join(format!("{id:020}.traj"))
}

fn task() -> Spaces {
    let (obs, action) = spaces();
    Spaces::new(&obs, &action)
}

/// Files that a reader meets when it opens the folder or draws from it, and what it says of each.
type Maker = (&'static str, fn(&Path), &'static str);

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A trajectory with some columns changed.
fn changed(edit: fn(&mut Columns)) -> Vec<u8> {
    let (obs, action) = spaces();
    let mut columns = trajectory(1, 4).columns().clone();
    edit(&mut columns);
    encode(&Trajectory::new(Arc::new(Layout::new(&obs, &action)), columns).unwrap())
}

/// A file of a terabyte that takes no room on the disk, one of its lengths made to fit.
fn sparse(path: &Path, at: usize) {
    const LONG: u64 = 1 << 40;
    let mut bytes = encode(&trajectory(1, 4));
    let lengths = [16, 24].map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()));
    bytes[at..at + 8].copy_from_slice(&LONG.to_le_bytes());
    if at == 24 {
        reseal(&mut bytes);
    }
    fs::write(path, &bytes).unwrap();
    let others = lengths.iter().sum::<u64>() - lengths[usize::from(at == 24)];
    File::options().write(true).open(path).unwrap().set_len(36 + others + LONG).unwrap();
}

const MAKERS: [Maker; 9] = [
    ("a sparse body", |path| sparse(path, 24), "more than the 4294967296 that one may"),
    ("a sparse header", |path| sparse(path, 16), "the header is too long"),
    ("a pipe", fifo, "not a regular file"),
    ("a folder", |path| fs::create_dir(path).unwrap(), "not a regular file"),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap()), "not a regular file"),
    (
        "half an action",
        |path| fs::write(path, changed(|c| c.actions[3..6].copy_from_slice(&[0.5, 0.5, 0.0]))).unwrap(),
        "the action of step 1 is outside its space Discrete(3)",
    ),
    (
        "two actions",
        |path| fs::write(path, changed(|c| c.actions[6] = 1.0)).unwrap(),
        "the action of step 2 is outside",
    ),
    (
        "an action before the first",
        |path| fs::write(path, changed(|c| c.first_prev[2] = 0.25)).unwrap(),
        "the action before the first of step 0 is outside",
    ),
    (
        "an observation",
        |path| {
            let outside: fn(&mut Columns) = |c| match &mut c.obs[1] {
                amago_env::Column::F32(values) => values[5] = 2e9,
                amago_env::Column::U8(_) => unreachable!("floats"),
            };
            fs::write(path, changed(outside)).unwrap();
        },
        "observation \"state\" of step 2 is outside its space Box(-1000000000, 1000000000, [2])",
    ),
];

/// Draws until everything was met.
fn damage(store: &Store) -> Vec<Damage> {
    let batch = store.sample_batch(60, 4, Padding::None, &mut rng(0)).unwrap();
    assert_eq!((batch.size, store.len()), (60, 1));
    store.damage()
}

#[test]
fn it_is_set_aside_and_sampling_goes_on() {
    for (what, make, reason) in MAKERS {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path(), StoreConfig::default()).append(&trajectory(0, 4)).unwrap();
        let path = file(dir.path(), 1);
        make(&path);
        // Others' folders stay as they are.
        let reader = Store::read(dir.path(), StoreConfig::default()).unwrap().keep_to(task()).unwrap();
        let [left_out] = &damage(&reader)[..] else { panic!("{what}") };
        assert_eq!(left_out.path, path, "{what}");
        assert!(path.exists(), "{what}");
        assert!(left_out.reason.starts_with(&path.display().to_string()), "{what}: {}", left_out.reason);
        assert!(left_out.reason.contains(reason), "{what}: {}", left_out.reason);
        let own = store(dir.path(), StoreConfig::default()).keep_to(task()).unwrap();
        let [moved] = &damage(&own)[..] else { panic!("{what}") };
        assert_eq!(moved.path, dir.path().join("damaged/00000000000000000001.traj"), "{what}");
        assert!(moved.reason.contains(reason), "{what}: {}", moved.reason);
        assert!(!path.exists() && moved.path.symlink_metadata().is_ok(), "{what}");
    }
}

#[test]
fn a_store_without_spaces_takes_what_fits_the_layout() {
    let dir = tempfile::tempdir().unwrap();
    let own = store(dir.path(), StoreConfig::default());
    own.append(&trajectory(0, 4)).unwrap();
    let other = Spaces::new(&DictSpace::single(Space::Discrete { n: 2 }), &Space::Discrete { n: 3 });
    let error = own.keep_to(other).unwrap_err();
    assert!(matches!(error, ReplayError::Layout { .. }), "{error}");
    let unchecked = store(dir.path(), StoreConfig::default());
    assert_eq!(unchecked.sample_batch(3, 4, Padding::None, &mut rng(0)).unwrap().size, 3);
}

#[test]
fn masks_are_kept_to() {
    let mask = |n| (DictSpace::ACTION_MASK.to_owned(), Space::MultiBinary { n });
    let (obs, action) = (DictSpace([mask(3)].into()), Space::Discrete { n: 3 });
    let spaces = Spaces::new(&obs, &action);
    let columns = |mask: [f32; 9]| Columns {
        obs: vec![amago_env::Column::F32(mask.to_vec())],
        actions: vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        rewards: vec![0.0; 2],
        terminals: vec![false, true],
        start_time: 0,
        first_prev: vec![0.0; 4],
    };
    let check = |mask: [f32; 9]| {
        spaces
            .check(&Trajectory::new(spaces.layout().clone(), columns(mask)).unwrap())
            .map_err(|e| e.to_string())
    };
    // Nothing need be legal after the end.
    assert_eq!(check([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]), Ok(()));
    let error = check([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]).unwrap_err();
    assert!(error.contains("the action of step 1 is one that its action mask forbids"), "{error}");
}

#[test]
fn numbers_of_a_box_are_in_the_unit_range() {
    let spaces = Spaces::new(&DictSpace::single(Space::Discrete { n: 1 }), &Space::box_f32(&[2], -5.0, 5.0));
    let check = |actions: [f32; 2]| {
        let columns = Columns {
            obs: vec![amago_env::Column::F32(vec![1.0; 2])],
            actions: actions.to_vec(),
            rewards: vec![0.0],
            terminals: vec![true],
            start_time: 0,
            first_prev: vec![0.5, -1.0, 0.25],
        };
        spaces.check(&Trajectory::new(spaces.layout().clone(), columns).unwrap()).is_ok()
    };
    assert!(check([-1.0, 1.0]) && check([0.0, 0.5]));
    assert!(!check([-1.5, 0.0]) && !check([0.0, 1.01]));
}

#[test]
fn links_in_an_own_folder_are_refused_and_nothing_outside_changes() {
    let outside = tempfile::tempdir().unwrap();
    let treasure = outside.path().join("treasure.traj.tmp");
    fs::write(&treasure, "mine").unwrap();
    for link in ["buffer", "protected", "damaged", "lock", "buffer/00000000000000000003.traj", "buffer/x.tmp"]
    {
        let dir = tempfile::tempdir().unwrap();
        if link.contains('/') {
            fs::create_dir(dir.path().join("buffer")).unwrap();
        }
        let path = dir.path().join(link);
        let target = if path.extension().is_some() || link == "lock" { &treasure } else { outside.path() };
        symlink(target, &path).unwrap();
        match Store::open(dir.path(), StoreConfig::default()).unwrap_err() {
            ReplayError::Link { path: found } => assert_eq!(found, path),
            other => panic!("{link}: {other}"),
        }
        assert_eq!(names(outside.path().to_owned()), ["treasure.traj.tmp"], "{link}");
        assert_eq!(fs::read(&treasure).unwrap(), b"mine", "{link}");
    }
    // The folder itself may be reached through one, and others' may hold them.
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), StoreConfig::default()).append(&trajectory(0, 4)).unwrap();
    let folder = outside.path().join("folder");
    symlink(dir.path(), &folder).unwrap();
    assert_eq!(store(&folder, StoreConfig::default()).append(&trajectory(1, 4)).unwrap(), 1);
    assert!(refuse_links(&folder).is_ok());
    symlink(file(dir.path(), 0), file(dir.path(), 2)).unwrap();
    let reader = Store::read(dir.path(), StoreConfig::default()).unwrap();
    assert_eq!(reader.sample_batch(20, 4, Padding::None, &mut rng(0)).unwrap().size, 20);
    assert_eq!((reader.len(), reader.damage().len()), (3, 0));
}

#[test]
fn folders_in_the_place_of_files_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("buffer/00000000000000000009.traj.tmp/deep")).unwrap();
    // Counting on from here would begin again at zero and write over the oldest.
    fs::write(file(dir.path(), u64::MAX), encode(&trajectory(3, 2))).unwrap();
    let own = store(dir.path(), StoreConfig::default());
    assert_eq!((own.len(), own.open_report().foreign, own.open_report().temp_files), (0, 2, 0));
    assert_eq!(own.append(&trajectory(0, 1)).unwrap(), 0);
    drop(own);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("lock")).unwrap();
    let error = Store::open(dir.path(), StoreConfig::default()).unwrap_err();
    assert!(matches!(&error, ReplayError::NotAFile { path } if path.ends_with("lock")), "{error}");
}
