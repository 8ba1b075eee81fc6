//! What a worker says of its environment, and how actions and observations look on the wire.

use std::fs::File;
use std::os::unix::fs::FileExt;

use amago_env::{Action, ActionError, BoxSpace, DictSpace, Dtype, EnvError, Observation, Space, TaskSpec};
use serde::Deserialize;

use crate::{GymConfig, GymError};

/// Most bytes of one observation.
const MAX_ROW: usize = 1 << 26;
/// Most keys of an observation.
const MAX_KEYS: usize = 1024;

/// The first reply of a worker.
#[derive(Debug, Deserialize)]
struct Hello {
    leaves: Vec<Leaf>,
    action: ActionLeaf,
    horizon: Option<usize>,
    saves_state: bool,
}

#[derive(Debug, Deserialize)]
struct Leaf {
    key: String,
    kind: LeafKind,
    #[serde(default)]
    shape: Vec<usize>,
    #[serde(default)]
    low: Vec<Option<f32>>,
    #[serde(default)]
    high: Vec<Option<f32>>,
    #[serde(default)]
    bytes: bool,
    #[serde(default)]
    nvec: Vec<usize>,
    #[serde(default)]
    discrete: bool,
    #[serde(default)]
    n: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LeafKind {
    Box,
    Choices,
    Bits,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ActionLeaf {
    Discrete { n: usize },
    MultiDiscrete { nvec: Vec<usize> },
    MultiBinary { n: usize },
    Box { shape: Vec<usize>, low: Vec<Option<f32>>, high: Vec<Option<f32>> },
}

/// One column on the wire.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    key: String,
    /// Numbers on the wire.
    count: usize,
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Floats,
    Bytes,
    /// One number for each choice, with so many options.
    Choices(Vec<usize>),
    Bits,
}

impl Column {
    fn size(&self) -> usize {
        match self.form {
            Form::Floats | Form::Choices(_) => 4 * self.count,
            Form::Bytes | Form::Bits => self.count,
        }
    }
}

/// Spaces, and how their values travel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub spec: TaskSpec,
    columns: Vec<Column>,
    /// Bytes of one observation.
    pub row: usize,
    /// Bytes of one action.
    pub action: usize,
    /// Numbers from `info` with each step.
    pub metrics: usize,
    /// Whether the environment saves its state.
    pub saves_state: bool,
}

impl Layout {
    /// Reads a worker's description of the environment `name`. Nothing in it is believed.
    ///
    /// # Errors
    /// When it is no such description, or describes spaces that cannot be used.
    pub fn read(name: &str, hello: &[u8], config: &GymConfig) -> Result<Self, GymError> {
        let spaces = |e: String| GymError::Spaces(e);
        let hello: Hello = serde_json::from_slice(hello)
            .map_err(|e| GymError::Lost(format!("described its environment in an unknown way: {e}")))?;
        let action_space = hello.action.space().map_err(spaces)?;
        let (mut observation_space, mut columns) = (DictSpace(Default::default()), Vec::new());
        let mut add = |key: &str, found: (Space, Column)| {
            let (space, column) = found;
            columns.push(column);
            match observation_space.0.insert(key.to_owned(), space) {
                None if columns.len() <= MAX_KEYS => Ok(()),
                None => Err(GymError::Spaces(format!("the observation has more than {MAX_KEYS} keys"))),
                Some(_) => Err(GymError::Spaces(format!("two observations have the key \"{key}\""))),
            }
        };
        for leaf in &hello.leaves {
            add(&leaf.key, leaf.column().map_err(|e| spaces(format!("observation \"{}\" {e}", leaf.key)))?)?;
        }
        if config.action_mask {
            let key = DictSpace::ACTION_MASK;
            let n = action_space.width();
            add(key, (Space::MultiBinary { n }, Column { key: key.to_owned(), count: n, form: Form::Bits }))?;
        }
        let row = columns.iter().map(Column::size).sum();
        if row > MAX_ROW {
            return Err(spaces(format!("an observation has {row} bytes, {MAX_ROW} are allowed")));
        }
        let action = match &action_space {
            Space::Discrete { .. } => 8,
            Space::MultiDiscrete { nvec } => 8 * nvec.len(),
            Space::MultiBinary { n } => *n,
            Space::Box(_) => 4 * action_space.width(),
        };
        let mut spec = TaskSpec::new(name, observation_space, action_space);
        spec.horizon = hello.horizon.filter(|steps| *steps > 0);
        spec.validate().map_err(|e| spaces(e.to_string()))?;
        let (metrics, saves_state) = (config.metrics.len(), hello.saves_state);
        Ok(Self { spec, columns, row, action, metrics, saves_state })
    }

