//! `metrics.jsonl`: a header that names every field and unit, then one line per epoch.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use amago_agent::{BatchReport, UpdateReport};
use burn::tensor::Device;

use crate::histogram::Histogram;
use crate::machine::Machine;
use crate::{CollectReport, EvalReport, TrainError};

mod resume;

/// Version of the file's layout.
const VERSION: u32 = 2;

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
    /// The batch of the epoch's last update; empty when there was none.
    #[serde(default, skip_serializing_if = "BatchReport::is_empty")]
    pub batch: BatchReport,
    /// Updates of the epoch that could not be used.
    #[serde(default)]
    pub skipped_updates: u64,
    /// Evaluation, in the epochs that have one. Per-episode lists are left out.
    pub eval: Option<EvalReport>,
    /// Times.
    pub time: TimeRecord,
    /// What is stored.
    pub replay: ReplayRecord,
}

/// What is stored for learning.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct ReplayRecord {
    /// Trajectories.
    pub trajectories: usize,
    /// Transitions of those.
    pub transitions: u64,
    /// Mean number of updates since the policy that collected a trajectory; absent when nothing is stored.
    pub policy_age: Option<f64>,
}

/// How many updates ago each stored trajectory was collected. The store drops the oldest first.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct PolicyAge(VecDeque<(usize, u64)>);

impl PolicyAge {
    /// So many trajectories were appended, by a policy after so many updates.
    pub fn collected(&mut self, trajectories: usize, updates: u64) {
        self.0.push_back((trajectories, updates));
    }

    /// Mean age after so many updates, when so many trajectories are left. Those that nobody told of do not
    /// count.
    pub fn mean(&mut self, mut left: usize, updates: u64) -> Option<f64> {
        for (n, _) in self.0.iter_mut().rev() {
            // From the newest back: what the store has dropped are the oldest.
            *n = left.min(*n);
            left -= *n;
        }
        self.0.retain(|(n, _)| *n > 0);
        let n: usize = self.0.iter().map(|(n, _)| n).sum();
        let ages = self.0.iter().map(|(n, at)| *n as f64 * updates.saturating_sub(*at) as f64);
        (n > 0).then(|| ages.sum::<f64>() / n as f64)
    }
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
    /// Seconds to the last epoch, if the others take as long as those so far.
    pub left: f64,
}

const FIELDS: &[(&str, &str, &str)] = &[
    ("kind", "text", "what the line is: header or epoch"),
    ("epoch", "count", "number of the epoch, from 1"),
    ("env_steps", "steps", "steps over all training environments since the start"),
    ("updates", "count", "updates since the start"),
    ("rollout.env_steps", "steps", "steps of this epoch's collecting, over all environments"),
    ("rollout.episodes", "count", "training episodes that ended in this epoch"),
    ("rollout.return_mean", "reward", "mean return of those, with exploration"),
    ("rollout.return_bottom_fifth", "reward", "mean return of the lowest fifth of those"),
    ("rollout.success", "share", "share of those that solved the task"),
    ("rollout.metrics.*", "per metric", "means of the environment's own metrics"),
    ("rollout.faults", "count", "environments that failed and were replaced"),
    ("skipped_updates", "count", "updates that could not be used"),
    ("eval.faults", "count", "environments that failed in the evaluation and were replaced"),
    ("eval.cut", "count", "episodes that were truncated at eval.max_episode_steps"),
    ("rollout.tasks.*", "count, reward or share", "episodes, return, success and score of each task by name"),
    ("rollout.task_mean.*", "count, reward or share", "means of those over several tasks"),
    ("rollout.return_histogram.*", "reward", "returns in bins: edges, and one count fewer"),
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
    ("train.parts.q_std", "multiplied reward", "mean spread of Q(s,a) over the critics, acting discount"),
    ("train.parts.advantage_std", "multiplied reward", "the same of Q(s,a) - V(s)"),
    ("train.parts.bins_left", "share", "share of TD targets outside the critics' bins, over all discounts"),
    (
        "batch.q_value.*",
        "multiplied reward",
        "mean value of stored actions by discount, in the epoch's last batch",
    ),
    ("batch.td_target.*", "multiplied reward", "mean TD target by discount; min and max for the acting one"),
    ("batch.filter_pass.*", "share", "share of stored actions that the filter passes, by discount"),
    ("batch.filter.*", "none", "weights of stored actions over all discounts: min, max and percentiles"),
    ("batch.log_prob.*", "nat", "log-probability of stored actions, acting discount: min, mean, max"),
    ("batch.popart_*", "per statistic", "PopArt's mu, nu, w, b and sigma by discount, after the last update"),
    ("batch.reward.*", "reward", "smallest and largest reward of that batch"),
    ("batch.sequences.length_*", "steps", "transitions of a sequence of that batch: min, mean, max"),
    ("batch.sequences.transitions", "count", "transitions of that batch without padding"),
    ("batch.sequences.ended", "share", "share of its sequences in which an episode ends"),
    ("eval.return_mean", "reward", "mean return without exploration"),
    ("eval.return_std", "reward", "standard deviation of the return over episodes"),
    ("eval.return_bottom_fifth", "reward", "mean return of the lowest fifth of the episodes"),
    ("eval.length_mean", "steps", "mean length of an episode"),
    ("eval.success", "share", "share of solved episodes"),
    ("eval.metrics.*", "per metric", "means of the environment's own metrics"),
    ("eval.tasks.*", "count, reward or share", "episodes, return, success and score of each task by name"),
    ("eval.task_mean.*", "count, reward or share", "means of those over several tasks"),
    ("eval.return_histogram.*", "reward", "returns in bins, as those of collecting"),
    ("eval.length_histogram.*", "steps", "lengths of episodes in bins"),
    ("eval.steps_per_second", "steps/s", "speed of the evaluation"),
    ("time.wall", "s", "time since the start"),
    ("time.learn", "s", "time of this epoch's learning"),
    ("time.updates_per_second", "1/s", "updates per second of learning"),
    ("time.env_steps_per_second", "1/s", "environment steps per second of collecting"),
    ("time.left", "s", "time to the last epoch at the mean speed so far"),
    ("replay.trajectories", "count", "trajectories stored"),
    ("replay.transitions", "count", "transitions stored"),
    ("replay.policy_age", "count", "mean number of updates since the policy that collected a trajectory"),
];

