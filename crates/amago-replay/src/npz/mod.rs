//! Trajectories recorded by the original implementation: one `.npz` file each.
//!
//! | array | shape | content |
//! |---|---|---|
//! | `_OBS_KEY_<key>` | `(T + 1, …)` | observations |
//! | `rl2s` | `(T + 1, 1 + A)` | previous reward, previous action |
//! | `time_idxs` | `(T + 1, 1)` | step within the episode |
//! | `rews`, `dones` | `(T, 1)` | reward and terminal signal of each step |
//! | `actions` | `(T, A)` | encoded actions |
//!
//! Arrays may be in C or in Fortran order, compressed or not. Observations of bytes stay bytes, all
//! other numbers become f32.

mod npy;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use amago_env::{Column, Dtype};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::{ColumnLayout, Columns, Layout, ReplayError, Trajectory};
use npy::Array;
pub use npy::NpyError;

/// What the name of an observation array begins with.
const OBS_PREFIX: &str = "_OBS_KEY_";

/// One way in which an `.npz` file is not a trajectory.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// Not a readable archive.
    #[error("the file is not a readable .npz archive: {0}")]
    Archive(ZipError),
    /// Bytes that cannot be unpacked.
    #[error("\"{name}\" cannot be unpacked: {cause}")]
    Unpack {
        /// Name in the archive.
        name: String,
        /// Why.
        cause: io::Error,
    },
    /// An array that cannot be read.
    #[error("the array \"{name}\" cannot be read: {cause}")]
    Array {
        /// Its name.
        name: String,
        /// Why.
        cause: NpyError,
    },
    /// An array is missing.
    #[error("there is no array \"{0}\"")]
    Missing(&'static str),
    /// An array that no trajectory has.
    #[error("the array \"{0}\" does not belong to a trajectory")]
    Unknown(String),
    /// An array of another shape.
    #[error("the array \"{name}\" has the shape {got:?}, not {expected}")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        got: Vec<usize>,
        /// The shape it should have.
        expected: String,
    },
    /// Arrays that contradict each other.
    #[error("row {row} of \"{name}\" is not what the other arrays say")]
    Contradiction {
        /// The array.
        name: &'static str,
        /// The first row that differs.
        row: usize,
    },
    /// NaN or infinity.
    #[error("the array \"{name}\" holds {value}, not a finite number")]
    NotFinite {
        /// Its name.
        name: String,
        /// The value.
        value: f64,
    },
}

impl From<ZipError> for NpzError {
    fn from(error: ZipError) -> Self {
        Self::Archive(error)
    }
}

/// Reads a trajectory that the original implementation has saved as `.npz`.
///
/// # Errors
/// When the file cannot be opened, or is no trajectory; names the array at fault.
pub fn read_npz(path: impl AsRef<Path>) -> Result<Trajectory, ReplayError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(ReplayError::io(path))?;
    let arrays = read_arrays(BufReader::new(file)).and_then(Arrays::columns);
    let (layout, columns) =
        arrays.map_err(|cause| ReplayError::Npz { path: path.to_owned(), cause: Box::new(cause) })?;
    Trajectory::new(Arc::new(layout), columns)
}

/// Arrays by name.
struct Arrays(BTreeMap<String, Array>);

fn read_arrays(reader: impl Read + Seek) -> Result<Arrays, NpzError> {
    let mut archive = ZipArchive::new(reader)?;
    let mut arrays = BTreeMap::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i)?;
        let mut name = entry.name()?.to_string();
        let mut bytes = Vec::new();
        if let Err(cause) = entry.read_to_end(&mut bytes) {
            return Err(NpzError::Unpack { name, cause });
        }
        if !name.ends_with(".npy") {
            return Err(NpzError::Unknown(name));
        }
        name.truncate(name.len() - ".npy".len());
        match Array::read(&bytes) {
            Ok(array) => arrays.insert(name, array),
            Err(cause) => return Err(NpzError::Array { name, cause }),
        };
    }
    Ok(Arrays(arrays))
}

