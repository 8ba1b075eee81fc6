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
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use amago_env::{Column, Dtype};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::{ColumnLayout, Columns, Layout, ReplayError, Trajectory, store};
use npy::Header;
pub use npy::NpyError;

/// What the name of an observation array begins with.
const OBS_PREFIX: &str = "_OBS_KEY_";

/// One way in which an `.npz` file is not a trajectory.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// Not a readable archive.
    #[error("the file is not a readable .npz archive: {0}")]
    Archive(ZipError),
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
    /// No steps.
    #[error("the trajectory has no transitions")]
    Empty,
    /// Arrays that would need too much memory.
    #[error("the arrays need more than {limit} bytes")]
    TooLarge {
        /// Bytes that are allowed.
        limit: usize,
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
        value: f32,
    },
}

impl From<ZipError> for NpzError {
    fn from(error: ZipError) -> Self {
        Self::Archive(error)
    }
}

/// Most bytes of the arrays of one file, unpacked: a packed file of zeros may say a thousand times what it has.
const MAX_BYTES: usize = 1 << 30;

/// Reads a trajectory that the original implementation has saved as `.npz`.
///
/// # Errors
/// When the file cannot be opened, or is no trajectory, or its arrays need more than 1 GiB; names the array at fault.
/// Names, types and shapes of all arrays are checked before any number is read.
pub fn read_npz(path: impl AsRef<Path>) -> Result<Trajectory, ReplayError> {
    let path = path.as_ref();
    let columns = open(path)?.columns();
    let (layout, columns) = columns.map_err(|cause| fault(path, cause))?;
    Trajectory::new(Arc::new(layout), columns).map_err(|error| match error {
        ReplayError::Unstorable(cause) => ReplayError::Format { path: path.to_owned(), cause },
        other => other,
    })
}

/// What a file holds, known without reading its numbers.
pub(crate) struct Summary {
    /// Layout of the columns.
    pub layout: Layout,
    /// Number of transitions.
    pub transitions: usize,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Reads names, types and shapes of the arrays of a file.
pub(crate) fn summary(path: &Path) -> Result<Summary, ReplayError> {
    let archive = open(path)?;
    let bytes = archive.bytes;
    let (layout, transitions) = archive.layout().map_err(|cause| fault(path, cause))?;
    Ok(Summary { layout, transitions, bytes })
}

fn open(path: &Path) -> Result<Archive<BufReader<File>>, ReplayError> {
    let (file, bytes) = store::open(path, false)?;
    Archive::open(BufReader::new(file), bytes).map_err(|cause| fault(path, cause))
}

fn fault(path: &Path, cause: NpzError) -> ReplayError {
    ReplayError::Npz { path: path.to_owned(), cause: Box::new(cause) }
}

/// Arrays by name, with their number in the archive.
struct Archive<R> {
    zip: ZipArchive<R>,
    headers: BTreeMap<String, (usize, Header)>,
    bytes: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the header of every array.
    fn open(reader: R, bytes: u64) -> Result<Self, NpzError> {
        let mut zip = ZipArchive::new(reader)?;
        let mut headers = BTreeMap::new();
        let mut room = MAX_BYTES;
        for i in 0..zip.len() {
            let mut entry = zip.by_index(i)?;
            let mut name = entry.name()?.to_string();
            if !name.ends_with(".npy") {
                return Err(NpzError::Unknown(name));
            }
            name.truncate(name.len() - ".npy".len());
            let header = match Header::read(&mut entry) {
                Ok(header) => header,
                Err(cause) => return Err(NpzError::Array { name, cause }),
            };
            // Numbers become 32-bit floats, whatever their type is.
            let size = if header.dtype() == Dtype::U8 { header.len } else { header.len.saturating_mul(4) };
            room =
                room.checked_sub(size.max(header.bytes())).ok_or(NpzError::TooLarge { limit: MAX_BYTES })?;
            headers.insert(name, (i, header));
        }
        Ok(Self { zip, headers, bytes })
    }

    fn header(&self, name: &'static str) -> Result<&Header, NpzError> {
        self.headers.get(name).map(|(_, header)| header).ok_or(NpzError::Missing(name))
    }

