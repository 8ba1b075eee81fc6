//! Weights of the original: files of `torch.save(policy.state_dict())`, or the same as safetensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use amago_agent::{Agent, Misfit, load_state};
use amago_seqmodel::{PositionKind, TrajEncoderConfig};
use burn::tensor::{BoolStore, DType, Device, TensorData};
use pytorch_reader::{DType as TorchType, PytorchReader};
use safetensors::{Dtype as SafeType, SafeTensors};

use crate::checkpoint::{Checkpoint, CheckpointMeta};
use crate::{Plan, RunDir, TrainError};

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
/// checkpoint after no updates. Nothing is written when anything does not fit.
///
/// # Errors
/// When the file cannot be read, when tensors do not fit (all are named), or when the folder cannot be
/// written.
pub fn import(weights: &Path, plan: &Plan, run_dir: &Path, device: &Device) -> Result<Imported, TrainError> {
    let state = read_state_dict(weights)?;
    let agent = plan.agent(&device.clone().autodiff());
    let (agent, imported) = fill(agent, &state, &plan.config.agent.traj_encoder)
        .map_err(|misfits| TrainError::Misfits { path: weights.to_owned(), misfits: Misfits(misfits) })?;
    let run = RunDir::create(run_dir, &plan.config)?;
    Checkpoint::save(&run.checkpoints(), &plan.learner(agent), CheckpointMeta::default(), None, 1)?;
    Ok(imported)
}

/// Fills an agent from a state dict and insists that nothing is left over but what the config implies.
fn fill(
    agent: Agent,
    state: &StateDict,
    traj_encoder: &TrajEncoderConfig,
) -> Result<(Agent, Imported), Vec<Misfit>> {
    let entries = amago_agent::state_entries(&agent);
    let asked = |name: &str| entries.iter().any(|entry| entry.name == name);
    let implied = |name: &str| name.ends_with(".rope.inv_freq") && is_rotary(traj_encoder);
    let (unused, left): (Vec<_>, Vec<_>) =
        state.iter().filter(|(name, _)| !asked(name)).partition(|(name, _)| implied(name));
    let left = left.into_iter().map(|(name, data)| {
        let (name, found) = (name.clone(), data.shape().to_vec());
        Misfit::LeftOver { name, found }
    });
    let imported = Imported {
        tensors: entries.len(),
        unused: unused.into_iter().map(|(name, _)| name.clone()).collect(),
    };
    match load_state(agent, |name| state.get(name).cloned()) {
        Err(mut misfits) => {
            misfits.extend(left);
            Err(misfits)
        }
        Ok(_) if left.len() > 0 => Err(left.collect()),
        Ok(agent) => Ok((agent, imported)),
    }
}

/// The wavelengths of rotary positions are saved there, once per layer, and constants here. That they
/// are there is the only trace of rotary positions in a file.
fn is_rotary(config: &TrajEncoderConfig) -> bool {
    matches!(config, TrajEncoderConfig::Transformer(c) if c.pos_emb == PositionKind::Rope)
}

/// Reads all tensors of a file: safetensors where its name ends so, else any container of PyTorch's.
/// Training on several devices puts `module.` before every name, which is taken off.
///
/// # Errors
/// When the file is missing, damaged, empty of tensors or not such a file.
pub fn read_state_dict(path: &Path) -> Result<StateDict, TrainError> {
    const WRAPPER: &str = "module.";
    let read = match path.extension().is_some_and(|e| e == "safetensors") {
        true => read_safetensors(path),
        false => read_torch(path),
    };
    let fail = |reason| TrainError::Weights { path: path.to_owned(), reason };
    let state = read.map_err(|e| fail(e.to_string()))?;
    if state.is_empty() {
        return Err(fail("it holds no tensors".to_owned()));
    }
    if !state.keys().all(|name| name.starts_with(WRAPPER)) {
        return Ok(state);
    }
    Ok(state.into_iter().map(|(name, data)| (name[WRAPPER.len()..].to_owned(), data)).collect())
}

type ReadError = Box<dyn std::error::Error>;

fn read_torch(path: &Path) -> Result<StateDict, ReadError> {
    let tensors = PytorchReader::new(path)?.into_tensors();
    let read = |(name, tensor): (String, pytorch_reader::Tensor)| {
        let dtype = match tensor.dtype() {
            TorchType::F64 => DType::F64,
            TorchType::F32 => DType::F32,
            TorchType::F16 => DType::F16,
            TorchType::BF16 => DType::BF16,
            TorchType::I64 => DType::I64,
            TorchType::I32 => DType::I32,
            TorchType::I16 => DType::I16,
            TorchType::I8 => DType::I8,
            TorchType::U64 => DType::U64,
            TorchType::U32 => DType::U32,
            TorchType::U16 => DType::U16,
            TorchType::U8 => DType::U8,
            TorchType::Bool => DType::Bool(BoolStore::Native),
        };
        let data = TensorData::from_bytes_vec(tensor.read()?, tensor.shape().to_vec(), dtype);
        Ok((name, data))
    };
    tensors.into_iter().map(read).collect()
}

fn read_safetensors(path: &Path) -> Result<StateDict, ReadError> {
    let bytes = fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let read = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        let dtype = match view.dtype() {
            SafeType::F64 => DType::F64,
            SafeType::F32 => DType::F32,
            SafeType::F16 => DType::F16,
            SafeType::BF16 => DType::BF16,
            SafeType::I64 => DType::I64,
            SafeType::I32 => DType::I32,
            SafeType::U8 => DType::U8,
            SafeType::BOOL => DType::Bool(BoolStore::Native),
            other => return Err(format!("{name} is of the type {other:?}").into()),
        };
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
        Ok((name.to_owned(), data))
    };
    file.iter().map(read).collect()
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
        misfits.iter().try_for_each(|misfit| write!(f, "\n  {misfit}"))
    }
}
