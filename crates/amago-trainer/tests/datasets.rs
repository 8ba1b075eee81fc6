//! Learning from folders that other runs collected.

mod support;

use std::path::Path;

use amago_replay::{Store, StoreConfig};
use amago_trainer::{Checkpoint, Plan, TrainError};
use support::{Recorder, lines, names, tiny, train};

/// A finished run whose replay others learn from.
fn expert(dir: &Path) -> String {
    let run = dir.join("expert");
    train(&Plan::new(tiny(&[])).expect("a plan"), &run, &mut Recorder::default()).expect("a whole run");
    run.join("replay").display().to_string()
}

fn datasets(folders: &[(&str, f64)]) -> String {
    let list: Vec<_> = folders.iter().map(|(f, w)| format!("{{ path = '{f}', weight = {w} }}")).collect();
    format!("replay.datasets=[{}]", list.join(", "))
}

#[test]
fn a_run_may_only_learn() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let before = names(&Path::new(&expert).join("buffer"));
    let run = dir.path().join("offline");
    let config = tiny(&["train.mode=learn", "train.epochs=3", &datasets(&[(&expert, 1.0)])]);
    let outcome = train(&Plan::new(config).expect("a plan"), &run, &mut Recorder::default()).expect("a run");
    assert_eq!((outcome.meta.updates, outcome.meta.env_steps), (6, 0));
    assert!(outcome.eval.is_some() && !run.join("replay").exists());
    assert_eq!(names(&Path::new(&expert).join("buffer")), before);
    let (checkpoint, _) = Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint");
    assert!(checkpoint.load_state().expect("readable").expect("there").collector.is_none());
}

#[test]
fn datasets_are_mixed_with_what_is_collected() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let own = ["train.min_trajectories=1000"];
    // Its own replay is never ready, but the dataset is.
    let config = tiny(&[&own[..], &[&datasets(&[(&expert, 0.5)])]].concat());
    let run = dir.path().join("mixed");
    let outcome = train(&Plan::new(config).expect("a plan"), &run, &mut Recorder::default()).expect("a run");
    assert_eq!(outcome.meta.updates, 4);
    assert!(
        lines(&run)[1]["replay"]["trajectories"].as_u64()
            > Some(names(&run.join("replay/buffer")).len() as u64)
    );
}

#[test]
fn two_runs_read_one_dataset_while_its_own_run_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let _writer = Store::open(&expert, StoreConfig::default()).expect("the run that collects it");
    let config = tiny(&["train.mode=learn", &datasets(&[(&expert, 1.0), (&expert, 2.0)])]);
    let run = dir.path().join("offline");
    train(&Plan::new(config).expect("a plan"), &run, &mut Recorder::default()).expect("a run");
}

#[test]
fn unusable_datasets_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let expert = expert(dir.path());
    let refused = |settings: &[&str]| {
        let run = dir.path().join("refused");
        let result = Plan::new(tiny(settings)).and_then(|plan| train(&plan, &run, &mut Recorder::default()));
        let _ = std::fs::remove_dir_all(&run);
        result.expect_err("unusable")
    };
    let nothing = refused(&["train.mode=learn"]);
    assert!(matches!(nothing, TrainError::NothingToLearnFrom), "{nothing}");
    let zero = refused(&["train.mode=learn", &datasets(&[(&expert, 0.0)])]);
    assert!(matches!(zero, TrainError::NothingToLearnFrom), "{zero}");
    let negative = refused(&[&datasets(&[(&expert, -1.0)])]);
    assert!(negative.to_string().contains("replay.datasets.weight = -1"), "{negative}");
    let missing = refused(&[&datasets(&[("/no/such/folder", 1.0)])]);
    assert!(missing.to_string().contains("/no/such/folder"), "{missing}");
    let other = refused(&["env.id=dark-key-to-door", "env.options={}", &datasets(&[(&expert, 1.0)])]);
    assert!(other.to_string().contains("layout"), "{other}");
}