    /// Writes an action, [`Layout::action`] bytes.
    ///
    /// # Errors
    /// When it is not in the action space.
    pub fn put(&self, action: &Action, out: &mut [u8]) -> Result<(), ActionError> {
        let space = &self.spec.action_space;
        match space {
            Space::Discrete { .. } => out.copy_from_slice(&(action.choice(space)? as u64).to_le_bytes()),
            Space::MultiDiscrete { .. } => {
                for (out, choice) in out.chunks_exact_mut(8).zip(action.choices(space)?) {
                    out.copy_from_slice(&(*choice as u64).to_le_bytes());
                }
            }
            Space::MultiBinary { .. } => {
                for (out, bit) in out.iter_mut().zip(action.bits(space)?) {
                    *out = u8::from(*bit);
                }
            }
            Space::Box(_) => {
                for (out, number) in out.chunks_exact_mut(4).zip(action.numbers(space)?) {
                    out.copy_from_slice(&number.to_le_bytes());
                }
            }
        }
        Ok(())
    }

    /// Reads an observation. `scratch` is only a buffer.
    ///
    /// # Errors
    /// When a number is not finite or no value of its space, or the row is not there.
    pub fn get(&self, row: Row<'_>, scratch: &mut Scratch, obs: &mut Observation) -> Result<(), EnvError> {
        let Scratch { bytes, numbers: scratch } = scratch;
        let mut place = 0;
        for column in &self.columns {
            let from = place;
            place += column.size();
            if let (Row::Memory(..), Form::Bytes) = (&row, &column.form) {
                row.read(from, obs.bytes_mut(&column.key)?)?;
                continue;
            }
            bytes.resize(column.size(), 0);
            row.read(from, bytes)?;
            let part = &bytes[..];
            scratch.clear();
            let outside = || EnvError::OutOfSpace {
                key: column.key.clone(),
                space: self.spec.observation_space.0[&column.key].to_string(),
            };
            match &column.form {
                Form::Bytes => {
                    obs.write_u8(&column.key, part)?;
                    continue;
                }
                Form::Floats => scratch.extend(numbers(part).map(f32::from_le_bytes)),
                Form::Bits => scratch.extend(part.iter().map(|bit| f32::from(*bit))),
                Form::Choices(options) => {
                    for (choice, n) in numbers(part).map(u32::from_le_bytes).zip(options) {
                        let start = scratch.len();
                        scratch.resize(start + n, 0.0);
                        let choice = usize::try_from(choice).ok().filter(|choice| choice < n);
                        scratch[start + choice.ok_or_else(outside)?] = 1.0;
                    }
                }
            }
            if let Some(i) = scratch.iter().position(|x| !x.is_finite()) {
                let what = format!("observation \"{}\"[{i}]", column.key);
                return Err(EnvError::NotFinite { what, value: scratch[i] });
            }
            obs.write(&column.key, scratch)?;
        }
        Ok(())
    }
}

