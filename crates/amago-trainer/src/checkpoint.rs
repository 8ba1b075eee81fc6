//! Checkpoints: a folder per checkpoint, published by one rename, checked by a manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use amago_agent::{Agent, Learner};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;

use crate::{TrainError, files};
use manifest::Manifest;

mod manifest;
mod state;
mod tensors;
pub use state::{CheckpointMeta, RunState};

const MANIFEST: &str = "manifest.json";
const AGENT: &str = "agent.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.msgpack";
const WRITING: &str = ".writing-";

/// A checkpoint on disk that was found whole.
///
/// ```
/// use amago_trainer::{Checkpoint, CheckpointMeta, ConfigSource, Plan, load_config};
/// use burn::tensor::Device;
///
/// # let text = "env.id = 'tmaze-passive'\nagent.traj_encoder.kind = 'identity'";
/// # let config = load_config(&ConfigSource { name: "tiny.toml", text, overrides: &[] })?;
/// # let folder = tempfile::tempdir()?;
/// # let dir = folder.path();
/// let (plan, device) = (Plan::new(config)?, Device::flex().autodiff());
/// let (learner, meta) = (plan.learner(plan.agent(&device)), CheckpointMeta { updates: 7, ..Default::default() });
/// Checkpoint::save(dir, &learner, meta, None, 1)?;
/// let (found, damaged) = Checkpoint::newest(dir)?;
/// assert!(damaged.is_empty() && found.load_learner(learner)?.updates == 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Checkpoint {
    path: PathBuf,
    /// Where the run stood.
    pub meta: CheckpointMeta,
    /// The file of the networks. From a path, tensors on a GPU would be read when they are needed: after the
    /// file may be gone, and not what the checksum was taken of.
    agent: Vec<u8>,
    optimizer: Vec<u8>,
    /// Absent where no training run made the checkpoint.
    state: Option<Vec<u8>>,
}

