//! Checkpoints: each way to damage one is found, and an older whole one takes its place.

mod support;

use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use amago_trainer::{Checkpoint, CheckpointMeta, Plan};
use support::{Recorder, device, seal, tiny, train};

/// A run with three checkpoints, newest last.
fn run(dir: &Path) -> [PathBuf; 3] {
    let config = tiny(&["train.epochs=3", "train.checkpoint_interval=1", "train.keep_checkpoints=3"]);
    let mut seen = Recorder::default();
    train(&Plan::new(config).expect("a plan"), &dir.join("run"), &mut seen).expect("a whole run");
    seen.checkpoints.try_into().expect("three checkpoints")
}

/// The file at fault must be named.
fn check_refused(checkpoint: &Path, file: &Path, what: &str) {
    let error = Checkpoint::open(checkpoint).expect_err(what).to_string();
    assert!(error.contains(&file.display().to_string()), "{what}: {error}");
}

#[test]
fn every_flipped_bit_of_a_manifest_is_found_or_harmless() {
    let dir = tempfile::tempdir().expect("a folder");
    let [.., newest] = run(dir.path());
    let file = newest.join("manifest.json");
    let whole = fs::read(&file).expect("a manifest");
    let meta = Checkpoint::open(&newest).expect("whole").meta;
    assert_eq!(meta, CheckpointMeta { epoch: 3, updates: 6, env_steps: 48, ..CheckpointMeta::default() });
    let mut harmless = 0;
    // Written in place: replacing a file thousands of times is slow on some file systems.
    let mut writer = fs::File::options().write(true).open(&file).expect("writable");
    for bit in 0..8 * whole.len() {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        writer.rewind().and_then(|()| writer.write_all(&bytes)).expect("writable");
        match Checkpoint::open(&newest) {
            // White space has several forms.
            Ok(checkpoint) => {
                assert_eq!(checkpoint.meta, meta, "bit {bit}");
                harmless += 1;
            }
            Err(e) => assert!(e.to_string().contains(&newest.display().to_string()), "bit {bit}: {e}"),
        }
    }
    assert!(harmless < whole.len() / 2, "{harmless} of {} bits do not matter", 8 * whole.len());
}

#[test]
fn every_cut_and_a_flip_anywhere_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let [.., newest] = run(dir.path());
    for name in ["manifest.json", "agent.bpk", "optimizer.bpk", "state.msgpack"] {
        let file = newest.join(name);
        let whole = fs::read(&file).expect("a file");
        for len in [0, 1, whole.len() / 3, whole.len() - 2] {
            fs::write(&file, &whole[..len]).expect("writable");
            check_refused(&newest, &file, &format!("{name} cut to {len}"));
        }
        for i in (0..whole.len()).step_by(whole.len() / 20).filter(|_| name != "manifest.json") {
            let mut bytes = whole.clone();
            bytes[i] ^= 0x10;
            fs::write(&file, &bytes).expect("writable");
            check_refused(&newest, &file, &format!("{name}, byte {i} flipped"));
        }
        fs::remove_file(&file).expect("there is one");
        check_refused(&newest, &file, &format!("{name} removed"));
        fs::write(&file, &whole).expect("writable");
    }
    Checkpoint::open(&newest).expect("whole again");
}

#[test]
fn the_newest_whole_one_is_used_and_what_is_wrong_with_newer_ones_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let [oldest, middle, newest] = run(dir.path());
    let folder = dir.path().join("run/checkpoints");
    fs::write(newest.join("agent.bpk"), "cut").expect("writable");
    fs::remove_file(middle.join("manifest.json")).expect("there is one");
    let (found, damaged) = Checkpoint::newest(&folder).expect("the oldest is whole");
    assert_eq!(found.path(), oldest);
    let [first, second] = &damaged[..] else { panic!("{damaged:?}") };
    assert!(first.to_string().contains(&newest.join("agent.bpk").display().to_string()), "{first}");
    assert!(second.to_string().contains(&middle.join("manifest.json").display().to_string()), "{second}");
    fs::remove_dir_all(&oldest).expect("there is one");
    let error = Checkpoint::newest(&folder).expect_err("none is whole").to_string();
    assert!(error.contains(&newest.join("agent.bpk").display().to_string()), "{error}");
    for path in [&middle, &newest] {
        fs::remove_dir_all(path).expect("there is one");
    }
    let error = Checkpoint::newest(&folder).expect_err("there is none").to_string();
    assert!(error.contains(&folder.display().to_string()) && error.contains("none"), "{error}");
}

