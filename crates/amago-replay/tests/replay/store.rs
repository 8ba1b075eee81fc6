use std::collections::BTreeSet;
use std::fs;

use amago_env::{Column, DictSpace, Observation, Space, Step};
use amago_replay::{
    Batch, FormatError, OpenReport, Padding, Part, ReplayError, Store, StoreConfig, TrajectoryBuilder,
    TrajectoryId,
};

use crate::common::{builder, names, observation, rng, store, trajectory};

fn tags(batch: &Batch) -> BTreeSet<usize> {
    let Column::F32(states) = &batch.obs[1] else { panic!("floats") };
    states.chunks(2 * batch.len).map(|s| s[0] as usize).collect()
}

fn stored(store: &Store) -> Vec<usize> {
    tags(&store.sample_batch(400, 4, Padding::None, &mut rng(9)).unwrap()).into_iter().collect()
}

#[test]
fn the_oldest_go_first_and_the_protected_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), StoreConfig { max_trajectories: Some(3), ..StoreConfig::default() });
    assert_eq!(store.append_protected(&trajectory(0, 4)).unwrap(), 0);
    for tag in 1..6 {
        assert_eq!(store.append(&trajectory(tag, 4)).unwrap(), tag as u64);
    }
    assert_eq!((store.len(), store.transitions()), (6, 24));
    assert_eq!(stored(&store), [0, 1, 2, 3, 4, 5]);
    assert_eq!(store.retire(), 2);
    assert_eq!(store.retire(), 0);
    assert_eq!(stored(&store), [0, 3, 4, 5]);
    assert_eq!((store.len(), store.protected_len(), store.transitions()), (4, 1, 16));
    assert_eq!(names(dir.path().join("buffer")).len(), 5);
    assert_eq!((store.purge().unwrap(), store.purge().unwrap()), (2, 0));
    assert_eq!(names(dir.path().join("buffer")).len(), 3);
    assert_eq!(names(dir.path().join("protected")).len(), 1);
}

#[test]
fn the_byte_limit_counts_fifo_files_only() {
    let dir = tempfile::tempdir().unwrap();
    let size = amago_replay::encode(&trajectory(0, 10)).len() as u64;
    let config = StoreConfig { max_bytes: Some(2 * size), ..StoreConfig::default() };
    let store = store(dir.path(), config);
    store.append_protected(&trajectory(0, 10)).unwrap();
    (1..5).for_each(|tag| assert!(store.append(&trajectory(tag, 10)).is_ok()));
    assert_eq!(store.bytes(), 5 * size);
    assert_eq!(store.retire(), 2);
    assert_eq!(store.bytes(), 3 * size);
    assert_eq!(stored(&store), [0, 3, 4]);
}

#[test]
fn opening_again_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig { max_trajectories: Some(2), ..StoreConfig::default() };
    {
        let store = store(dir.path(), config.clone());
        (0..4).for_each(|tag| assert!(store.append(&trajectory(tag, 3 + tag)).is_ok()));
        store.append_protected(&trajectory(4, 2)).unwrap();
        store.retire();
        store.purge().unwrap();
    }
    fs::write(dir.path().join("buffer/00000000000000000009.traj.tmp"), "half").unwrap();
    fs::write(dir.path().join("buffer/notes.txt"), "mine").unwrap();
    let store = store(dir.path(), config);
    assert_eq!(store.open_report(), OpenReport { temp_files: 1, foreign: 1, ..OpenReport::default() });
    assert!(!dir.path().join("buffer/00000000000000000009.traj.tmp").exists());
    assert_eq!((store.len(), store.protected_len(), store.transitions()), (3, 1, 5 + 6 + 2));
    assert_eq!(stored(&store), [2, 3, 4]);
    assert_eq!(store.layout().as_ref(), Some(trajectory(0, 1).layout()));
    assert!(store.is_ready(3) && !store.is_ready(4));
    assert_eq!(store.append(&trajectory(5, 1)).unwrap(), 5);
}

#[test]
fn two_stores_cannot_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path(), StoreConfig::default());
    assert!(matches!(Store::open(dir.path(), StoreConfig::default()), Err(ReplayError::InUse { .. })));
    drop(first);
    assert!(Store::open(dir.path(), StoreConfig::default()).is_ok());
}

