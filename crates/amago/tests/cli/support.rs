//! Runs the built command in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amago_env::{Role, rng};
use amago_replay::{Padding, Store, StoreConfig};
use serde_json::Value;

/// The config of a run that takes milliseconds.
pub const TINY: &str = include_str!("../../../amago-trainer/tests/support/tiny.toml");

/// A temporary folder in which `tiny.toml` lies and commands run.
pub struct Place(tempfile::TempDir);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("messages are text");
        let ended = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ended.err.contains("panicked"), "{ended:?}");
        ended
    }
}

impl Ended {
    /// The output of a command that must have worked.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// The message of a command that must have failed with exit code 1: the last line of stderr,
    /// and the only one that says "error".
    pub fn error(&self) -> &str {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        let last = self.err.lines().last().expect("a message");
        assert!(last.starts_with("error: "), "{self:?}");
        assert_eq!(self.err.lines().filter(|l| l.starts_with("error: ")).count(), 1, "{self:?}");
        let told_twice = |(i, _)| last[..i].ends_with(&last[i..][2..]);
        assert!(!last.match_indices(": ").any(told_twice), "{self:?}");
        last
    }

    /// Checks that the message of a failed command has all parts.
    pub fn check_error(&self, what: &str, parts: &[&str]) {
        let error = self.error();
        for part in parts {
            assert!(error.contains(part), "{what}: \"{part}\" is not in: {error}");
        }
    }
}

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.path("tiny.toml"), TINY).expect("writable");
        place
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// The command, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amago"));
        command.current_dir(self.0.path()).args(args);
        command
    }

    pub fn amago(&self, args: &[&str]) -> Ended {
        self.command(args).output().expect("it starts").into()
    }

    /// Trains the tiny config, some settings changed, into a folder.
    pub fn train(&self, run: &str, settings: &[&str]) -> Ended {
        let mut args = vec!["train", "tiny.toml", "--run-dir", run];
        args.extend(settings.iter().flat_map(|s| ["--set", s]));
        self.amago(&args)
    }

    /// Paths of a run's checkpoints, oldest first.
    pub fn checkpoints(&self, run: &str) -> Vec<PathBuf> {
        list(&self.path(run).join("checkpoints"))
    }

    /// The lines of a run's metrics, the header first.
    pub fn metrics(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("metrics.jsonl")).expect("metrics");
        assert!(text.ends_with('\n'), "the last line is cut: {text}");
        text.lines().map(json).collect()
    }

    /// Transitions on disk, after drawing so often that damage would be met.
    pub fn readable(&self, run: &str) -> u64 {
        let config = StoreConfig { cache_bytes: 0, ..StoreConfig::default() };
        let store = Store::open(self.path(run).join("replay"), config).expect("a store");
        let draw = store.sample_batch(200, 4, Padding::None, &mut rng(0, Role::Replay, 0, 0));
        assert_eq!(draw.expect("readable").size, 200);
        assert_eq!((store.damage(), store.open_report().temp_files), (vec![], 0));
        store.transitions()
    }
}

/// What is in a folder, sorted.
pub fn list(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}
