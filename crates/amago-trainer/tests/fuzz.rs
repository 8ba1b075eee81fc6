//! Mutated checkpoints: typed errors and no panic. `AMAGO_FUZZ_CASES` says how many.

#[path = "../../amago-replay/tests/replay/mutate.rs"]
mod mutate;
mod support;

use std::fs;
use std::path::Path;

use amago_env::{Role, rng};
use amago_trainer::{Checkpoint, Plan, RunState};
use mutate::mutate;
use support::{Recorder, device, tiny, train};

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