/// Where an observation is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    /// Here.
    Bytes(&'a [u8]),
    /// At this place of the worker's memory.
    Memory(&'a File, u64),
}

impl Row<'_> {
    fn read(&self, from: usize, out: &mut [u8]) -> Result<(), EnvError> {
        match self {
            Row::Bytes(row) => out.copy_from_slice(&row[from..from + out.len()]),
            Row::Memory(file, start) => file.read_exact_at(out, start + from as u64).map_err(|e| {
                EnvError::Failed(format!("the memory of the Python worker cannot be read: {e}"))
            })?,
        }
        Ok(())
    }
}

/// Buffers for [`Layout::get`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.chunks_exact(4).map(|x| [x[0], x[1], x[2], x[3]])
}

/// Entries of a shape; at most [`MAX_ROW`].
fn entries(shape: &[usize]) -> Result<usize, String> {
    let entries = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
    entries.filter(|n| *n <= MAX_ROW).ok_or_else(|| format!("has the shape {shape:?}, which is too large"))
}

/// Options of all choices; at most [`MAX_ROW`].
fn total(nvec: &[usize]) -> Result<usize, String> {
    let total = nvec.iter().try_fold(0usize, |sum, n| sum.checked_add(*n));
    total.filter(|n| *n <= MAX_ROW).ok_or_else(|| "has too many choices".to_owned())
}

/// A bound for each entry; an absent one is infinite.
fn bounds(given: &[Option<f32>], infinite: f32, width: usize) -> Result<Vec<f32>, String> {
    match given {
        [one] => Ok(vec![one.unwrap_or(infinite); width]),
        all if all.len() == width => Ok(all.iter().map(|x| x.unwrap_or(infinite)).collect()),
        all => Err(format!("has {} bounds for {width} entries", all.len())),
    }
}

fn box_space(
    shape: &[usize],
    low: &[Option<f32>],
    high: &[Option<f32>],
    dtype: Dtype,
) -> Result<Space, String> {
    let width = entries(shape)?;
    let (low, high) = (bounds(low, f32::NEG_INFINITY, width)?, bounds(high, f32::INFINITY, width)?);
    // A single number has no dimension in Python.
    let shape = if shape.is_empty() { vec![1] } else { shape.to_vec() };
    Ok(Space::Box(BoxSpace { shape, low, high, dtype }))
}

impl Leaf {
    fn column(&self) -> Result<(Space, Column), String> {
        let (space, count, form) = match self.kind {
            LeafKind::Box => {
                let dtype = if self.bytes { Dtype::U8 } else { Dtype::F32 };
                let space = box_space(&self.shape, &self.low, &self.high, dtype)?;
                (space, entries(&self.shape)?, if self.bytes { Form::Bytes } else { Form::Floats })
            }
            LeafKind::Bits => (Space::MultiBinary { n: self.n }, entries(&[self.n])?, Form::Bits),
            LeafKind::Choices => {
                total(&self.nvec)?;
                let nvec = self.nvec.clone();
                let space = match nvec.as_slice() {
                    [n] if self.discrete => Space::Discrete { n: *n },
                    _ => Space::MultiDiscrete { nvec: nvec.clone() },
                };
                (space, nvec.len(), Form::Choices(nvec))
            }
        };
        Ok((space, Column { key: self.key.clone(), count, form }))
    }
}

impl ActionLeaf {
    fn space(self) -> Result<Space, String> {
        let of = |e| format!("the action space {e}");
        Ok(match self {
            ActionLeaf::Discrete { n } => {
                total(&[n]).map_err(of)?;
                Space::Discrete { n }
            }
            ActionLeaf::MultiDiscrete { nvec } => {
                total(&nvec).map_err(of)?;
                Space::MultiDiscrete { nvec }
            }
            ActionLeaf::MultiBinary { n } => {
                entries(&[n]).map_err(of)?;
                Space::MultiBinary { n }
            }
            ActionLeaf::Box { shape, low, high } => box_space(&shape, &low, &high, Dtype::F32).map_err(of)?,
        })
    }
}
