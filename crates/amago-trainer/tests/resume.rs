//! Runs that are cut off at any moment and go on as if nothing had happened.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use amago_trainer::{
    Checkpoint, Event, Observer, Outcome, Plan, RunConfig, RunDir, Silent, StopFlag, TrainError, Trainer,
};
use support::{alone, device, tiny};

/// Six epochs of which every second is saved, a replay that forgets, noise.
const SETTINGS: [&str; 7] = [
    "train.epochs=6",
    "train.checkpoint_interval=2",
    "train.timesteps_per_epoch=7",
    "replay.max_trajectories=5",
    "eval.interval=2",
    "exploration.kind=epsilon_greedy",
    "optim.warmup=2",
];
/// Draws while learning.
const DROPOUT: &str = "agent.traj_encoder.dropout_ff=0.1";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|e| e.expect("an entry")) {
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            // Another thread may be about to publish it.
            false if target.extension().is_some_and(|e| e == "tmp") => {}
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// Copies the run folder at chosen events, as if the process had been killed there.
struct Cuts {
    run: PathBuf,
    at: Box<dyn FnMut(&Event<'_>) -> bool>,
    copies: Vec<PathBuf>,
}

impl Observer for Cuts {
    fn event(&mut self, event: Event<'_>) {
        if (self.at)(&event) {
            let target = self.run.with_file_name(format!("cut-{}", self.copies.len()));
            copy(&self.run, &target);
            self.copies.push(target);
        }
    }
}

fn whole(
    config: &RunConfig,
    dir: &Path,
    at: impl FnMut(&Event<'_>) -> bool + 'static,
) -> (PathBuf, Vec<PathBuf>) {
    let plan = Plan::new(config.clone()).expect("a legal plan");
    let run = dir.join("whole");
    let folder = RunDir::create(&run, config).expect("a folder");
    let mut cuts = Cuts { run: run.clone(), at: Box::new(at), copies: Vec::new() };
    let mut trainer = Trainer::new(plan, folder, &device()).expect("a trainer");
    trainer.run(&StopFlag::default(), &mut cuts).expect("a whole run");
    (run, cuts.copies)
}

fn resume(run: &Path, overrides: &[&str], observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    let (run, config) = RunDir::open_with(run, &overrides)?;
    Trainer::resume(Plan::new(config)?, run, &device())?.run(&StopFlag::default(), observer)
}

/// Names and contents of a folder, sorted.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").path());
    let mut files: Vec<_> = entries
        .map(|path| {
            (
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                fs::read(&path).expect("a file"),
            )
        })
        .collect();
    files.sort();
    files
}

/// Lines of the metrics without their times.
fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let mut lines = support::lines(run);
    for line in &mut lines[1..] {
        line["time"] = serde_json::Value::Null;
        line["rollout"]["seconds"] = serde_json::Value::Null;
        if line["eval"].is_object() {
            line["eval"]["steps_per_second"] = serde_json::Value::Null;
        }
    }
    lines
}

/// Everything that two runs must share: weights, optimiser, replay, metrics.
fn check_equal(expected: &Path, run: &Path, what: &str) {
    let newest = |run: &Path| Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint").0;
    let (left, right) = (newest(expected), newest(run));
    assert_eq!(left.meta, right.meta, "{what}");
    // Not the optimiser's file, which has no order; what it does shows in the weights.
    let weights = |c: &Checkpoint| fs::read(c.path().join("agent.bpk")).expect("a file");
    assert!(weights(&left) == weights(&right), "{what}: the weights differ");
    let state = |c: &Checkpoint| {
        let state = c.load_state().expect("readable").expect("there");
        (state.replay, state.collector, state.best)
    };
    assert!(state(&left) == state(&right), "{what}: the rest of the state differs");
    for part in ["replay/buffer", "replay/protected"] {
        assert!(contents(&expected.join(part)) == contents(&run.join(part)), "{what}: {part} differs");
    }
    assert_eq!(metrics(expected), metrics(run), "{what}");
}

/// Cuts a run off at every event after its first checkpoint.
fn check_every_moment(settings: &[&str]) {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let config = tiny(&[&SETTINGS[..], settings].concat());
    let mut saved = false;
    let (expected, cuts) = whole(&config, dir.path(), move |event| {
        let after = saved;
        saved |= matches!(event, Event::Checkpoint(_));
        after
    });
    assert!(cuts.len() > 20, "{} moments", cuts.len());
    for (i, cut) in cuts.iter().enumerate() {
        resume(cut, &[], &mut Silent).unwrap_or_else(|e| panic!("{settings:?}, moment {i}: {e}"));
        check_equal(&expected, cut, &format!("{settings:?}, moment {i}"));
    }
}

#[test]
fn a_run_cut_off_anywhere_ends_as_if_it_had_not_been() {
    check_every_moment(&[DROPOUT]);
}

#[test]
fn so_does_one_that_collects_while_it_learns() {
    check_every_moment(&["train.mode=both", DROPOUT]);
}

#[test]
fn so_does_one_of_another_kind() {
    check_every_moment(&[
        "agent.traj_encoder.kind=gru",
        "agent.traj_encoder.d_hidden=8",
        "replay.traj_save_len=5",
        "replay.traj_save_stagger=true",
    ]);
}