/// The open file.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
}

impl MetricsLog {
    /// Creates the file with its header, which also says on which machine and device the run is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let file = File::create_new(path).map_err(TrainError::io(path))?;
        let mut log = Self { file, path: path.to_owned() };
        log.line(&header(device))?;
        Ok(log)
    }

    /// Appends one epoch.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        let mut value = serde_json::to_value(record).map_err(|e| self.invalid(e))?;
        value["kind"] = "epoch".into();
        // Lists of episodes become histograms.
        for (part, name, histogram_name) in [
            ("rollout", "returns", "return_histogram"),
            ("eval", "returns", "return_histogram"),
            ("eval", "lengths", "length_histogram"),
        ] {
            let Some(fields) = value.get_mut(part).and_then(|e| e.as_object_mut()) else { continue };
            let values: Vec<f64> = match fields.remove(name) {
                Some(list) => serde_json::from_value(list).map_err(|e| self.invalid(e))?,
                None => continue,
            };
            if let Some(histogram) = Histogram::of(&values) {
                let value = serde_json::to_value(histogram).map_err(|e| self.invalid(e))?;
                fields.insert(histogram_name.to_owned(), value);
            }
        }
        self.line(&value)
    }

    /// One write per line: a reader never sees half of one. What fits of a line on a full disk is
    /// taken back.
    fn line(&mut self, value: &serde_json::Value) -> Result<(), TrainError> {
        // Not the position: the file may have been opened to append.
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

/// The first line.
fn header(device: &Device) -> serde_json::Value {
    let fields: Vec<Field> = FIELDS.iter().map(|&(name, unit, doc)| Field { name, unit, doc }).collect();
    let machine = Machine::new(device);
    serde_json::json!({ "kind": "header", "version": VERSION, "machine": machine, "fields": fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leave_first() {
        let mut age = PolicyAge::default();
        assert_eq!(age.mean(0, 0), None);
        age.collected(2, 0);
        assert_eq!(age.mean(2, 10), Some(10.0));
        age.collected(4, 10);
        assert_eq!(age.mean(6, 10), Some(20.0 / 6.0));
        // One of the old ones is dropped, then all of them.
        assert_eq!(age.mean(5, 20), Some((20.0 + 4.0 * 10.0) / 5.0));
        assert_eq!(age.mean(4, 20), Some(10.0));
        // Three of four are of unknown age.
        let mut partly = PolicyAge::default();
        partly.collected(1, 8);
        assert_eq!(partly.mean(4, 10), Some(2.0));
    }
}
