//! A store that is opened as it was at a snapshot.

use std::path::Path;

use amago_replay::{Batch, Padding, Snapshot, Store, StoreConfig};

use crate::common::{names, rng, store, trajectory};

const LIMIT: usize = 4;

fn config() -> StoreConfig {
    StoreConfig { max_trajectories: Some(LIMIT), ..StoreConfig::default() }
}

fn drawn(store: &Store) -> Batch {
    store.sample_batch(50, 3, Padding::None, &mut rng(5)).expect("readable")
}

fn append(store: &Store, tags: std::ops::Range<usize>) {
    tags.for_each(|tag| assert!(store.append(&trajectory(tag, 4)).is_ok()));
    store.retire();
}

/// Six stored and two retired, a snapshot, then three more and more retired; without a purge, as if killed.
fn interrupted(dir: &Path) -> (Snapshot, Batch, Batch) {
    let store = store(dir, config());
    append(&store, 0..6);
    let (snapshot, before) = (store.snapshot(), drawn(&store));
    append(&store, 6..9);
    (snapshot, before, drawn(&store))
}

#[test]
fn a_resumed_store_draws_what_it_drew() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshot, before, after) = interrupted(dir.path());
    assert!(before != after);
    let store = Store::resume(dir.path(), config(), &snapshot).unwrap();
    assert!(drawn(&store) == before);
    assert_eq!((store.len(), store.snapshot(), store.open_report().missing), (LIMIT, snapshot, 0));
    // What is collected again has the same names, and nothing was lost in between.
    assert_eq!(names(dir.path().join("buffer")).len(), 9);
    append(&store, 6..9);
    assert!(drawn(&store) == after);
    assert_eq!((store.len(), names(dir.path().join("buffer")).len()), (LIMIT, 9));
    // Ids 0 to 4: two from before the snapshot, three from after it.
    assert_eq!(store.purge().unwrap(), 5);
    assert_eq!(names(dir.path().join("buffer")).len(), LIMIT);
    assert_eq!(store.append(&trajectory(9, 4)).unwrap(), 9);
}

#[test]
fn a_run_that_does_not_repeat_itself_keeps_both() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshot, ..) = interrupted(dir.path());
    let store = Store::resume(dir.path(), StoreConfig::default(), &snapshot).unwrap();
    assert_eq!(store.append(&trajectory(6, 4)).unwrap(), 6);
    assert_eq!(store.len(), LIMIT + 1);
    assert_eq!(store.append(&trajectory(70, 4)).unwrap(), 9);
    assert_eq!(store.len(), LIMIT + 4, "the two others came back");
    assert_eq!(store.append(&trajectory(80, 4)).unwrap(), 10);
    assert_eq!(store.len(), LIMIT + 5);
}

#[test]
fn what_is_gone_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshot, ..) = interrupted(dir.path());
    std::fs::remove_file(dir.path().join("buffer/00000000000000000003.traj")).unwrap();
    let store = Store::resume(dir.path(), config(), &snapshot).unwrap();
    assert_eq!((store.open_report().missing, store.len()), (1, LIMIT - 1));
    drawn(&store);
}

#[test]
fn written_trajectories_are_drawn_when_they_are_admitted() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), config());
    append(&store, 0..2);
    let before = drawn(&store);
    let written = store.write(&trajectory(2, 4)).unwrap();
    assert_eq!((names(dir.path().join("buffer")).len(), store.len()), (3, 2));
    assert!(drawn(&store) == before);
    assert_eq!((store.admit(written), store.len()), (2, 3));
    assert!(drawn(&store) != before);
}