impl fmt::Debug for Checkpoint {
    /// Without the files, which are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("path", &self.path)
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// Writes a checkpoint under `dir` and drops all but the newest `keep`, which must be at least one. A crash at
    /// any point leaves the earlier ones whole.
    ///
    /// # Errors
    /// When it cannot be written; nothing half-written stays visible.
    pub fn save(
        dir: &Path,
        learner: &Learner,
        meta: CheckpointMeta,
        state: Option<&RunState>,
        keep: usize,
    ) -> Result<PathBuf, TrainError> {
        fs::create_dir_all(dir).map_err(TrainError::io(dir))?;
        sweep(dir)?;
        // In the same folder: a rename to another file system would be a copy, which can be half done.
        let temp = dir.join(format!("{WRITING}{:08}", meta.updates));
        let target = dir.join(next_name(&list(dir)?, meta.updates));
        let written = write(&temp, learner, meta, state)
            .and_then(|()| fs::rename(&temp, &target).map_err(TrainError::io(&target)));
        if written.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_dir_all(&temp);
        }
        written?;
        // Newer ones than this can only be damaged: the run went on from before them.
        for old in list(dir)?.iter().rev().skip_while(|path| **path != target).skip(keep) {
            fs::remove_dir_all(old).map_err(TrainError::io(old))?;
        }
        Ok(target)
    }

    /// The newest whole checkpoint, and what was wrong with newer ones.
    ///
    /// # Errors
    /// When there is none; the message says what is wrong with the newest.
    pub fn newest(dir: &Path) -> Result<(Self, Vec<TrainError>), TrainError> {
        let none = || TrainError::Checkpoint { path: dir.to_owned(), reason: "there is none".to_owned() };
        Self::newest_if_any(dir)?.ok_or_else(none)
    }

    /// The same; absent when none was ever written.
    ///
    /// # Errors
    /// When all are damaged.
    pub(crate) fn newest_if_any(dir: &Path) -> Result<Option<(Self, Vec<TrainError>)>, TrainError> {
        let mut damaged = Vec::new();
        // Some epochs again are better than no run.
        for path in list(dir)?.into_iter().rev() {
            match Self::open(&path) {
                Ok(checkpoint) => return Ok(Some((checkpoint, damaged))),
                Err(e) => damaged.push(e),
            }
        }
        damaged.into_iter().next().map_or(Ok(None), Err)
    }

    /// Opens one checkpoint and verifies every file.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another version.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let file = path.join(MANIFEST);
        let fail = |path: &Path, reason: String| TrainError::Checkpoint { path: path.to_owned(), reason };
        let text = files::read(&file).map_err(|e| fail(&file, e.to_string()))?;
        let manifest = Manifest::read(&text).map_err(|reason| fail(&file, reason))?;
        let read = |name: &str| {
            let file = path.join(name);
            let bytes = files::read(&file).map_err(|e| fail(&file, e.to_string()))?;
            match manifest.files.get(name) == Some(&crc32fast::hash(&bytes)) {
                true => Ok(bytes),
                false => Err(fail(&file, "damaged: its checksum does not match the manifest".to_owned())),
            }
        };
        let state = manifest.files.contains_key(STATE).then(|| read(STATE)).transpose()?;
        let (agent, optimizer) = (read(AGENT)?, read(OPTIMIZER)?);
        Ok(Self { path: path.to_owned(), meta: manifest.meta, agent, optimizer, state })
    }

    /// Loads the networks into an agent of the same shape.
    ///
    /// # Errors
    /// When the file does not fit the agent.
    pub fn load_agent(&self, agent: Agent) -> Result<Agent, TrainError> {
        let bytes = Bytes::from_bytes_vec(self.agent.clone()).shared();
        let checked = tensors::check_agent(&bytes);
        let loaded = checked.and_then(|()| {
            tensors::contain(|| {
                let record = ModuleRecord::from_bytes(bytes).map_err(|e| e.to_string())?;
                agent.try_load_record(record).map_err(|e| first_fault(&e.to_string()))
            })
        });
        loaded.map_err(|reason| self.fault(AGENT, reason))
    }

    /// Loads networks, optimiser and counters into a fresh learner of the same shape.
    ///
    /// # Errors
    /// When a file does not fit the learner.
    pub fn load_learner(&self, mut learner: Learner) -> Result<Learner, TrainError> {
        learner.agent = self.load_agent(learner.agent)?;
        let (bytes, optimizer) = (Bytes::from_bytes_vec(self.optimizer.clone()).shared(), learner.optimizer);
        let loaded = tensors::check_optimizer(&bytes, &learner.agent)
            .and_then(|()| tensors::contain(|| optimizer.from_bytes(bytes).map_err(|e| e.to_string())));
        learner.optimizer = loaded.map_err(|reason| self.fault(OPTIMIZER, reason))?;
        // The warm-up of the learning rate goes on from there.
        learner.updates = self.meta.updates;
        Ok(learner)
    }

    /// What else the run needs to go on; absent where no training run made the checkpoint.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load_state(&self) -> Result<Option<RunState>, TrainError> {
        let read =
            |bytes: &Vec<u8>| rmp_serde::from_slice(bytes).map_err(|e| self.fault(STATE, e.to_string()));
        self.state.as_ref().map(read).transpose()
    }

    fn fault(&self, file: &str, reason: String) -> TrainError {
        TrainError::Checkpoint { path: self.path.join(file), reason }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn write(
    temp: &Path,
    learner: &Learner,
    meta: CheckpointMeta,
    state: Option<&RunState>,
) -> Result<(), TrainError> {
    fs::create_dir(temp).map_err(TrainError::io(temp))?;
    let fail = |file: &Path, e: String| TrainError::Checkpoint { path: file.to_owned(), reason: e };
    let (agent, optimizer) = (temp.join(AGENT), temp.join(OPTIMIZER));
    learner.agent.clone().save_file(&agent).map_err(|e| fail(&agent, e.to_string()))?;
    learner.optimizer.save(&optimizer).map_err(|e| fail(&optimizer, e.to_string()))?;
    let mut names = vec![AGENT, OPTIMIZER];
    if let Some(state) = state {
        let file = temp.join(STATE);
        let bytes = rmp_serde::to_vec_named(state).map_err(|e| fail(&file, e.to_string()))?;
        fs::write(&file, bytes).map_err(TrainError::io(&file))?;
        names.push(STATE);
    }
    let mut files = BTreeMap::new();
    for name in names {
        let file = temp.join(name);
        let bytes = fs::read(&file).map_err(TrainError::io(&file))?;
        // A file system may have the new name on disk before what it names.
        sync(&file)?;
        files.insert(name.to_owned(), crc32fast::hash(&bytes));
    }
    // Last, because it vouches for the others.
    let manifest = temp.join(MANIFEST);
    fs::write(&manifest, Manifest::write(meta, &files)).map_err(TrainError::io(&manifest))?;
    sync(&manifest)
}

/// Removes what was being written when an earlier process ended.
fn sweep(dir: &Path) -> Result<(), TrainError> {
    for entry in fs::read_dir(dir).map_err(TrainError::io(dir))?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(WRITING) {
            fs::remove_dir_all(entry.path()).map_err(TrainError::io(entry.path()))?;
        }
    }
    Ok(())
}

/// Burn lists every tensor that does not fit, each in quotes; the first says enough.
fn first_fault(list: &str) -> String {
    match list.splitn(3, '"').collect::<Vec<_>>()[..] {
        [_, first, _] => format!("does not fit the config: {first}"),
        _ => format!("does not fit the config: {list}"),
    }
}

fn sync(file: &Path) -> Result<(), TrainError> {
    File::open(file).and_then(|f| f.sync_all()).map_err(TrainError::io(file))
}

/// Published checkpoints, oldest first.
fn list(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let entries = fs::read_dir(dir).map_err(TrainError::io(dir))?;
    let paths = entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| p.is_dir());
    let mut ages: Vec<_> = paths.filter_map(|p| Some((age(&p)?, p))).collect();
    ages.sort();
    Ok(ages.into_iter().map(|(_, path)| path).collect())
}

/// The update, and how many checkpoints were made before after as many: `update-00000012`, `update-00000012-1`.
fn age(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?.strip_prefix("update-")?;
    let (updates, again) = name.split_once('-').unwrap_or((name, "0"));
    Some((updates.parse().ok()?, again.parse().ok()?))
}

/// A name that sorts after all others of that update, also after those that are gone.
fn next_name(present: &[PathBuf], updates: u64) -> String {
    let again = present.iter().filter_map(|p| age(p)).filter(|age| age.0 == updates).map(|age| age.1).max();
    match again {
        None => format!("update-{updates:08}"),
        Some(again) => format!("update-{updates:08}-{}", again + 1),
    }
}
