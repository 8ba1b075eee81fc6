//! What a worker says of its environment, and how actions and observations look on the wire.

mod hello;

use std::fs::File;
use std::os::unix::fs::FileExt;

use amago_env::{Action, ActionError, DictSpace, EnvError, Observation, Space, TaskSpec};

use crate::{GymConfig, GymError};
use hello::Hello;

/// Most bytes of one observation.
const MAX_ROW: usize = 1 << 26;
/// Most keys of an observation.
const MAX_KEYS: usize = 1024;

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
