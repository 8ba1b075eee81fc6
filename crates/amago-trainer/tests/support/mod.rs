//! A run that takes milliseconds, and observers that remember.
#![allow(dead_code)] // each test binary uses some

pub mod envs;
pub mod glitch;
pub mod lamp;
pub mod tasks;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use amago_agent::Policy;
use amago_golden::modules::values;
use amago_trainer::{
    ConfigSource, Event, Observer, Outcome, Plan, RunConfig, RunDir, StopFlag, TrainError, Trainer,
    load_config,
};
use burn::tensor::Device;

/// Two epochs of a corridor of three with networks of width eight.
pub const TINY: &str = include_str!("tiny.toml");

/// A config from text and overrides.
pub fn load(text: &str, overrides: &[&str]) -> Result<RunConfig, TrainError> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    load_config(&ConfigSource { name: "test.toml", text, overrides: &overrides })
}

/// The tiny run with some settings changed.
pub fn tiny(overrides: &[&str]) -> RunConfig {
    load(TINY, overrides).expect("the tiny config is legal")
}

/// The device that tests run on.
pub fn device() -> Device {
    amago_golden::modules::device()
}

/// Probabilities of discrete actions, row by row.
pub fn probabilities(policy: &Policy) -> Vec<f32> {
    let Policy::Categorical(policy) = policy else { panic!("another kind for discrete actions") };
    values(&policy.probs)
}

/// Keeps what a run reported.
#[derive(Debug, Default)]
pub struct Recorder {
    pub warnings: Vec<String>,
    pub checkpoints: Vec<PathBuf>,
    pub updates: usize,
}

impl Observer for Recorder {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Warning(text) => self.warnings.push(text),
            Event::Checkpoint(path) => self.checkpoints.push(path.to_owned()),
            Event::Learn { .. } => self.updates += 1,
            _ => {}
        }
    }
}

/// Runs of one process share the backend's random generator: one at a time, or they disturb each other.
static ONE_RUN: Mutex<()> = Mutex::new(());

/// Waits until no other run is going on.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Trains a plan in `dir` to its end.
pub fn train(plan: &Plan, dir: &Path, seen: &mut Recorder) -> Result<Outcome, TrainError> {
    train_until(plan, dir, &StopFlag::default(), seen)
}

/// The same until asked to stop.
pub fn train_until(
    plan: &Plan,
    dir: &Path,
    stop: &StopFlag,
    seen: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let _alone = alone();
    let run = RunDir::create(dir, &plan.config)?;
    Trainer::new(plan.clone(), run, &device())?.run(stop, seen)
}

/// Makes the checksums of a checkpoint's manifest right, as an attacker would.
pub fn seal(checkpoint: &Path) {
    let file = checkpoint.join("manifest.json");
    let text = fs::read_to_string(&file).expect("a manifest");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (name, crc) in manifest["files"].as_object_mut().expect("files") {
        *crc = crc32fast::hash(&fs::read(checkpoint.join(name)).expect("a file")).into();
    }
    let mut rest = manifest.clone();
    rest.as_object_mut().expect("fields").remove("checksum");
    manifest["checksum"] = crc32fast::hash(rest.to_string().as_bytes()).into();
    fs::write(&file, manifest.to_string()).expect("writable");
}

/// Lines of a run's metrics, the header first.
pub fn lines(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
}

/// Names in a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry"));
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
