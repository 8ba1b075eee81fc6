//! Which kind of dataset a path is, and whether it fits a task.

use std::fs;

use amago_dataset::{DatasetError, Format};
use amago_env::{BoxSpace, DictSpace, Space};
use amago_replay::{Spaces, Store, StoreConfig};

use crate::common::{copy, open, refusal, sample, trajectories};

#[test]
fn every_kind_is_recognised() {
    let data = sample("cartpole/hdf5-v0").join("data");
    assert_eq!(open(&data).format, Format::MinariHdf5);
    assert_eq!(open(&data).store.len(), 2);
    let npz = open(&sample("npz"));
    assert_eq!((npz.format, npz.store.len(), npz.spaces.is_none()), (Format::Npz, 1, true));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreConfig::default()).unwrap();
    store.append(&trajectories(&npz)[0]).unwrap();
    let own = open(dir.path());
    assert_eq!((own.format, own.store.len()), (Format::Replay, 1));
    assert_eq!(trajectories(&own), trajectories(&npz));
    assert_eq!(own.describe(), npz.describe());
}

#[test]
fn what_is_no_dataset_says_what_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    for path in [dir.path(), &file] {
        let error = refusal(path);
        for looked_for in ["data/metadata.json", "buffer/", "protected/", ".npz"] {
            assert!(error.contains(looked_for), "{error}");
        }
    }
    let missing = refusal(&dir.path().join("missing"));
    assert!(missing.contains("missing: No such file"), "{missing}");
}

#[test]
fn a_dataset_of_another_task_is_refused_with_both_spaces() {
    let task = |observation: Space, action: Space| Spaces::new(&DictSpace::single(observation), &action);
    let pole = || Space::box_f32(&[4], -1.0, 1.0);
    // Bounds of observations do not change what they mean.
    let fits = open(&sample("cartpole/hdf5-v0")).for_task(task(pole(), Space::Discrete { n: 2 }), "the task");
    assert_eq!(fits.unwrap().len(), 2);
    for (name, task, expected) in [
        ("cartpole/hdf5-v0", task(pole(), Space::Discrete { n: 3 }), ["Discrete(2)", "Discrete(3)"]),
        ("cartpole/hdf5-v0", task(Space::box_f32(&[3], -1.0, 1.0), Space::Discrete { n: 2 }), ["[4]", "[3]"]),
        // The same widths, but other meanings.
        ("cartpole/hdf5-v0", task(pole(), Space::MultiBinary { n: 2 }), ["Discrete(2)", "MultiBinary(2)"]),
        (
            "cartpole/hdf5-v0",
            task(Space::Discrete { n: 4 }, Space::Discrete { n: 2 }),
            ["Box(-inf, inf, [4])", "Discrete(4)"],
        ),
        (
            "pendulum/arrow-v0",
            task(Space::box_f32(&[3], -1.0, 1.0), Space::box_f32(&[1], -1.0, 1.0)),
            ["Box(-2, 2, [1])", "Box(-1, 1, [1])"],
        ),
    ] {
        let error = open(&sample(name)).for_task(task, "env.id = \"pole\"").unwrap_err();
        assert!(matches!(error, DatasetError::Spaces { .. }), "{error}");
        let error = error.to_string();
        assert!(
            expected.iter().all(|part| error.contains(part)) && error.contains("env.id = \"pole\" has"),
            "{error}"
        );
    }
}

#[test]
fn a_dataset_without_spaces_is_refused_with_both_layouts() {
    let task = Spaces::new(&DictSpace::single(Space::box_f32(&[4], -1.0, 1.0)), &Space::Discrete { n: 7 });
    let error = open(&sample("npz")).for_task(task, "the task").unwrap_err().to_string();
    let layouts = error.matches("with actions of width").count();
    assert!(
        layouts == 2 && error.contains("the task has {observation: f32[4]} with actions of width 7"),
        "{error}"
    );
}

#[test]
fn values_outside_the_spaces_of_the_task_count_as_damage() {
    let narrow =
        BoxSpace { shape: vec![4], low: vec![-0.01; 4], high: vec![0.01; 4], dtype: amago_env::Dtype::F32 };
    let task = Spaces::new(&DictSpace::single(Space::Box(narrow)), &Space::Discrete { n: 2 });
    let store = open(&sample("cartpole/arrow-v0")).for_task(task, "the task").unwrap();
    for id in store.ids() {
        assert!(store.get(id).unwrap().is_none());
    }
    assert_eq!(store.damage().len(), 2);
    assert!(store.damage()[0].reason.contains("outside its space"), "{}", store.damage()[0].reason);
    assert!(store.is_empty());
}

#[test]
fn a_folder_that_is_read_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["cartpole/hdf5-v0", "cartpole/arrow-v0", "npz"] {
        let folder = dir.path().join(name);
        copy(&sample(name), &folder);
        let list = || {
            let mut all: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
            all.extend(fs::read_dir(folder.join("data")).into_iter().flatten().map(|e| e.unwrap().path()));
            all.sort();
            all
        };
        let before = list();
        let dataset = open(&folder);
        dataset.info(&mut |_, _| true).unwrap();
        assert!(dataset.store.append(&trajectories(&dataset)[0]).is_err());
        assert_eq!(list(), before);
    }
}
