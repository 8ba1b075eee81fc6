//! Tensors of a checkpoint's files, checked before Burn takes them in: it trusts names, ranks and types, and panics
//! where they are others.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use amago_agent::Agent;
use amago_env::guard::panic_message;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bytes, DType, Tensor};
use burn_pack::{Reader, Scalar};

/// Names that AdamW's state has after the number of its parameter.
const MOMENTS: [&str; 2] = ["momentum.moment_1", "momentum.moment_2"];
const TIME: &str = "momentum.time";
const RANK: &str = "__rank";

/// Runs a load of Burn's. What the checks before it do not know of becomes an error as well.
pub(super) fn contain<T>(load: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(load))
        .unwrap_or_else(|panic| Err(format!("it cannot be loaded: {}", panic_message(panic))))
}

/// A tensor of a file, by what a reader must not trust.
struct Found {
    name: String,
    id: u64,
    shape: Vec<usize>,
}

/// All tensors of a file and its other numbers. Each is of finite f32 and belongs to a parameter.
fn found(bytes: &Bytes) -> Result<(Vec<Found>, BTreeMap<String, Scalar>), String> {
    let reader = Reader::from_bytes(bytes.clone()).map_err(|e| e.to_string())?;
    let scalars = reader.scalars().clone();
    let mut all = Vec::new();
    for tensor in reader.into_tensors().map_err(|e| e.to_string())? {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().map_err(|e| e.to_string())?;
        let Some(id) = id else { return Err(format!("{name} belongs to no parameter")) };
        if dtype != DType::F32 {
            return Err(format!("{name} is of the type {dtype:?}, not F32"));
        }
        let values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        // One such number would spread to all outputs with the first step.
        if let Some(value) = values.into_iter().find(|x| !x.is_finite()) {
            return Err(format!("{name} holds {value}, not a finite number"));
        }
        all.push(Found { name, id, shape: shape.to_vec() });
    }
    Ok((all, scalars))
}

/// Checks a file of networks; whether they are those of the config is found when they are loaded.
pub(super) fn check_agent(bytes: &Bytes) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    match found(bytes)?.0.into_iter().find(|tensor| !ids.insert(tensor.id)) {
        Some(Found { name, .. }) => Err(format!("{name} is numbered as another tensor is")),
        None => Ok(()),
    }
}

/// Checks a file of AdamW's moments against the networks that it belongs to.
pub(super) fn check_optimizer(bytes: &Bytes, agent: &Agent) -> Result<(), String> {
    let mut parameters = Shapes::default();
    agent.visit(&mut parameters);
    let (tensors, scalars) = found(bytes)?;
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for Found { name, id, shape } in tensors {
        let Some(expected) = parameters.0.get(&id) else {
            return Err(format!("{name} belongs to no parameter of the networks"));
        };
        if MOMENTS.iter().all(|moment| format!("{id}.{moment}") != name) {
            return Err(format!("{name} is no moment of a parameter"));
        }
        // Unseen here, it would end the run in the middle of the next update.
        if shape != *expected {
            return Err(format!("{name} has the shape {shape:?}, its parameter {expected:?}"));
        }
        *counts.entry(id).or_default() += 1;
    }
    let mut known = BTreeSet::new();
    for (id, count) in counts {
        let number = |key: &str| scalars.get(&format!("{id}.{key}")).and_then(|n| u32::try_from(*n).ok());
        let rank = parameters.0[&id].len();
        if count != MOMENTS.len() || number(RANK).map(|n| n as usize) != Some(rank) {
            return Err(format!("the state of parameter {id} is incomplete or of another rank than {rank}"));
        }
        if number(TIME).is_none_or(|time| i32::try_from(time).is_err()) {
            return Err(format!("the state of parameter {id} has no number of steps, or an impossible one"));
        }
        known.extend([RANK, TIME].map(|key| format!("{id}.{key}")));
    }
    match scalars.into_keys().find(|name| !known.contains(name)) {
        Some(name) => Err(format!("the number {name} belongs to no parameter")),
        None => Ok(()),
    }
}

/// Shapes of all parameters, by their numbers.
#[derive(Default)]
struct Shapes(BTreeMap<u64, Vec<usize>>);

impl ModuleVisitor for Shapes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let id: ParamId = param.id;
        self.0.insert(id.val(), param.val().dims().to_vec());
    }
}
