//! Run folders that several want at once, and what is left of those who were killed while they made one.

mod support;

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use amago_trainer::{RunDir, TrainError};
use support::{names, tiny};

/// Runs `work` in so many threads that begin together.
fn together<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    let (start, work) = (Barrier::new(threads), &work);
    let run = || {
        start.wait();
        work()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|t| t.join().expect("no panic")).collect()
    })
}

#[test]
fn each_gets_a_number_of_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let (base, config) = (dir.path().join("runs"), tiny(&[]));
    let create = || RunDir::create_next(&base, "maze", &config).expect("a folder");
    let made = together(8, || (0..25).map(|_| create()).collect::<Vec<_>>()).concat();
    let mut got: Vec<_> = made.iter().map(|run| run.path().to_owned()).collect();
    got.sort();
    assert_eq!(got, (1..=200).map(|i| base.join(format!("maze-{i:03}"))).collect::<Vec<_>>());
    for run in &made {
        assert_eq!(RunDir::open(run.path()).expect("whole").1, config);
        assert!(run.checkpoints().is_dir());
    }
    assert_eq!(names(&base).len(), 200, "left in the making: {:?}", names(&base));
}

#[test]
fn one_gets_the_folder_that_all_want() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = tiny(&[]);
    for round in 0..25 {
        let run = dir.path().join(format!("run{round}"));
        if round % 2 == 1 {
            fs::create_dir(&run).expect("an empty folder is as good as none");
        }
        let results = together(8, || RunDir::create(&run, &config));
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "{lost:?}");
        for error in lost.into_iter().map(|result| result.expect_err("lost")) {
            assert!(matches!(&error, TrainError::RunDirExists(path) if *path == run), "{error}");
        }
        assert_eq!(RunDir::open(&run).expect("whole").1, config);
    }
    assert_eq!(names(dir.path()).len(), 25, "{:?}", names(dir.path()));
}

#[test]
fn whatever_is_there_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let [file, full, link] = ["file", "full", "link"].map(|name| dir.path().join(name));
    fs::write(&file, "mine").expect("a file");
    fs::create_dir(&full).expect("a folder");
    fs::write(full.join("note"), "mine").expect("a file");
    for taken in [&file, &full] {
        let error = RunDir::create(taken, &tiny(&[])).expect_err("taken");
        assert!(matches!(&error, TrainError::RunDirExists(path) if path == taken), "{error}");
    }
    assert_eq!(
        (fs::read(&file).ok(), fs::read(full.join("note")).ok()),
        (Some(b"mine".into()), Some(b"mine".into()))
    );
    // A link to an empty folder elsewhere.
    #[cfg(unix)]
    {
        fs::create_dir(dir.path().join("elsewhere")).expect("a folder");
        std::os::unix::fs::symlink("elsewhere", &link).expect("a link");
        RunDir::create(&link, &tiny(&[])).expect("empty");
        assert!(link.is_symlink() && RunDir::open(&dir.path().join("elsewhere")).is_ok());
    }
    #[cfg(not(unix))]
    drop(link);
}

/// As a killed process leaves it, so long ago.
fn leave(path: &Path, file: &str, hours: u64) {
    fs::create_dir_all(path.join("checkpoints")).expect("a folder");
    fs::write(path.join(file), "half").expect("a file");
    let then = SystemTime::now() - Duration::from_secs(3600 * hours);
    let folder = File::open(path).expect("the folder");
    folder.set_times(FileTimes::new().set_modified(then)).expect("another time");
}

#[test]
#[cfg(unix)]
fn what_killed_processes_left_goes_away() {
    let dir = tempfile::tempdir().expect("a folder");
    leave(&dir.path().join(".amago-abc123.making"), "config.toml", 2);
    leave(&dir.path().join(".run-001.making"), "config.toml", 2);
    leave(&dir.path().join(".amago-others.making"), "config.toml", 0);
    leave(&dir.path().join(".mine.making"), "note", 2);
    for _ in 0..2 {
        RunDir::create_next(dir.path(), "run", &tiny(&[])).expect("undisturbed");
    }
    let left = [".amago-others.making", ".mine.making", "run-001", "run-002"];
    assert_eq!(names(dir.path()), left, "those of a living process and of somebody else stay");
}
