//! Checkpoints: a folder per checkpoint, published by one rename, checked by a manifest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use amago_agent::{Agent, Learner};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;

use crate::TrainError;

const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const AGENT: &str = "agent.bpk";
const OPTIMIZER: &str = "optimizer.bpk";

/// Where a run stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct CheckpointMeta {
    /// Epochs done.
    pub epoch: usize,
    /// Updates done.
    pub updates: u64,
    /// Environment steps taken.
    pub env_steps: u64,
}

/// Names and checksums of a checkpoint's files.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    meta: CheckpointMeta,
    /// CRC-32 of each file.
    files: BTreeMap<String, u32>,
    /// CRC-32 of the three above.
    checksum: u32,
}

impl Manifest {
    fn new(meta: CheckpointMeta, files: BTreeMap<String, u32>) -> Self {
        let mut manifest = Self { version: VERSION, meta, files, checksum: 0 };
        manifest.checksum = manifest.computed();
        manifest
    }

    fn computed(&self) -> u32 {
        let CheckpointMeta { epoch, updates, env_steps } = self.meta;
        let text = format!("{} {epoch} {updates} {env_steps} {:?}", self.version, self.files);
        crc32fast::hash(text.as_bytes())
    }
}

/// A checkpoint on disk that was found whole.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    /// Where the run stood.
    pub meta: CheckpointMeta,
    /// The file of the networks. From a path, tensors on a GPU would be read when they are needed: after the
    /// file may be gone, and not what the checksum was taken of.
    agent: Vec<u8>,
}

impl Checkpoint {
    /// Writes a checkpoint under `dir` and drops all but the newest `keep`. A crash at any point
    /// leaves the earlier ones whole.
    ///
    /// # Errors
    /// When it cannot be written; nothing half-written stays visible.
    pub fn save(
        dir: &Path,
        learner: &Learner,
        meta: CheckpointMeta,
        keep: usize,
    ) -> Result<PathBuf, TrainError> {
        let temp = dir.join(format!(".writing-{:08}", meta.updates));
        let target = dir.join(format!("update-{:08}", meta.updates));
        let written = write(&temp, learner, meta).and_then(|()| {
            if target.exists() {
                fs::remove_dir_all(&target).map_err(TrainError::io(&target))?;
            }
            fs::rename(&temp, &target).map_err(TrainError::io(&target))
        });
        if written.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_dir_all(&temp);
        }
        written?;
        for old in list(dir)?.iter().rev().skip(keep) {
            fs::remove_dir_all(old).map_err(TrainError::io(old))?;
        }
        Ok(target)
    }

    /// The newest whole checkpoint, and what was wrong with newer ones.
    ///
    /// # Errors
    /// When there is none; the message says what is wrong with the newest.
    pub fn newest(dir: &Path) -> Result<(Self, Vec<TrainError>), TrainError> {
        let mut damaged = Vec::new();
        for path in list(dir)?.into_iter().rev() {
            match Self::open(&path) {
                Ok(checkpoint) => return Ok((checkpoint, damaged)),
                Err(e) => damaged.push(e),
            }
        }
        let none = TrainError::Checkpoint { path: dir.to_owned(), reason: "there is none".to_owned() };
        Err(damaged.into_iter().next().unwrap_or(none))
    }

    /// Opens one checkpoint and verifies every file.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another version.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let file = path.join(MANIFEST);
        let fail = |path: &Path, reason: String| TrainError::Checkpoint { path: path.to_owned(), reason };
        let text = fs::read(&file).map_err(|e| fail(&file, e.to_string()))?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| fail(&file, e.to_string()))?;
        if manifest.version != VERSION {
            let reason = format!("version {}, this program reads version {VERSION}", manifest.version);
            return Err(fail(&file, reason));
        }
        if manifest.checksum != manifest.computed() {
            return Err(fail(&file, "damaged: it does not match its own checksum".to_owned()));
        }
        let read = |name| {
            let file = path.join(name);
            let bytes = fs::read(&file).map_err(|e| fail(&file, e.to_string()))?;
            match manifest.files.get(name) == Some(&crc32fast::hash(&bytes)) {
                true => Ok(bytes),
                false => Err(fail(&file, "damaged: its checksum does not match the manifest".to_owned())),
            }
        };
        let agent = read(AGENT)?;
        read(OPTIMIZER)?;
        Ok(Self { path: path.to_owned(), meta: manifest.meta, agent })
    }

    /// Loads the networks into an agent of the same shape.
    ///
    /// # Errors
    /// When the file does not fit the agent.
    pub fn load_agent(&self, agent: Agent) -> Result<Agent, TrainError> {
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(self.agent.clone()));
        record.and_then(|record| agent.try_load_record(record)).map_err(|e| TrainError::Checkpoint {
            path: self.path.join(AGENT),
            reason: first_fault(&e.to_string()),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn write(temp: &Path, learner: &Learner, meta: CheckpointMeta) -> Result<(), TrainError> {
    if temp.exists() {
        fs::remove_dir_all(temp).map_err(TrainError::io(temp))?;
    }
    fs::create_dir_all(temp).map_err(TrainError::io(temp))?;
    let fail = |file: &Path, e: String| TrainError::Checkpoint { path: file.to_owned(), reason: e };
    let (agent, optimizer) = (temp.join(AGENT), temp.join(OPTIMIZER));
    learner.agent.clone().save_file(&agent).map_err(|e| fail(&agent, e.to_string()))?;
    learner.optimizer.save(&optimizer).map_err(|e| fail(&optimizer, e.to_string()))?;
    let mut files = BTreeMap::new();
    for (name, file) in [(AGENT, &agent), (OPTIMIZER, &optimizer)] {
        let bytes = fs::read(file).map_err(TrainError::io(file))?;
        sync(file)?;
        files.insert(name.to_owned(), crc32fast::hash(&bytes));
    }
    let manifest = temp.join(MANIFEST);
    let text =
        serde_json::to_vec_pretty(&Manifest::new(meta, files)).map_err(|e| fail(&manifest, e.to_string()))?;
    fs::write(&manifest, text).map_err(TrainError::io(&manifest))?;
    sync(&manifest)
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

/// Published checkpoints, oldest first. Names sort by update.
fn list(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let entries = fs::read_dir(dir).map_err(TrainError::io(dir))?;
    let published = |p: &PathBuf| {
        p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("update-")) && p.is_dir()
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|e| e.path()).filter(published).collect();
    paths.sort();
    Ok(paths)
}
