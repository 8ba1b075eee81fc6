//! `metrics.jsonl`: a header that names every field and unit, then one line per epoch.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use amago_agent::UpdateReport;

use crate::{CollectReport, EvalReport, TrainError};

/// Version of the file's layout.
const VERSION: u32 = 1;

/// Meaning of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Field {
    /// Path of the field in a line.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Meaning.
    pub doc: &'static str,
}

/// Everything one epoch reports.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Steps over all environments since the start.
    pub env_steps: u64,
    /// Updates since the start.
    pub updates: u64,
    /// Collecting.
    pub rollout: CollectReport,
    /// Means over the epoch's updates; absent when there were none.
    pub train: Option<UpdateReport>,
    /// Updates of the epoch that could not be used.
    #[serde(default)]
    pub skipped_updates: u64,
    /// Evaluation, in the epochs that have one. Per-episode lists are left out.
    pub eval: Option<EvalReport>,
    /// Times.
    pub time: TimeRecord,
    /// Trajectories stored.
    pub replay_trajectories: usize,
}

/// Where the time goes.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct TimeRecord {
    /// Seconds since the start.
    pub wall: f64,
    /// Seconds of learning in this epoch.
    pub learn: f64,
    /// Updates per second of learning.
    pub updates_per_second: f64,
    /// Steps per second of collecting.
    pub env_steps_per_second: f64,
}

const FIELDS: &[(&str, &str, &str)] = &[
    ("kind", "text", "what the line is: header or epoch"),
    ("epoch", "count", "number of the epoch, from 1"),
    ("env_steps", "steps", "steps over all training environments since the start"),
    ("updates", "count", "updates since the start"),
    ("rollout.env_steps", "steps", "steps of this epoch's collecting, over all environments"),
    ("rollout.episodes", "count", "training episodes that ended in this epoch"),
    ("rollout.return_mean", "reward", "mean return of those, with exploration"),
    ("rollout.success", "share", "share of those that solved the task"),
    ("rollout.metrics.*", "per metric", "means of the environment's own metrics"),
    ("rollout.faults", "count", "environments that failed and were replaced"),
    ("skipped_updates", "count", "updates that could not be used"),
    ("eval.faults", "count", "environments that failed in the evaluation and were replaced"),
    ("rollout.epsilon", "probability", "exploration noise of the first actor"),
    ("rollout.seconds", "s", "time of collecting"),
    ("train.loss", "none", "mean total loss"),
    ("train.grad_norm", "none", "mean global gradient norm before clipping"),
    ("train.grad_norms.*", "none", "the same of the encoders, the actor and the critics"),
    ("train.learning_rate", "none", "learning rate of the last update"),
    ("train.parts.actor_loss", "none", "mean actor loss"),
    ("train.parts.critic_loss", "none", "mean critic loss, before its weight"),
    ("train.parts.entropy", "nat", "mean policy entropy for the acting discount"),
    ("train.parts.q_value", "multiplied reward", "mean value of stored actions, acting discount"),
    ("train.parts.td_target", "multiplied reward", "mean TD target, acting discount"),
    ("train.parts.advantage", "critic output", "mean Q(s,a) - V(s), acting discount"),
    ("train.parts.filter_pass", "share", "share of stored actions that the filter passes"),
    ("eval.return_mean", "reward", "mean return without exploration"),
    ("eval.return_std", "reward", "standard deviation of the return over episodes"),
    ("eval.length_mean", "steps", "mean length of an episode"),
    ("eval.success", "share", "share of solved episodes"),
    ("eval.metrics.*", "per metric", "means of the environment's own metrics"),
    ("eval.steps_per_second", "steps/s", "speed of the evaluation"),
    ("time.wall", "s", "time since the start"),
    ("time.learn", "s", "time of this epoch's learning"),
    ("time.updates_per_second", "1/s", "updates per second of learning"),
    ("time.env_steps_per_second", "1/s", "environment steps per second of collecting"),
    ("replay_trajectories", "count", "trajectories stored"),
];

/// The open file.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
}

impl MetricsLog {
    /// Creates the file with its header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        let file = File::create_new(path).map_err(TrainError::io(path))?;
        let mut log = Self { file, path: path.to_owned() };
        let fields: Vec<Field> = FIELDS.iter().map(|&(name, unit, doc)| Field { name, unit, doc }).collect();
        log.line(&serde_json::json!({ "kind": "header", "version": VERSION, "fields": fields }))?;
        Ok(log)
    }

    /// Opens the file of an earlier process, without the lines after an epoch: those epochs come again. A
    /// missing or broken file is begun anew.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn resume(path: &Path, epoch: usize) -> Result<Self, TrainError> {
        let text = std::fs::read(path).unwrap_or_default();
        let lines = text.split_inclusive(|byte| *byte == b'\n').take_while(|line| {
            let value =
                serde_json::from_slice::<serde_json::Value>(line).ok().filter(|_| line.ends_with(b"\n"));
            value.is_some_and(|v| {
                v["kind"] == "header" || v["epoch"].as_u64().is_some_and(|e| e <= epoch as u64)
            })
        });
        let kept: usize = lines.map(<[u8]>::len).sum();
        if kept == 0 {
            let _ = std::fs::remove_file(path);
            return Self::create(path);
        }
        let file = File::options().append(true).open(path).map_err(TrainError::io(path))?;
        file.set_len(kept as u64).map_err(TrainError::io(path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Appends one epoch.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        let mut value = serde_json::to_value(record).map_err(|e| self.invalid(e))?;
        value["kind"] = "epoch".into();
        if let Some(eval) = value.get_mut("eval").and_then(|e| e.as_object_mut()) {
            eval.remove("returns");
            eval.remove("lengths");
        }
        self.line(&value)
    }

    /// One write per line: a reader never sees half of one. What fits of a line on a full disk is
    /// taken back.
    fn line(&mut self, value: &serde_json::Value) -> Result<(), TrainError> {
        let start = self.file.metadata().map_err(TrainError::io(&self.path))?.len();
        self.file.write_all(format!("{value}\n").as_bytes()).map_err(|e| {
            // The error that matters is the first one.
            let _ = self.file.set_len(start).and_then(|()| self.file.seek(SeekFrom::Start(start)));
            TrainError::io(&self.path)(e)
        })
    }

    fn invalid(&self, e: serde_json::Error) -> TrainError {
        TrainError::Io { path: self.path.clone(), cause: e.into() }
    }
}