#[test]
fn another_version_is_told_apart_from_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    let [.., newest] = run(dir.path());
    let file = newest.join("manifest.json");
    let text = fs::read_to_string(&file).expect("text").replace("\"version\": 3", "\"version\": 7");
    fs::write(&file, text).expect("writable");
    let error = Checkpoint::open(&newest).expect_err("another version").to_string();
    assert!(error.contains("version 7") && error.contains("version 3"), "{error}");
}

#[test]
fn the_one_just_saved_is_the_newest_and_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let [.., learned] = run(dir.path());
    let plan = Plan::new(tiny(&[])).expect("a plan");
    let learner = plan.learner(plan.agent(&device().autodiff()));
    let save =
        |folder: &Path, meta, keep| Checkpoint::save(folder, &learner, meta, None, keep).expect("room");
    // As many updates each time, as while collecting.
    let folder = dir.path().join("same");
    for keep in [1, 2, 3] {
        for _ in 0..12 {
            let saved = save(&folder, CheckpointMeta::default(), keep);
            let (newest, damaged) = Checkpoint::newest(&folder).expect("just saved");
            assert!(damaged.is_empty(), "{damaged:?}");
            assert_eq!(newest.path(), saved);
        }
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), keep);
    }
    // Back behind a damaged one.
    fs::write(learned.join("agent.bpk"), "cut").expect("writable");
    let meta = CheckpointMeta { updates: 5, ..CheckpointMeta::default() };
    let folder = learned.parent().expect("a folder");
    let saved = save(folder, meta, 1);
    let (newest, damaged) = Checkpoint::newest(folder).expect("just saved");
    assert_eq!((newest.path(), damaged.len()), (saved.as_path(), 1));
}

/// An optimiser's file, in which a tensor has lost the number of its parameter: Burn panics.
const MUTANT: &[u8] = include_bytes!("corpus/optimizer-mutant.bpk");

#[test]
fn files_with_right_checksums_are_checked_before_burn_takes_them_in() {
    let dir = tempfile::tempdir().expect("a folder");
    let [.., newest] = run(dir.path());
    let plan = Plan::new(tiny(&[])).expect("a plan");
    let load = || {
        let checkpoint = Checkpoint::open(&newest).expect("the checksums are right");
        let learner = plan.learner(plan.agent(&device().autodiff()));
        checkpoint.load_learner(learner).map(drop).map_err(|e| e.to_string())
    };
    let check = |file: &str, bytes: &[u8], expected: &str| {
        let path = newest.join(file);
        let whole = fs::read(&path).expect("a file");
        fs::write(&path, bytes).expect("writable");
        seal(&newest);
        let error = load().expect_err(expected);
        assert!(error.contains(&path.display().to_string()) && error.contains(expected), "{error}");
        fs::write(&path, &whole).expect("writable");
        seal(&newest);
        assert_eq!(load(), Ok(()));
    };
    let (agent, optimizer) = ("agent.bpk", "optimizer.bpk");
    check(optimizer, MUTANT, "belongs to no parameter");
    let whole = |file: &str| fs::read(newest.join(file)).expect("a file");
    let (networks, moments) = (whole(agent), whole(optimizer));
    let replaced = |bytes: &[u8], from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|w| w == from).expect("it is there");
        let mut bytes = bytes.to_vec();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    // The file of another checkpoint's networks has the same numbers of parameters, but no state.
    check(optimizer, &networks, "is no moment of a parameter");
    check(agent, &moments, "numbered as another tensor is");
    check(optimizer, &replaced(&moments, b"momentum.moment_2", b"momentum.moment_3"), "is no moment");
    check(optimizer, &replaced(&moments, b".momentum.time", b".momentum.tome"), "no number of steps");
    check(optimizer, &replaced(&moments, b".__rank", b".__rang"), "incomplete or of another rank");
    check(optimizer, &replaced(&moments, b"cF32", b"cI32"), "is of the type I32, not F32");
    // The last tensor of a file ends with it.
    let with_last = |bytes: &[u8], last: f32| [&bytes[..bytes.len() - 4], &last.to_le_bytes()].concat();
    check(optimizer, &with_last(&moments, f32::NAN), "holds NaN, not a finite number");
    check(agent, &with_last(&networks, f32::INFINITY), "holds inf, not a finite number");
}
