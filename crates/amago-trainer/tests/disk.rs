//! A full disk: the message names the file, and what was written before stays whole.

mod support;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amago_env::{Role, rng};
use amago_replay::{Padding, ReplayError, Store, StoreConfig};
use amago_trainer::{
    Checkpoint, EpochRecord, Event, MetricsLog, Observer, Plan, RunDir, StopFlag, TrainError, Trainer,
};
use support::{Recorder, device, tiny, train};

/// A tiny file system, unmounted when dropped. One at a time: a child process, such as `mount`, holds
/// the locks of every open store for the moment before it becomes another program.
struct Tmpfs(tempfile::TempDir, #[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

static ONE_DISK: Mutex<()> = Mutex::new(());

impl Tmpfs {
    fn mount(size: &str) -> Self {
        let alone = ONE_DISK.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(dir.path());
        let output = command.output().expect("a program named mount");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(dir, alone)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily, so that it also goes while a failing test still has files open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// Leaves `left` bytes free.
fn fill(dir: &Path, left: usize) {
    let mut ballast = fs::File::create(dir.join("ballast")).expect("a file");
    while ballast.write_all(&[0; 4096]).is_ok() {}
    let len = ballast.metadata().expect("its size").len();
    ballast.set_len(len.saturating_sub(left as u64)).expect("shorter");
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

/// Everything in a run folder can be read.
fn check_whole(run: &Path) {
    let (_, damaged) = Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint");
    assert!(damaged.is_empty(), "{damaged:?}");
    let (_, config) = RunDir::open(run).expect("a config");
    let names = fs::read_dir(run.join("checkpoints")).expect("a folder");
    let names: Vec<_> =
        names.map(|n| n.expect("an entry").file_name().into_string().expect("text")).collect();
    assert!(names.iter().all(|n| n.starts_with("update-")), "half a checkpoint is left: {names:?}");
    assert!(names.len() <= config.train.keep_checkpoints);
    let store = Store::open(run.join("replay"), StoreConfig { cache_bytes: 0, ..StoreConfig::default() });
    let store = store.expect("a store");
    store.sample_batch(100, 4, Padding::None, &mut rng(0, Role::Replay, 0, 0)).expect("readable");
    assert_eq!((store.damage(), store.open_report().temp_files), (vec![], 0));
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    assert!(text.ends_with('\n'));
    for line in text.lines().skip(1) {
        serde_json::from_str::<EpochRecord>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

#[test]
#[ignore = "a full disk: needs root to mount a small one"]
fn full_disk_by_trajectories() {
    let disk = Tmpfs::mount("1m");
    let run = disk.path().join("run");
    // A trajectory takes a page: 16 KiB per epoch, and one checkpoint in between.
    let endless = tiny(&["train.epochs=10000", "train.checkpoint_interval=30", "train.batches_per_epoch=1"]);
    let mut seen = Recorder::default();
    let error = train(&Plan::new(endless).expect("a plan"), &run, &mut seen).expect_err("1 MiB became full");
    assert_eq!(seen.checkpoints.len(), 1, "{error}");
    // The last page goes to a trajectory or, now and then, to a line of metrics.
    let path = match &error {
        TrainError::Replay(ReplayError::Io { path, cause }) if is_full(cause) => path,
        TrainError::Io { path, cause } if is_full(cause) => path,
        other => panic!("{other}"),
    };
    assert!(path.starts_with(&run) && error.to_string().contains(&path.display().to_string()), "{error}");
    check_whole(&run);
}

/// Fills the disk, up to a rest, when the first checkpoint is written.
struct Filler {
    disk: PathBuf,
    left: usize,
    filled: bool,
}

impl Observer for Filler {
    fn event(&mut self, event: Event<'_>) {
        if matches!(event, Event::Checkpoint(_)) && !self.filled {
            self.filled = true;
            fill(&self.disk, self.left);
        }
    }
}

#[test]
#[ignore = "a full disk: needs root to mount a small one"]
fn full_disk_at_a_checkpoint() {
    // Enough for the trajectories of an epoch, but not for another checkpoint; and hardly anything.
    for left in [48 << 10, 36 << 10] {
        let disk = Tmpfs::mount("2m");
        let config = tiny(&["train.epochs=9", "train.checkpoint_interval=1", "train.timesteps_per_epoch=4"]);
        let run = RunDir::create(&disk.path().join("run"), &config).expect("a run folder");
        let mut trainer =
            Trainer::new(Plan::new(config).expect("a plan"), run.clone(), &device()).expect("set up");
        let mut filler = Filler { disk: disk.path().to_owned(), left, filled: false };
        let error = trainer.run(&StopFlag::default(), &mut filler).expect_err("no room");
        drop(trainer);
        let text = error.to_string();
        assert!(filler.filled && text.contains(&run.checkpoints().display().to_string()), "{left}: {text}");
        assert!(text.contains("No space left") || text.contains("os error 28"), "{left}: {text}");
        check_whole(run.path());
    }
}

#[test]
fn metrics_that_cannot_be_read_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("metrics.jsonl");
    fs::create_dir(&path).expect("what is no file");
    let error = MetricsLog::resume(&path, 1, &device()).map(drop).expect_err("unreadable").to_string();
    assert!(error.contains("metrics.jsonl") && path.is_dir(), "{error}");
}

#[test]
#[ignore = "a full disk: needs root to mount a small one"]
fn full_disk_takes_a_line_of_metrics_back() {
    let disk = Tmpfs::mount("64k");
    let path = disk.path().join("metrics.jsonl");
    let mut log = MetricsLog::create(&path, &device()).expect("room for the header");
    fill(disk.path(), 0);
    let mut written = 0;
    let error = loop {
        match log.epoch(&EpochRecord { epoch: written + 1, ..EpochRecord::default() }) {
            Ok(()) => written += 1,
            Err(e) => break e,
        }
        assert!(written < 1000, "64 KiB never became full");
    };
    let TrainError::Io { path: named, cause } = &error else { panic!("{error}") };
    assert!(*named == path && is_full(cause), "{error}");
    fs::remove_file(disk.path().join("ballast")).expect("room again");
    log.epoch(&EpochRecord { epoch: 77, ..EpochRecord::default() }).expect("there is room");
    let text = fs::read_to_string(&path).expect("text, no zeros");
    let epochs: Vec<usize> = text
        .lines()
        .skip(1)
        .map(|l| serde_json::from_str::<EpochRecord>(l).unwrap_or_else(|e| panic!("{e}: {l}")).epoch)
        .collect();
    assert_eq!(epochs, (1..=written).chain([77]).collect::<Vec<_>>());
}

#[test]
#[ignore = "a full disk: needs root to mount a small one"]
fn full_disk_at_a_run_folder() {
    let disk = Tmpfs::mount("64k");
    fill(disk.path(), 0);
    let error = RunDir::create(&disk.path().join("run"), &tiny(&[])).expect_err("no room");
    let TrainError::Io { path, cause } = &error else { panic!("{error}") };
    assert!(path.starts_with(disk.path().join("run")) && is_full(cause), "{error}");
}