impl Arrays {
    /// Takes out an array of the given shape; `None` stands for any length.
    fn take(&mut self, name: &'static str, expected: [Option<usize>; 2]) -> Result<Array, NpzError> {
        let array = self.0.remove(name).ok_or(NpzError::Missing(name))?;
        let fits = array.shape.len() == 2
            && array.shape.iter().zip(expected).all(|(n, expected)| expected.is_none_or(|e| e == *n));
        if fits {
            finite(name, &array)?;
            return Ok(array);
        }
        let expected = expected.map(|e| e.map_or("any".to_owned(), |e| e.to_string())).join(", ");
        Err(NpzError::Shape { name: name.to_owned(), got: array.shape, expected: format!("[{expected}]") })
    }

    fn columns(mut self) -> Result<(Layout, Columns), NpzError> {
        let rewards = self.take("rews", [None, Some(1)])?;
        let steps = rewards.shape[0];
        let rewards = floats(&rewards);
        let actions = self.take("actions", [Some(steps), None])?;
        let action_width = actions.shape[1];
        let actions = floats(&actions);
        let dones = self.take("dones", [Some(steps), Some(1)])?;
        let times = self.take("time_idxs", [Some(steps + 1), Some(1)])?.values;
        let rl2s = floats(&self.take("rl2s", [Some(steps + 1), Some(1 + action_width)])?);
        let start_time = times[0] as i64;
        let contradiction = |name, row: Option<usize>| match row {
            Some(row) => Err(NpzError::Contradiction { name, row }),
            None => Ok(()),
        };
        let gap = times.iter().zip(start_time..).position(|(time, expected)| *time != expected as f64);
        contradiction("time_idxs", gap)?;
        // Our format makes these rows from rewards and actions.
        let previous = rl2s.chunks_exact(1 + action_width).skip(1);
        let differs = previous.enumerate().find(|(t, row)| {
            row[0] != rewards[*t] || row[1..] != actions[t * action_width..][..action_width]
        });
        contradiction("rl2s", differs.map(|(t, _)| t + 1))?;
        let (columns, obs) = self.observations(steps + 1)?.into_iter().unzip();
        let columns_of = Columns {
            obs,
            actions,
            rewards,
            terminals: dones.values.iter().map(|d| *d != 0.0).collect(),
            start_time,
            first_prev: rl2s[..1 + action_width].to_vec(),
        };
        Ok((Layout { columns, action_width }, columns_of))
    }

    /// The remaining arrays, which must be observations, by key.
    fn observations(self, rows: usize) -> Result<Vec<(ColumnLayout, Column)>, NpzError> {
        let mut observations = Vec::new();
        for (name, array) in self.0 {
            let Some(key) = name.strip_prefix(OBS_PREFIX) else { return Err(NpzError::Unknown(name)) };
            if array.shape.first() != Some(&rows) {
                let expected = format!("[{rows}, ..]");
                return Err(NpzError::Shape { got: array.shape, expected, name });
            }
            finite(&name, &array)?;
            let (shape, dtype) = (array.shape[1..].to_vec(), array.dtype);
            let spec = ColumnLayout { key: key.to_owned(), width: shape.iter().product(), shape, dtype };
            let column = match dtype {
                Dtype::F32 => Column::F32(floats(&array)),
                Dtype::U8 => Column::U8(array.values.iter().map(|x| *x as u8).collect()),
            };
            observations.push((spec, column));
        }
        if observations.is_empty() { Err(NpzError::Missing("_OBS_KEY_...")) } else { Ok(observations) }
    }
}

fn floats(array: &Array) -> Vec<f32> {
    array.values.iter().map(|x| *x as f32).collect()
}

/// Refuses what is not finite as f32.
fn finite(name: &str, array: &Array) -> Result<(), NpzError> {
    match array.values.iter().find(|x| !(**x as f32).is_finite()) {
        Some(value) => Err(NpzError::NotFinite { name: name.to_owned(), value: *value }),
        None => Ok(()),
    }
}
