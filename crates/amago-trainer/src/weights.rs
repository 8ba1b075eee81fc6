//! Weights of the original: files of `torch.save(policy.state_dict())`, or the same as safetensors.

use std::collections::BTreeMap;
use std::path::Path;

use amago_agent::{Agent, Misfit, load_state};
use amago_seqmodel::{PositionKind, TrajEncoderConfig};
use burn::tensor::{Device, TensorData};

use crate::checkpoint::{Checkpoint, CheckpointMeta};
use crate::{Plan, RunDir, TrainError};

mod stored;
use stored::{Contents, Stored};

/// A state dict: tensors by their names in the original.
pub type StateDict = BTreeMap<String, TensorData>;

/// What an import took in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Tensors that the agent got.
    pub tensors: usize,
    /// Tensors that were left aside on purpose: constants that the config implies.
    pub unused: Vec<String>,
}

/// Puts the weights of a file into an agent built from the plan, and makes a run folder of it with one
/// checkpoint after no updates. Nothing is written when anything does not fit. Names and shapes are compared before any
/// tensor is read.
///
/// # Errors
/// When the file cannot be read, when tensors do not fit (all are named) or hold no finite numbers, or when the folder
/// cannot be written.
pub fn import(weights: &Path, plan: &Plan, run_dir: &Path, device: &Device) -> Result<Imported, TrainError> {
    let contents = open(weights)?;
    let agent = plan.agent(&device.clone().autodiff());
    let misfit = |misfits| TrainError::Misfits { path: weights.to_owned(), misfits: Misfits(misfits) };
    let imported = compare(&agent, &contents, &plan.config.agent.traj_encoder).map_err(misfit)?;
    // Names and shapes fit: only now is anything large read.
    let asked = contents.into_iter().filter(|(name, _)| !imported.unused.contains(name));
    let state = read_all(weights, asked)?;
    let agent = load_state(agent, |name| state.get(name).cloned()).map_err(misfit)?;
    // Last, so that a file that does not fit leaves no folder behind.
    let run = RunDir::create(run_dir, &plan.config)?;
    Checkpoint::save(&run.checkpoints(), &plan.learner(agent), CheckpointMeta::default(), None, 1)?;
    Ok(imported)
}

/// Compares names and shapes with what an agent asks for, and insists that nothing is left over but what the config
/// implies.
fn compare(
    agent: &Agent,
    contents: &Contents,
    traj_encoder: &TrajEncoderConfig,
) -> Result<Imported, Vec<Misfit>> {
    let entries = amago_agent::state_entries(agent);
    let asked = |name: &str| entries.iter().any(|entry| entry.name == name);
    let implied = |name: &str| name.ends_with(".rope.inv_freq") && is_rotary(traj_encoder);
    let (unused, left): (Vec<_>, Vec<_>) =
        contents.iter().filter(|(name, _)| !asked(name)).partition(|(name, _)| implied(name));
    let differing = entries.iter().filter_map(|entry| {
        let (name, needed) = (entry.name.clone(), entry.shape.clone());
        match contents.get(&name).map(|stored| stored.shape.clone()) {
            None => Some(Misfit::Missing { name, needed }),
            Some(found) if found != needed => Some(Misfit::Shape { name, needed, found }),
            Some(_) => None,
        }
    });
    let left = left.into_iter().map(|(name, stored)| {
        let (name, found) = (name.clone(), stored.shape.clone());
        Misfit::LeftOver { name, found }
    });
    let misfits: Vec<Misfit> = differing.chain(left).collect();
    let unused = unused.into_iter().map(|(name, _)| name.clone()).collect();
    if misfits.is_empty() { Ok(Imported { tensors: entries.len(), unused }) } else { Err(misfits) }
}

/// The wavelengths of rotary positions are saved there, once per layer, and constants here. That they
/// are there is the only trace of rotary positions in a file.
fn is_rotary(config: &TrajEncoderConfig) -> bool {
    matches!(config, TrajEncoderConfig::Transformer(c) if c.pos_emb == PositionKind::Rope)
}

/// Reads all tensors of a file: safetensors where its name ends so, else a container of PyTorch's, ZIP or older.
/// Training on several devices puts `module.` before every name, which is taken off.
///
/// # Errors
/// When the file is missing, damaged, empty of tensors or not such a file, when its tensors are longer than the file, as
/// expanded ones are, or when one of them holds NaN or infinity.
pub fn read_state_dict(path: &Path) -> Result<StateDict, TrainError> {
    read_all(path, open(path)?)
}

/// What tensors a file has, without reading them.
fn open(path: &Path) -> Result<Contents, TrainError> {
    const WRAPPER: &str = "module.";
    let fail = |reason| TrainError::Weights { path: path.to_owned(), reason };
    let contents = stored::open(path).map_err(|e| fail(e.to_string()))?;
    if contents.is_empty() {
        return Err(fail("it holds no tensors".to_owned()));
    }
    if !contents.keys().all(|name| name.starts_with(WRAPPER)) {
        return Ok(contents);
    }
    Ok(contents.into_iter().map(|(name, stored)| (name[WRAPPER.len()..].to_owned(), stored)).collect())
}

/// Reads some tensors of a file.
fn read_all(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Stored)>,
) -> Result<StateDict, TrainError> {
    let fail = |reason| TrainError::Weights { path: path.to_owned(), reason };
    let read = |(name, stored): (String, Stored)| {
        let data = stored.read().map_err(|e| fail(format!("the tensor {name}: {e}")))?;
        let bad = data.iter::<f32>().find(|x| !x.is_finite());
        match bad {
            Some(value) => Err(fail(format!("the tensor {name} holds {value}, not a finite number"))),
            None => Ok((name, data)),
        }
    };
    tensors.into_iter().map(read).collect()
}

/// All tensors that do not fit, one per line.
#[derive(Debug)]
pub struct Misfits(pub Vec<Misfit>);

impl std::fmt::Display for Misfits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(misfits) = self;
        match misfits.len() {
            1 => write!(f, "1 tensor does not fit, nothing was written")?,
            n => write!(f, "{n} tensors do not fit, nothing was written")?,
        }
        // A name from the file may hold anything; a line is one tensor's.
        let line = |misfit: &Misfit| misfit.to_string().replace(char::is_control, "\u{fffd}");
        misfits.iter().try_for_each(|misfit| write!(f, "\n  {}", line(misfit)))
    }
}