    /// Refuses an array of another shape; `None` stands for any length.
    fn expect(&self, name: &'static str, expected: [Option<usize>; 2]) -> Result<&Header, NpzError> {
        let header = self.header(name)?;
        let fits = header.shape.len() == 2
            && header.shape.iter().zip(expected).all(|(n, expected)| expected.is_none_or(|e| e == *n));
        if fits {
            return Ok(header);
        }
        let expected = expected.map(|e| e.map_or("any".to_owned(), |e| e.to_string())).join(", ");
        let got = header.shape.clone();
        Err(NpzError::Shape { name: name.to_owned(), got, expected: format!("[{expected}]") })
    }

    /// Layout and number of transitions, if the arrays are those of a trajectory.
    fn layout(&self) -> Result<(Layout, usize), NpzError> {
        let steps = self.expect("rews", [None, Some(1)])?.shape[0];
        let action_width = self.expect("actions", [Some(steps), None])?.shape[1];
        self.expect("dones", [Some(steps), Some(1)])?;
        self.expect("time_idxs", [Some(steps + 1), Some(1)])?;
        self.expect("rl2s", [Some(steps + 1), Some(1 + action_width)])?;
        let mut columns = Vec::new();
        for (name, (_, header)) in &self.headers {
            if ["rews", "actions", "dones", "time_idxs", "rl2s"].contains(&name.as_str()) {
                continue;
            }
            let key = name.strip_prefix(OBS_PREFIX).ok_or_else(|| NpzError::Unknown(name.clone()))?;
            if header.shape.first() != Some(&(steps + 1)) {
                let (name, got) = (name.clone(), header.shape.clone());
                return Err(NpzError::Shape { got, expected: format!("[{}, ..]", steps + 1), name });
            }
            let shape = header.shape[1..].to_vec();
            let (key, width) = (key.to_owned(), shape.iter().product());
            columns.push(ColumnLayout { key, shape, width, dtype: header.dtype() });
        }
        match (columns.is_empty(), steps) {
            (true, _) => Err(NpzError::Missing("_OBS_KEY_...")),
            (_, 0) => Err(NpzError::Empty),
            _ => Ok((Layout { columns, action_width }, steps)),
        }
    }

    fn numbers<T: Copy + Default>(
        &mut self,
        name: &str,
        convert: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, NpzError> {
        let (i, header) = &self.headers[name];
        let mut entry = self.zip.by_index(*i)?;
        let numbers = Header::read(&mut entry).and_then(|_| header.numbers(&mut entry, convert));
        numbers.map_err(|cause| NpzError::Array { name: name.to_owned(), cause })
    }

    fn floats(&mut self, name: &str) -> Result<Vec<f32>, NpzError> {
        let values = self.numbers(name, |x| x as f32)?;
        match values.iter().find(|x| !x.is_finite()) {
            Some(value) => Err(NpzError::NotFinite { name: name.to_owned(), value: *value }),
            None => Ok(values),
        }
    }

    fn columns(mut self) -> Result<(Layout, Columns), NpzError> {
        let (layout, _) = self.layout()?;
        let width = layout.rl2_width();
        let (rewards, actions, rl2s) = (self.floats("rews")?, self.floats("actions")?, self.floats("rl2s")?);
        let terminals = self.floats("dones")?.into_iter().map(|x| x != 0.0).collect();
        let times = self.numbers("time_idxs", |x| x)?;
        let start_time = times[0] as i64;
        let contradiction = |name, row: Option<usize>| match row {
            Some(row) => Err(NpzError::Contradiction { name, row }),
            None => Ok(()),
        };
        let gap = times.iter().enumerate().position(|(i, time)| *time != times[0] + i as f64);
        contradiction("time_idxs", gap)?;
        // Our format makes these rows from rewards and actions.
        let mut previous = rl2s.chunks_exact(width).skip(1).enumerate();
        let differs = previous
            .find(|(t, row)| row[0] != rewards[*t] || row[1..] != actions[t * (width - 1)..][..width - 1]);
        contradiction("rl2s", differs.map(|(t, _)| t + 1))?;
        let mut obs = Vec::with_capacity(layout.columns.len());
        for spec in &layout.columns {
            let name = format!("{OBS_PREFIX}{}", spec.key);
            obs.push(match spec.dtype {
                Dtype::F32 => Column::F32(self.floats(&name)?),
                Dtype::U8 => Column::U8(self.numbers(&name, |x| x as u8)?),
            });
        }
        let first_prev = rl2s[..width].to_vec();
        Ok((layout, Columns { obs, actions, rewards, terminals, start_time, first_prev }))
    }
}
