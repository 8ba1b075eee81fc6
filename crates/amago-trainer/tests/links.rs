//! Symbolic links in a run folder: a run that goes on writes nowhere else.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use amago_replay::ReplayError;
use amago_trainer::{Plan, RunDir, StopFlag, TrainError, Trainer};
use support::{Recorder, alone, device, names, tiny, train};

fn run(dir: &Path) -> std::path::PathBuf {
    let run = dir.join("run");
    train(&Plan::new(tiny(&[])).expect("a plan"), &run, &mut Recorder::default()).expect("a whole run");
    run
}

fn resume(run: &Path) -> Result<(), TrainError> {
    let (run, config) = RunDir::open_with(run, &["train.epochs=3".to_owned()])?;
    let _alone = alone();
    Trainer::resume(Plan::new(config)?, run, &device())?
        .run(&StopFlag::default(), &mut Recorder::default())?;
    Ok(())
}

#[test]
fn a_run_folder_with_links_is_refused_and_nothing_outside_changes() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = run(dir.path());
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("treasure.tmp"), "mine").expect("writable");
    let checkpoint = names(&run.join("checkpoints")).pop().expect("a checkpoint");
    for name in [
        "config.toml.tmp",
        "metrics.jsonl",
        "lock",
        "replay",
        "replay/buffer",
        "replay/lock",
        "checkpoints",
        "best",
        "bad_batches",
        &format!("checkpoints/{checkpoint}/agent.bpk"),
        "checkpoints/.writing-00000009",
    ] {
        let path = run.join(name);
        let kept = dir.path().join("kept");
        let there = path.exists();
        if there {
            fs::rename(&path, &kept).expect("moved");
        }
        let is_folder = kept.is_dir() || matches!(name, "bad_batches" | "checkpoints/.writing-00000009");
        let target = if is_folder { outside.clone() } else { outside.join("treasure.tmp") };
        symlink(&target, &path).expect("a link");
        match resume(&run) {
            Err(TrainError::Replay(ReplayError::Link { path: found })) => assert_eq!(found, path),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(names(&outside), ["treasure.tmp"], "{name}");
        assert_eq!(fs::read(outside.join("treasure.tmp")).expect("there"), b"mine", "{name}");
        fs::remove_file(&path).expect("the link");
        if there {
            fs::rename(&kept, &path).expect("moved back");
        }
    }
    // The folder itself may be reached through one.
    let link = dir.path().join("link");
    symlink(&run, &link).expect("a link");
    resume(&link).expect("three epochs");
    assert_eq!(support::lines(&run).len(), 4);
}

#[test]
fn a_link_that_comes_later_is_not_followed_by_the_config() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = run(dir.path());
    let (folder, mut config) = RunDir::open(&run).expect("a run");
    let treasure = dir.path().join("treasure");
    fs::write(&treasure, "mine").expect("writable");
    symlink(&treasure, run.join("config.toml.tmp")).expect("a link");
    config.train.epochs = 7;
    folder.write_config(&config).expect("writable");
    assert_eq!(fs::read(&treasure).expect("there"), b"mine");
    assert_eq!(RunDir::open(&run).expect("a run").1.train.epochs, 7);
    assert!(!run.join("config.toml").is_symlink());
}

#[test]
fn pipes_in_the_place_of_files_are_errors() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = run(dir.path());
    let newest = names(&run.join("checkpoints")).pop().expect("a checkpoint");
    for name in ["config.toml", "metrics.jsonl", "lock", &format!("checkpoints/{newest}/state.msgpack")] {
        let path = run.join(name);
        let kept = dir.path().join("kept");
        fs::rename(&path, &kept).expect("moved");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        let error = resume(&run).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("not a regular file"), "{name}: {error}");
        fs::remove_file(&path).expect("the pipe");
        fs::rename(&kept, &path).expect("moved back");
    }
}