#[test]
fn other_layouts_and_empty_trajectories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut other =
        TrajectoryBuilder::new(&DictSpace::single(Space::Discrete { n: 2 }), &Space::Discrete { n: 3 });
    let mut obs = Observation::new(&DictSpace::single(Space::Discrete { n: 2 }));
    obs.write("observation", &[1.0, 0.0]).unwrap();
    other.start(&obs).unwrap();
    other.push(&amago_env::Action::Discrete(1), &Step::default(), &obs).unwrap();
    let other = other.finish();
    {
        let store = store(dir.path(), StoreConfig::default());
        store.append(&trajectory(0, 2)).unwrap();
        let error = store.append(&other).unwrap_err();
        assert!(matches!(error, ReplayError::Layout { .. }));
        assert!(error.to_string().contains("{observation: f32[2]} with actions of width 3"), "{error}");
        let mut b = builder();
        b.start(&observation(0, 0)).unwrap();
        let error = store.append(&b.finish()).unwrap_err();
        assert!(matches!(error, ReplayError::Unstorable(FormatError::Empty)));
        assert_eq!(store.len(), 1);
    }
    let path = dir.path().join("buffer/00000000000000000001.traj");
    fs::write(&path, amago_replay::encode(&other)).unwrap();
    match Store::open(dir.path(), StoreConfig::default()) {
        Err(ReplayError::Layout { path: found, .. }) => assert_eq!(found, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_thread_appends_while_another_samples() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig { max_trajectories: Some(5), cache_bytes: 600, ..StoreConfig::default() };
    let store = store(dir.path(), config);
    store.append(&trajectory(0, 3)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for tag in 1..200 {
                match tag {
                    100 => store.append_protected(&trajectory(tag, 3)).unwrap(),
                    _ => store.append(&trajectory(tag, 3)).unwrap(),
                };
                store.retire();
                store.purge().unwrap();
            }
        });
        let mut rng = rng(4);
        for _ in 0..200 {
            let batch = store.sample_batch(4, 2, Padding::Both, &mut rng).unwrap();
            assert_eq!(batch.size, 4);
        }
    });
    assert_eq!((store.len(), store.damage()), (6, vec![]));
    assert_eq!(stored(&store), [100, 195, 196, 197, 198, 199]);
}

#[test]
fn ids_are_drawn_without_repetition() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), StoreConfig::default());
    assert!(matches!(store.sample_ids(3, &mut rng(0)), Err(ReplayError::EmptyStore { .. })));
    store.append_protected(&trajectory(0, 4)).unwrap();
    (1..6).for_each(|tag| assert!(store.append(&trajectory(tag, 4)).is_ok()));
    let id = |number| TrajectoryId { part: if number == 0 { Part::Protected } else { Part::Fifo }, number };
    assert!(store.sample_ids(9, &mut rng(0)).unwrap().into_iter().eq([1, 2, 3, 4, 5, 0].map(id)));
    let mut seen = BTreeSet::new();
    for counter in 0..100 {
        let ids = store.sample_ids(2, &mut rng(counter)).unwrap();
        assert!(ids.len() == 2 && ids[0] < ids[1], "{ids:?}");
        assert_eq!(ids, store.sample_ids(2, &mut rng(counter)).unwrap());
        seen.extend(ids);
    }
    assert_eq!(seen.len(), 6);
    for number in [0, 5] {
        assert_eq!(*store.get(id(number)).unwrap().unwrap(), trajectory(number as usize, 4));
    }
    assert!(store.get(id(6)).unwrap().is_none());
    std::fs::write(dir.path().join("buffer/00000000000000000004.traj"), b"x").unwrap();
    assert!(store.get(id(4)).unwrap().is_none());
    assert_eq!((store.damage().len(), store.len()), (1, 5));
}

/// Whoever copies files into `protected/` does not choose their numbers.
#[test]
fn both_parts_may_hold_the_same_number() {
    let dir = tempfile::tempdir().unwrap();
    drop(store(dir.path(), StoreConfig::default()));
    let file = |part: &str, number: u64| dir.path().join(format!("{part}/{number:020}.traj"));
    fs::write(file("protected", 0), amago_replay::encode(&trajectory(50, 4))).unwrap();
    fs::write(file("protected", 1), "cut").unwrap();
    fs::write(file("buffer", 0), amago_replay::encode(&trajectory(60, 4))).unwrap();
    fs::write(file("buffer", 1), "cut, too").unwrap();
    let store = Store::open(dir.path(), StoreConfig::default()).unwrap();
    assert_eq!(stored(&store), [50, 60]);
    let names = names(dir.path().join("damaged"));
    assert_eq!(names, ["00000000000000000001.traj", "protected-00000000000000000001.traj"]);
}

#[test]
fn a_reader_follows_whoever_writes() {
    let dir = tempfile::tempdir().unwrap();
    let writer = store(dir.path(), StoreConfig { max_trajectories: Some(3), ..StoreConfig::default() });
    let reader = Store::read(dir.path(), StoreConfig::default()).unwrap();
    assert!(reader.is_empty());
    (0..3).for_each(|tag| assert!(writer.append(&trajectory(tag, 4)).is_ok()));
    reader.refresh().unwrap();
    assert_eq!(stored(&reader), [0, 1, 2]);
    (3..5).for_each(|tag| assert!(writer.append(&trajectory(tag, 4)).is_ok()));
    assert_eq!(writer.retire(), writer.purge().unwrap());
    let reader_without_cache = StoreConfig { cache_bytes: 0, ..StoreConfig::default() };
    let late = Store::read(dir.path(), reader_without_cache).unwrap();
    reader.refresh().unwrap();
    assert_eq!((stored(&reader), reader.transitions()), (vec![2, 3, 4], 12));
    // Dropped between two looks: not drawn, and no damage either.
    writer.append(&trajectory(5, 4)).unwrap();
    assert_eq!(writer.retire(), writer.purge().unwrap());
    assert_eq!((stored(&late), late.damage()), (vec![3, 4], vec![]));
    // A damaged one is told of once.
    fs::write(dir.path().join("buffer/00000000000000000009.traj"), "cut").unwrap();
    (0..3).for_each(|_| late.refresh().unwrap());
    assert_eq!((stored(&late), late.damage().len()), (vec![3, 4, 5], 1));
}
