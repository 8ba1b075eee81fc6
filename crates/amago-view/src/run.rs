//! A run as its folder shows it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use toml::{Table, Value};

use crate::{Axis, Machine, Record, Tail, ViewError};

/// A run: its settings and what it has measured so far.
///
/// ```
/// use amago_view::Run;
///
/// # let folder = tempfile::tempdir()?;
/// # let dir = folder.path();
/// std::fs::write(dir.join("config.toml"), "seed = 3\nenv.id = \"lake\"\ntrain.epochs = 2\n")?;
/// let line = r#"{"kind": "epoch", "epoch": 1, "env_steps": 100, "eval": {"return_mean": 0.5}}"#;
/// std::fs::write(dir.join("metrics.jsonl"), format!("{line}\n"))?;
///
/// let mut run = Run::open(dir)?;
/// assert_eq!((run.env().as_str(), run.seed(), run.last("eval/return_mean")), ("lake", 3, Some(0.5)));
/// // Nothing was added since; the last epoch is still to come.
/// assert!(!run.refresh()? && !run.is_finished());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Run {
    /// Name of the folder.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Resolved settings.
    pub config: Table,
    /// Text of the settings.
    pub config_text: String,
    /// Where it happened.
    pub machine: Machine,
    /// One per epoch, ascending.
    pub records: Vec<Record>,
    tail: Tail,
}

impl Run {
    /// Reads the folder of a run, finished or not.
    ///
    /// # Errors
    /// When its config is missing, or a file is broken.
    pub fn open(path: &Path) -> Result<Self, ViewError> {
        let file = path.join("config.toml");
        // A pipe in its place would wait for a writer.
        if fs::metadata(&file).is_ok_and(|found| !found.is_file()) {
            return Err(ViewError::format(&file, "not a regular file"));
        }
        let config_text = fs::read_to_string(&file).map_err(|e| {
            let reason = format!("not a run folder: {}: {e}", file.display());
            ViewError::format(path, reason)
        })?;
        let config = config_text.parse().map_err(|e| ViewError::format(&file, e))?;
        let name = fs::canonicalize(path).map_err(ViewError::io(path))?;
        let name =
            name.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
        let mut run = Self {
            name,
            path: path.to_owned(),
            config,
            config_text,
            machine: Machine::default(),
            records: Vec::new(),
            tail: Tail::new(path.join("metrics.jsonl")),
        };
        run.refresh()?;
        Ok(run)
    }

    /// Reads what was added; true when there was anything. A run that was resumed from an earlier epoch
    /// tells its epochs again: the later telling counts.
    ///
    /// # Errors
    /// When the metrics are broken.
    pub fn refresh(&mut self) -> Result<bool, ViewError> {
        let news = self.tail.poll()?;
        if news.restarted {
            self.records.clear();
        }
        let changed = news.restarted || news.machine.is_some() || !news.records.is_empty();
        self.machine = news.machine.unwrap_or(std::mem::take(&mut self.machine));
        for record in news.records {
            let keep = self.records.partition_point(|r| r.epoch < record.epoch);
            self.records.truncate(keep);
            self.records.push(record);
        }
        Ok(changed)
    }

    /// A setting by its path, for example `agent.gamma`.
    pub fn setting(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = self.config.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Name of the environment, or of all tasks.
    pub fn env(&self) -> String {
        let named = |task: &Value| {
            let name = ["name", "id"].iter().find_map(|key| task.get(key)).and_then(Value::as_str);
            name.unwrap_or("?").to_owned()
        };
        match self.setting("tasks").and_then(Value::as_array) {
            Some(tasks) => tasks.iter().map(named).collect::<Vec<_>>().join(" + "),
            None => self.setting("env.id").and_then(Value::as_str).unwrap_or("?").to_owned(),
        }
    }

    /// The seed.
    pub fn seed(&self) -> i64 {
        self.setting("seed").and_then(Value::as_integer).unwrap_or(0)
    }

    /// Epochs that it is to have.
    pub fn epochs(&self) -> usize {
        let epochs = self.setting("train.epochs").and_then(Value::as_integer);
        epochs.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// Whether the last epoch is over.
    pub fn is_finished(&self) -> bool {
        self.records.last().is_some_and(|r| r.epoch >= self.epochs())
    }

    /// Seconds since the metrics were last written.
    pub fn idle(&self) -> Option<f64> {
        let modified = fs::metadata(self.tail.path()).and_then(|m| m.modified()).ok()?;
        Some(SystemTime::now().duration_since(modified).map_or(0.0, |d| d.as_secs_f64()))
    }

    /// All settings but the seed, by path, as text: runs that agree in them differ by chance alone.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, value) in self.config.iter().filter(|(name, _)| *name != "seed") {
            flatten(name, value, &mut found);
        }
        found
    }

    /// Names of all numbers of all epochs, without the axes.
    pub fn metrics(&self) -> BTreeSet<&str> {
        let names = self.records.iter().flat_map(|r| r.scalars.keys().map(String::as_str));
        names.filter(|name| !Axis::ALL.iter().any(|axis| axis.metric() == *name)).collect()
    }

    /// A metric against an axis: one point per epoch that has it.
    pub fn series(&self, metric: &str, axis: Axis) -> Vec<(f64, f64)> {
        let point = |r: &Record| Some((r.get(axis.metric())?, r.get(metric)?));
        self.records.iter().filter_map(point).collect()
    }

    /// The newest value of a metric.
    pub fn last(&self, metric: &str) -> Option<f64> {
        self.records.iter().rev().find_map(|r| r.get(metric))
    }
}

fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (name, value) in table {
                flatten(&format!("{path}.{name}"), value, out);
            }
        }
        value => out.push((path.to_owned(), value.to_string())),
    }
}
