//! Epochs that only collect or only learn, and networks that come from another run.

mod support;

use std::path::{Path, PathBuf};

use amago_golden::modules::weights;
use amago_trainer::{Checkpoint, Plan, RunDir, Silent, StopFlag, TrainError, Trainer};
use serde_json::Value;
use support::{Recorder, alone, device, lines, tiny, train};

/// Environment steps and updates after every epoch.
fn counts(run: &Path) -> Vec<(u64, u64)> {
    let number = |line: &Value, name: &str| line[name].as_u64().expect("a number");
    lines(run).iter().skip(1).map(|line| (number(line, "env_steps"), number(line, "updates"))).collect()
}

fn run(dir: &Path, name: &str, settings: &[&str]) -> PathBuf {
    let run = dir.join(name);
    train(&Plan::new(tiny(settings)).expect("a plan"), &run, &mut Recorder::default()).expect("a whole run");
    run
}

/// The replay of a finished run, as a dataset.
fn dataset(dir: &Path) -> String {
    format!("replay.datasets=[{{ path = '{}' }}]", run(dir, "expert", &[]).join("replay").display())
}

fn newest(run: &Path) -> Checkpoint {
    Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint").0
}

#[test]
fn the_first_epochs_may_only_collect() {
    let dir = tempfile::tempdir().expect("a folder");
    let found = counts(&run(dir.path(), "run", &["train.epochs=3", "train.start_learning_at_epoch=2"]));
    let steps = found[0].0;
    assert!(steps > 0);
    assert_eq!(found, [(steps, 0), (2 * steps, 0), (3 * steps, 2)]);
}

#[test]
fn the_first_epochs_may_only_learn_and_a_resumed_run_keeps_to_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = ["train.start_collecting_at_epoch=2", &dataset(dir.path())];
    let whole = run(dir.path(), "whole", &[&settings[..], &["train.epochs=4"]].concat());
    let found = counts(&whole);
    let steps = found[2].0;
    assert!(steps > 0);
    assert_eq!(found, [(0, 2), (0, 4), (steps, 6), (2 * steps, 8)]);

    let part = run(dir.path(), "part", &[&settings[..], &["train.epochs=2"]].concat());
    let plan = Plan::new(tiny(&[&settings[..], &["train.epochs=4"]].concat())).expect("a plan");
    let agent = {
        let _alone = alone();
        let folder = RunDir::open(&part).expect("a run").0;
        let mut trainer = Trainer::resume(plan.clone(), folder, &device()).expect("a checkpoint");
        trainer.run(&StopFlag::default(), &mut Silent).expect("the rest");
        |run: &Path| weights(&newest(run).load_agent(plan.agent(&device())).expect("its weights"))
    };
    assert_eq!(counts(&part), found);
    assert!(agent(&part) == agent(&whole), "the resumed run has learned something else");
}

#[test]
fn a_run_may_collect_nothing_at_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = run(dir.path(), "run", &["train.timesteps_per_epoch=0", &dataset(dir.path())]);
    assert_eq!(counts(&run), [(0, 2), (0, 4)]);
}

#[test]
fn epochs_without_anything_to_learn_from_are_refused() {
    for key in ["train.timesteps_per_epoch=0", "train.start_collecting_at_epoch=1"] {
        let Err(error) = Plan::new(tiny(&[key])) else { panic!("{key} is accepted") };
        let (name, _) = key.split_once('=').expect("a setting");
        let text = error.to_string();
        assert!(text.starts_with(name) && text.ends_with("without replay.datasets"), "{text}");
    }
}

#[test]
fn networks_may_come_from_another_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let origin = newest(&run(dir.path(), "origin", &["seed=5"]));
    let plan = Plan::new(tiny(&["train.batches_per_epoch=0"])).expect("a plan");
    let target = dir.path().join("target");
    let _alone = alone();
    let folder = RunDir::create(&target, &plan.config).expect("a folder");
    let mut trainer = Trainer::new(plan.clone(), folder, &device()).expect("a trainer");
    trainer.init_from(&origin).expect("the same networks");
    let outcome = trainer.run(&StopFlag::default(), &mut Silent).expect("a whole run");
    // Nothing was learned, and nothing counted, since.
    let of =
        |checkpoint: &Checkpoint| weights(&checkpoint.load_agent(plan.agent(&device())).expect("weights"));
    assert!(of(&newest(&target)) == of(&origin) && origin.meta.updates > 0 && outcome.meta.updates == 0);

    let other = Plan::new(tiny(&["agent.actor.d_hidden=24"])).expect("a plan");
    let folder = RunDir::create(&dir.path().join("other"), &other.config).expect("a folder");
    let error = Trainer::new(other, folder, &device()).expect("a trainer").init_from(&origin).unwrap_err();
    assert!(matches!(&error, TrainError::Checkpoint { .. }), "{error}");
}
