//! The folder of a run: resolved config, metrics, checkpoints, replay.

use std::fs;
use std::path::{Path, PathBuf};

use amago_replay::refuse_links;

use crate::{ConfigSource, RunConfig, TrainError, files, load_config};

mod making;
use making::Making;

/// Last line of a resolved config: without it, a file that was cut would pass for one that leaves
/// settings to their defaults.
const END: &str = "# The end: this file is whole.";

/// A run's folder.
///
/// Opened again, its config is the one that was resolved when it was made, and [`Trainer::resume`](crate::Trainer)
/// goes on from its newest checkpoint:
///
/// ```
/// use amago_trainer::{ConfigSource, Plan, RunDir, Silent, StopFlag, Trainer, load_config};
/// use burn::tensor::Device;
///
/// # let text = r#"
/// #     env = { id = "tmaze-passive", options = { corridor_length = 3 } }
/// #     eval = { episodes = 2 }
/// #     [train]
/// #     epochs = 1
/// #     parallel_actors = 2
/// #     timesteps_per_epoch = 8
/// #     batches_per_epoch = 2
/// #     batch_size = 2
/// #     max_seq_len = 4
/// #     [agent]
/// #     multi_gammas = []
/// #     tstep_encoder = { d_hidden = 8, d_output = 8 }
/// #     traj_encoder = { kind = "identity" }
/// #     actor = { d_hidden = 8 }
/// #     critic = { d_hidden = 8 }
/// # "#;
/// # let config = load_config(&ConfigSource { name: "tiny.toml", text, overrides: &[] })?;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("run");
/// let (device, stop) = (Device::flex(), StopFlag::default());
/// let plan = Plan::new(config)?;
/// let run = RunDir::create(&path, &plan.config)?;
/// Trainer::new(plan, run, &device)?.run(&stop, &mut Silent)?;
///
/// let (run, config) = RunDir::open_with(&path, &["train.epochs=2".to_owned()])?;
/// let outcome = Trainer::resume(Plan::new(config)?, run, &device)?.run(&stop, &mut Silent)?;
/// assert_eq!((outcome.meta.epoch, outcome.meta.updates), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// Creates a folder for a new run and writes its resolved config. Of several processes that want the same
    /// folder at the same time, one gets it.
    ///
    /// # Errors
    /// When the folder exists and is not empty, or cannot be written.
    pub fn create(path: &Path, config: &RunConfig) -> Result<Self, TrainError> {
        let taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken || path.is_file() {
            return Err(TrainError::RunDirExists(path.to_owned()));
        }
        // Made elsewhere and moved to its place as a whole: a folder that is there is a run. A link to an empty
        // folder stays a link.
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let parent = place.parent().unwrap_or(&place);
        let made = resolved(config).and_then(|text| Making::new(parent, &text)?.publish(&place));
        match made {
            Ok(_) => Ok(Self(path.to_owned())),
            // The other names mean nothing to anybody.
            Err(TrainError::RunDirExists(_)) => Err(TrainError::RunDirExists(path.to_owned())),
            Err(TrainError::Io { cause, .. }) => Err(TrainError::io(path)(cause)),
            Err(error) => Err(error),
        }
    }

    /// Creates the first free `base/name-NNN`. Several processes may do so at once: each gets a number of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create_next(base: &Path, name: &str, config: &RunConfig) -> Result<Self, TrainError> {
        let made = Making::new(base, &resolved(config)?).map_err(|error| match error {
            TrainError::Io { cause, .. } => TrainError::io(base)(cause),
            error => error,
        })?;
        let mut places = (1..).map(|i| base.join(format!("{name}-{i:03}")));
        loop {
            let place = places.next().expect("there is always a free number");
            // A broken link is taken, too.
            if fs::symlink_metadata(&place).is_ok() {
                continue;
            }
            match made.publish(&place) {
                Err(TrainError::RunDirExists(_)) => {}
                done => return done,
            }
        }
    }

    /// Writes another resolved config in place of the one there, by a rename.
    ///
    /// # Errors
    /// When it cannot be written; the one there stays.
    pub fn write_config(&self, config: &RunConfig) -> Result<(), TrainError> {
        let (file, temp) = (self.config_file(), self.0.join("config.toml.tmp"));
        let text = resolved(config)?;
        let written = files::write(&temp, text.as_bytes()).and_then(|()| fs::rename(&temp, &file));
        written.map_err(TrainError::io(&file))
    }

    /// Opens an existing run and reads its config.
    ///
    /// # Errors
    /// When the folder or its config is missing or broken, or something in it is a symbolic link: a run that goes on
    /// would write to where it points. The folder itself may be reached through one.
    pub fn open(path: &Path) -> Result<(Self, RunConfig), TrainError> {
        Self::open_with(path, &[])
    }

    /// Opens an existing run and reads its config with some settings changed, `key=value` each. The file stays
    /// as it is.
    ///
    /// # Errors
    /// As [`RunDir::open`], and when a setting cannot be changed so.
    pub fn open_with(path: &Path, overrides: &[String]) -> Result<(Self, RunConfig), TrainError> {
        let run = Self(path.to_owned());
        let file = run.config_file();
        let text = files::read_text(&file).map_err(|e| TrainError::NotARun {
            path: path.to_owned(),
            reason: format!("{}: {e}", file.display()),
        })?;
        refuse_links(path)?;
        if !text.trim_end().ends_with(END) {
            let reason = format!("{} was cut: its last line must be \"{END}\"", file.display());
            return Err(TrainError::NotARun { path: path.to_owned(), reason });
        }
        let name = file.display().to_string();
        let config = load_config(&ConfigSource { name: &name, text: &text, overrides })?;
        Ok((run, config))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Resolved config.
    pub fn config_file(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Metrics.
    pub fn metrics_file(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// Checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The checkpoint that did best in evaluation.
    pub fn best(&self) -> PathBuf {
        self.0.join("best")
    }

    /// Batches of updates that could not be used.
    pub fn bad_batches(&self) -> PathBuf {
        self.0.join("bad_batches")
    }

    /// Stored trajectories of evaluations.
    pub fn eval_replay(&self) -> PathBuf {
        self.0.join("eval_replay")
    }

    /// Stored trajectories.
    pub fn replay(&self) -> PathBuf {
        self.0.join("replay")
    }
}

/// All settings as text.
fn resolved(config: &RunConfig) -> Result<String, TrainError> {
    // Resolved, with all defaults: a later version with other defaults resumes the same run.
    let text = toml::to_string_pretty(config).map_err(|e| TrainError::Config {
        source_name: "resolved config".to_owned(),
        message: e.to_string(),
    })?;
    Ok(format!("{text}\n{END}\n"))
}
