//! Learning from trajectories of the original.

#[path = "../../amago-replay/tests/replay/npz_file.rs"]
#[allow(dead_code)] // the other tests use the rest
mod npz_file;
mod support;

use std::fs;
use std::path::Path;

use amago_golden::modules::weights;
use amago_replay::{Store, StoreConfig};
use amago_trainer::{Checkpoint, Plan, RunDir, TrainError};
use support::{Recorder, device, load, tiny, train};

/// Turns the replay of a run into a folder of the original's files; the order of names is that of the ids.
fn converted(replay: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let store = Store::read(replay, StoreConfig::default()).expect("a replay");
    let ids = store.sample_ids(1000, &mut amago_env::rng(0, amago_env::Role::Replay, 0, 0)).expect("some");
    for id in ids {
        let trajectory = store.get(id).expect("readable").expect("there");
        npz_file::save(
            &to.join(format!("tmaze_{:03}_{}.npz", id.number, 1_700_000_000 + id.number)),
            &trajectory,
        );
    }
}

fn learn(dir: &Path, name: &str, dataset: &Path, settings: &[&str]) -> Result<Vec<Vec<f32>>, TrainError> {
    let set = format!("replay.datasets=[{{ path = '{}', initial_weight = 1.0 }}]", dataset.display());
    let plan = Plan::new(tiny(&[&["train.mode=learn", &set], settings].concat())).expect("a plan");
    let mut seen = Recorder::default();
    train(&plan, &dir.join(name), &mut seen)?;
    assert!(seen.warnings.is_empty(), "{:?}", seen.warnings);
    let (checkpoint, _) = Checkpoint::newest(&dir.join(name).join("checkpoints")).expect("a checkpoint");
    assert_eq!(checkpoint.meta.updates, 4);
    Ok(weights(&checkpoint.load_agent(plan.agent(&device())).expect("its weights")))
}

#[test]
fn a_run_learns_the_same_from_them_as_from_our_own() {
    let dir = tempfile::tempdir().expect("a folder");
    train(&Plan::new(tiny(&[])).expect("a plan"), &dir.path().join("expert"), &mut Recorder::default())
        .expect("a whole run");
    let replay = dir.path().join("expert/replay");
    converted(&replay, &dir.path().join("flat"));
    converted(&replay, &dir.path().join("original/buffer/fifo"));
    fs::create_dir_all(dir.path().join("original/buffer/protected")).expect("a folder");
    let own = learn(dir.path(), "own", &replay, &[]).expect("a run");
    for folder in ["flat", "original"] {
        let theirs = learn(dir.path(), &format!("from-{folder}"), &dir.path().join(folder), &[])
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(theirs == own, "{folder}");
    }
    // Of another task.
    let other = ["env={id=\"point-robot\"}"];
    let error = learn(dir.path(), "other", &dir.path().join("flat"), &other).map(drop);
    assert!(
        matches!(error, Err(TrainError::Dataset(amago_dataset::DatasetError::Spaces { .. }))),
        "{error:?}"
    );
}

#[test]
fn what_cannot_be_learned_from_is_told_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = dir.path().join("expert");
    train(&Plan::new(tiny(&[])).expect("a plan"), &expert, &mut Recorder::default()).expect("a whole run");
    let mixed = dir.path().join("mixed");
    converted(&expert.join("replay"), &mixed);
    let store = Store::read(expert.join("replay"), StoreConfig::default()).expect("a replay");
    let id = store.sample_ids(1, &mut amago_env::rng(0, amago_env::Role::Replay, 0, 0)).expect("one")[0];
    let mut arrays = npz_file::arrays(&store.get(id).expect("readable").expect("there"));
    arrays[2].1.2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    npz_file::write(&mixed.join("nan.npz"), &arrays, zip::CompressionMethod::Stored);
    let set = format!("replay.datasets=[{{ path = '{}' }}]", mixed.display());
    let config = tiny(&["train.mode=learn", "train.batches_per_epoch=40", &set]);
    let mut seen = Recorder::default();
    train(&Plan::new(config).expect("a plan"), &dir.path().join("run"), &mut seen).expect("a run");
    let nan = mixed.join("nan.npz");
    let told: Vec<_> = seen.warnings.iter().filter(|w| w.contains(&nan.display().to_string())).collect();
    assert_eq!((told.len(), nan.exists()), (1, true), "{:?}", seen.warnings);
    assert!(told[0].contains("\"rews\" holds NaN"), "{told:?}");
}

#[test]
fn initial_weights_are_settings() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = "[env]\nid = \"tmaze-passive\"\n[replay]\ninitial_weight = 0\nanneal_epochs = 5\n\
        [[replay.datasets]]\npath = \"x\"\nweight = 0.5\ninitial_weight = 2.0\n[[replay.datasets]]\npath = \"y\"\n";
    let config = load(text, &[]).expect("a config");
    let replay = &config.replay;
    assert_eq!((replay.initial_weight, replay.anneal_epochs), (Some(0.0), 5));
    assert_eq!(replay.datasets.iter().map(|d| d.initial_weight).collect::<Vec<_>>(), [Some(2.0), None]);
    assert_eq!(
        load(text, &["replay.initial_weight=0.25"]).expect("a config").replay.initial_weight,
        Some(0.25)
    );
    // It survives being written down; without it nothing is written.
    let folder = dir.path().join("run");
    RunDir::create(&folder, &config).expect("a folder");
    assert_eq!(RunDir::open(&folder).expect("a run").1, config);
    let folder = dir.path().join("plain");
    RunDir::create(&folder, &tiny(&[])).expect("a folder");
    assert!(!fs::read_to_string(folder.join("config.toml")).expect("text").contains("initial_weight"));
    for (setting, name) in [
        ("replay.initial_weight=-1", "replay.initial_weight = -1"),
        ("replay.initial_weight=nan", "replay.initial_weight = NaN"),
        (
            "replay.datasets=[{path=\"x\", initial_weight=1e12}]",
            "replay.datasets.initial_weight = 1000000000000",
        ),
    ] {
        let error = Plan::new(tiny(&[setting])).map(drop).expect_err(setting).to_string();
        assert!(error.contains(name) && error.contains("from 0 to 1e9"), "{error}");
    }
    let error = load(text, &["replay.initial_weight=\"much\""]).expect_err("no number").to_string();
    assert!(error.contains("replay.initial_weight"), "{error}");
}
