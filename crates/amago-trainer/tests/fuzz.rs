//! Mutated checkpoints: typed errors and no panic. `AMAGO_FUZZ_CASES` says how many.

#[path = "../../amago-replay/tests/replay/mutate.rs"]
mod mutate;
mod support;

use std::fs;
use std::path::Path;

use amago_env::{Role, rng};
use amago_trainer::{Checkpoint, Plan, RunDir, RunState, StopFlag, Trainer};
use mutate::mutate;
use support::{Recorder, alone, device, seal, tiny, train};

/// Reads everything that a resumed run reads; tells whether it could be read.
fn read(plan: &Plan, checkpoint: &Path) -> bool {
    let device = device().autodiff();
    let fresh = || plan.learner(plan.agent(&device));
    Checkpoint::open(checkpoint).is_ok_and(|c| c.load_learner(fresh()).is_ok() && c.load_state().is_ok())
}

fn cases() -> usize {
    std::env::var("AMAGO_FUZZ_CASES").map_or(10_000, |n| n.parse().expect("a number"))
}

#[test]
fn mutated_checkpoints_are_refused_or_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = Plan::new(tiny(&[])).expect("a legal plan");
    train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect("a whole run");
    let checkpoint =
        Checkpoint::newest(&dir.path().join("run/checkpoints")).expect("one").0.path().to_owned();
    assert!(read(&plan, &checkpoint));
    let mut draws = rng(0, Role::Replay, 0, 0);
    let files = ["manifest.json", "agent.bpk", "optimizer.bpk", "state.msgpack"];
    let mut unharmed = 0;
    for file in files {
        let path = checkpoint.join(file);
        let whole = fs::read(&path).expect("a file");
        for _ in 0..cases() / files.len() {
            let bytes = mutate(&whole, &mut draws);
            fs::write(&path, &bytes).expect("writable");
            let readable = read(&plan, &checkpoint);
            assert!(!readable || bytes == whole || file == "manifest.json", "{file}: damage was not met");
            unharmed += usize::from(readable);
        }
        fs::write(&path, &whole).expect("writable");
    }
    assert!(unharmed < cases() / 20, "{unharmed} mutations of {} went through", cases());
    assert!(read(&plan, &checkpoint));
}

/// The index and the running episodes, without the checksum before them.
#[test]
fn mutated_states_are_refused_or_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = Plan::new(tiny(&[])).expect("a legal plan");
    train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect("a whole run");
    let (checkpoint, _) = Checkpoint::newest(&dir.path().join("run/checkpoints")).expect("one");
    let whole = fs::read(checkpoint.path().join("state.msgpack")).expect("a file");
    let mut draws = rng(1, Role::Replay, 0, 0);
    let read = |bytes: &[u8]| rmp_serde::from_slice::<RunState>(bytes).ok();
    assert!(read(&whole).is_some());
    let readable = (0..cases()).filter_map(|_| read(&mutate(&whole, &mut draws))).count();
    assert!(readable > cases() / 100, "{readable}: nothing but the first byte is met");
}

/// The same files with right checksums, as somebody who means harm would make them: what is read must also train.
#[test]
fn sealed_mutations_are_refused_or_train() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    let plan = Plan::new(tiny(&["train.epochs=1"])).expect("a legal plan");
    train(&plan, &run, &mut Recorder::default()).expect("a whole run");
    let (checkpoint, _) = Checkpoint::newest(&run.join("checkpoints")).expect("one");
    let folder = checkpoint.path().to_owned();
    let longer = ["train.epochs=2".to_owned(), "train.checkpoint_interval=9".to_owned()];
    let mut draws = rng(2, Role::Replay, 0, 0);
    let _alone = alone();
    let mut gone_on = 0;
    for file in ["agent.bpk", "optimizer.bpk", "state.msgpack"] {
        let path = folder.join(file);
        let whole = fs::read(&path).expect("a file");
        // A run takes longer than a read.
        for _ in 0..cases() / 30 {
            fs::write(&path, mutate(&whole, &mut draws)).expect("writable");
            seal(&folder);
            let copy = tempfile::tempdir().expect("a folder");
            copy_all(&run, copy.path());
            let (run, config) = RunDir::open_with(copy.path(), &longer).expect("a run");
            let plan = Plan::new(config).expect("a plan");
            let trainer = Trainer::resume(plan, run, &device());
            let Ok(mut trainer) = trainer else { continue };
            gone_on += usize::from(trainer.run(&StopFlag::default(), &mut Recorder::default()).is_ok());
        }
        fs::write(&path, &whole).expect("writable");
    }
    assert!(gone_on > cases() / 1000, "{gone_on}: all were refused");
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|e| e.expect("an entry").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy_all(&entry, &target);
        } else {
            fs::copy(&entry, target).expect("copied");
        }
    }
}
