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

/// Each episode is one of two tasks, which differ in their rewards and in what they show.
#[test]
fn so_does_one_of_many_tasks() {
    let tasks = "tasks=[{id=\"tmaze-passive\", options={corridor_length=3}, reward_scale=100}, \
                 {id=\"tmaze-active\", options={corridor_length=2, k_shot=2}, weight=2}]";
    check_every_moment(&["env.id=\"\"", "env.options={}", tasks, "train.pad_tasks=true"]);
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

/// Asks to stop at the so-manieth step or update.
struct StopAt {
    left: usize,
    stop: StopFlag,
}

impl Observer for StopAt {
    fn event(&mut self, event: Event<'_>) {
        if matches!(event, Event::Collect { .. } | Event::Learn { .. }) {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.stop.stop();
            }
        }
    }
}

/// Trains until the so-manieth step or update, and goes on twice: to another stop and to the end.
fn stopped_twice(config: &RunConfig, run: &Path, events: usize) {
    let (plan, folder) =
        (Plan::new(config.clone()).expect("a plan"), RunDir::create(run, config).expect("a folder"));
    let mut trainer = Trainer::new(plan.clone(), folder.clone(), &device()).expect("a trainer");
    let until = |trainer: &mut Trainer, left| {
        let stop = StopFlag::default();
        trainer.run(&stop, &mut StopAt { left, stop: stop.clone() }).expect("it stops")
    };
    assert!(until(&mut trainer, events).stopped);
    drop(trainer);
    let mut trainer = Trainer::resume(plan, folder, &device()).expect("it goes on");
    until(&mut trainer, 2);
    drop(trainer);
    resume(run, &[], &mut Silent).expect("it goes on");
}

#[test]
fn an_epoch_in_which_a_run_is_stopped_is_told_whole() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let config = tiny(&SETTINGS);
    let expected = metrics(&whole(&config, dir.path(), |_| false).0);
    // An epoch is seven steps and two updates.
    for events in [3, 7, 8, 13, 30] {
        let run = dir.path().join(format!("stopped-{events}"));
        stopped_twice(&config, &run, events);
        let lines = metrics(&run);
        assert_eq!(lines.len(), expected.len());
        for (line, expected) in lines[1..].iter().zip(&expected[1..]) {
            for part in ["epoch", "env_steps", "updates", "skipped_updates", "rollout", "replay"] {
                assert_eq!(line[part], expected[part], "stopped after {events}: {part}");
            }
            // Memories are made again at the stop, which rounds differently.
            for name in ["loss", "grad_norm", "learning_rate"] {
                let number = |line: &serde_json::Value| line["train"][name].as_f64().expect("a number");
                let (got, wanted) = (number(line), number(expected));
                assert!(
                    (got - wanted).abs() <= 1e-3 * wanted.abs(),
                    "stopped after {events}: {got} {wanted}"
                );
            }
        }
    }
}

#[test]
fn what_is_told_of_epochs_adds_up_to_the_run() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    for (i, mode) in ["train.mode=alternate", "train.mode=both"].into_iter().enumerate() {
        let run = dir.path().join(i.to_string());
        stopped_twice(&tiny(&[&SETTINGS[..], &[mode]].concat()), &run, 4);
        let mut steps = 0;
        for line in &support::lines(&run)[1..] {
            steps += line["rollout"]["env_steps"].as_u64().expect("a count");
            assert_eq!(line["env_steps"].as_u64(), Some(steps), "{mode}");
            assert_eq!(line["rollout"]["env_steps"], 14, "{mode}");
            // At the same time, nothing is there to learn from in the first epoch.
            let learns = mode != "train.mode=both" || line["epoch"] != 1;
            assert_eq!(line["train"]["loss"].is_number(), learns, "{mode}: {line}");
        }
    }
}

/// Resumes up to an epoch; what was warned of.
fn warnings(run: &Path, epochs: usize) -> String {
    let mut seen = support::Recorder::default();
    resume(run, &[&format!("train.epochs={epochs}")], &mut seen).expect("it goes on");
    seen.warnings.join("\n")
}

#[test]
fn lost_metrics_are_told() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let (run, _) = whole(&tiny(&["train.epochs=4"]), dir.path(), |_| false);
    let file = run.join("metrics.jsonl");
    let text = || fs::read_to_string(&file).expect("metrics");
    let epochs = || support::lines(&run)[1..].iter().map(|l| l["epoch"].as_u64()).collect::<Vec<_>>();
    assert!(!warnings(&run, 4).contains("metrics"), "nothing is lost");

    // One line is damaged in the middle: the others stay.
    let line = |(i, line): (usize, &str)| if i == 2 { "{\n".to_owned() } else { format!("{line}\n") };
    let damaged: String = text().lines().enumerate().map(line).collect();
    fs::write(&file, &damaged).expect("written");
    let told = warnings(&run, 5);
    assert!(told.contains("1 lines of metrics.jsonl are damaged") && told.contains("epochs 2;"), "{told}");
    assert_eq!(fs::read_to_string(run.join("metrics.damaged-1.jsonl")).ok(), Some(damaged));
    assert_eq!(epochs(), [Some(1), Some(3), Some(4), Some(5)]);
    assert_eq!(support::lines(&run)[0]["lost_epochs"], "2");
    assert!(!warnings(&run, 6).contains("metrics"), "told once");

    // All of it is gone.
    fs::remove_file(&file).expect("removed");
    let told = warnings(&run, 7);
    assert!(told.contains("lost the lines of epochs 1-6; its header says so"), "{told}");
    assert_eq!((epochs(), &support::lines(&run)[0]["lost_epochs"]), (vec![Some(7)], &"1-6".into()));
    assert!(!warnings(&run, 8).contains("metrics"), "told once");
}
