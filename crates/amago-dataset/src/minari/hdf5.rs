//! `main_data.hdf5`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use amago_replay::{Columns, open_file};
use hdf5_reader::group::Group;
use hdf5_reader::storage::FileStorage;
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions};

use super::episode::{Request, Source, Task, columns};
use super::space::Step;
use super::values::Values;
use super::{MAX_EPISODE, contained, numbered};
use crate::{DatasetError, EpisodeError};

/// Name of the file.
pub(super) const FILE: &str = "main_data.hdf5";
/// What the name of an episode begins with.
const PREFIX: &str = "episode_";
/// Episodes that are read before the file is opened anew: the library keeps what it has learned of every object.
const EPISODES_PER_OPENING: usize = 256;
/// How much longer unpacked data can be than the file: the most that deflate packs.
const MOST_PACKED: u64 = 1032;

/// All episodes in one file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// Bytes of it.
    len: u64,
    /// Number and steps of each, or what is wrong with it.
    episodes: Vec<(u64, Result<usize, String>)>,
    open: Mutex<Option<Opened>>,
}

/// An opened file, and how many episodes were read from it.
struct Opened(Hdf5File, usize);

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Opened").field(&self.1).finish()
    }
}

impl File {
    /// Lists the episodes of a file.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        let list = || {
            let (file, len) = open(path)?;
            let root = file.root_group()?;
            let (groups, _) = root.member_names()?;
            let steps = |n: u64| Ok::<_, EpisodeError>(rows(&rewards(&episode(&root, n)?)?));
            let of = |n| (n, contained(|| steps(n)).map_err(|e| e.to_string()));
            Ok((len, numbered(groups.into_iter(), PREFIX).into_iter().map(of).collect()))
        };
        let (len, episodes) = contained(list).map_err(|cause| match cause {
            EpisodeError::Replay(error) => DatasetError::Replay(error),
            cause => DatasetError::Episodes { path: path.to_owned(), cause },
        })?;
        Ok(Self { path: path.to_owned(), len, episodes, open: Mutex::new(None) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of episodes.
    pub fn len(&self) -> usize {
        self.episodes.len()
    }

    /// Number of an episode in its name.
    pub fn number(&self, i: usize) -> u64 {
        self.episodes[i].0
    }

    /// Bytes and steps.
    pub fn head(&self, i: usize) -> Result<(u64, usize), EpisodeError> {
        let (_, steps) = &self.episodes[i];
        let steps = steps.clone().map_err(EpisodeError::Listing)?;
        Ok((self.len / self.episodes.len() as u64, steps))
    }

    /// Reads an episode.
    pub fn read(&self, i: usize, task: &Task) -> Result<(Columns, u64), EpisodeError> {
        contained(|| {
            let file = self.file()?;
            let group = episode(&file.root_group()?, self.number(i))?;
            let steps = rows(&rewards(&group)?);
            match steps {
                0 => Err(EpisodeError::Empty),
                _ => columns(task, &Episode { group, steps, file_len: self.len }),
            }
        })
    }

    fn file(&self) -> Result<Hdf5File, EpisodeError> {
        let mut open_file = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *open_file {
            Some(Opened(file, read)) if *read < EPISODES_PER_OPENING => {
                *read += 1;
                Ok(file.clone())
            }
            other => {
                let (file, _) = open(&self.path)?;
                *other = Some(Opened(file.clone(), 1));
                Ok(file)
            }
        }
    }
}

/// Links to other files are not followed: a dataset is what is in its folder.
fn open(path: &Path) -> Result<(Hdf5File, u64), EpisodeError> {
    let (file, len) = open_file(path)?;
    let options = OpenOptions::default().with_max_read_bytes(MAX_EPISODE).with_chunk_cache_bytes(0);
    let storage = FileStorage::from_file(file)?;
    Ok((Hdf5File::from_storage_with_options(Arc::new(storage), options)?, len))
}

fn episode(root: &Group, number: u64) -> Result<Group, EpisodeError> {
    Ok(root.group(&format!("{PREFIX}{number}"))?)
}

fn rewards(episode: &Group) -> Result<Dataset, EpisodeError> {
    Ok(episode.dataset("rewards")?)
}

fn rows(dataset: &Dataset) -> usize {
    dataset.shape().first().map_or(0, |rows| usize::try_from(*rows).unwrap_or(usize::MAX))
}

/// An opened episode.
struct Episode {
    group: Group,
    steps: usize,
    file_len: u64,
}

impl Source for Episode {
    fn steps(&self) -> usize {
        self.steps
    }

    fn values(&self, column: &str, path: &[Step], request: Request) -> Result<Values, EpisodeError> {
        let name = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(i) => format!("_index_{i}"),
        };
        let names: Vec<String> = [column.to_owned()].into_iter().chain(path.iter().map(name)).collect();
        let (last, groups) = names.split_last().expect("the column's name is one");
        let mut group = self.group.clone();
        for name in groups {
            group = group.group(name)?;
        }
        let dataset = group.dataset(last)?;
        let name = names.join("/");
        self.check_size(&dataset)?;
        if request.packed {
            return packed(&dataset, &name, request.rows);
        }
        let values = typed(&dataset, &name)?;
        match request.rows.checked_mul(request.width) {
            Some(expected) => values.expect(&name, expected).map(|()| values),
            None => Err(EpisodeError::TooLarge { limit: MAX_EPISODE }),
        }
    }
}

impl Episode {
    /// A dataset may say that it has more than the file could hold, with nothing in it.
    fn check_size(&self, dataset: &Dataset) -> Result<(), EpisodeError> {
        let most = self.file_len.saturating_mul(MOST_PACKED).min(MAX_EPISODE as u64);
        match dataset.raw_byte_len()? as u64 > most {
            true => Err(EpisodeError::TooLarge { limit: most as usize }),
            false => Ok(()),
        }
    }
}

/// The numbers of a dataset.
fn typed(dataset: &Dataset, name: &str) -> Result<Values, EpisodeError> {
    // Bits are an enumeration of FALSE and TRUE.
    let kind = match dataset.dtype() {
        Datatype::Enum { base, .. } => base,
        other => other,
    };
    let (letter, size) = match kind {
        Datatype::FixedPoint { size, signed, .. } => (if *signed { 'i' } else { 'u' }, *size),
        Datatype::FloatingPoint { size, .. } => ('f', *size),
        _ => ('?', 0),
    };
    if !matches!((letter, size), ('f', 4 | 8) | ('i' | 'u', 1 | 2 | 4 | 8)) {
        let (name, found) = (name.to_owned(), format!("{:?}", dataset.dtype()));
        return Err(EpisodeError::Type { name, found, expected: "numbers" });
    }
    let raw = dataset.read_native_bytes()?;
    let whole = |to: fn(&[u8]) -> i64| Values::I64(raw.chunks_exact(size.into()).map(to).collect());
    Ok(match (letter, size) {
        ('u', 1) => Values::U8(raw),
        ('f', 4) => Values::F32(raw.as_chunks().0.iter().map(|b| f32::from_ne_bytes(*b)).collect()),
        ('f', _) => Values::F64(raw.as_chunks().0.iter().map(|b| f64::from_ne_bytes(*b)).collect()),
        ('i', 1) => whole(|b| i64::from(b[0].cast_signed())),
        ('i', 2) => whole(|b| i64::from(i16::from_ne_bytes([b[0], b[1]]))),
        ('u', 2) => whole(|b| i64::from(u16::from_ne_bytes([b[0], b[1]]))),
        ('i', 4) => whole(|b| i64::from(i32::from_ne_bytes([b[0], b[1], b[2], b[3]]))),
        ('u', 4) => whole(|b| i64::from(u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))),
        _ => Values::I64(raw.as_chunks().0.iter().map(|b| i64::from_ne_bytes(*b)).collect()),
    })
}

/// Packed files: sequences of bytes, or rows of a matrix where all have the same length.
fn packed(dataset: &Dataset, name: &str, rows: usize) -> Result<Values, EpisodeError> {
    let base = match dataset.dtype() {
        Datatype::VarLen { base, .. } => Some(base),
        _ => None,
    };
    let files: Vec<Vec<u8>> = match (base.map(Box::as_ref), dataset.shape()) {
        (Some(Datatype::FixedPoint { size: 1, .. }), [_]) => {
            let references = dataset.read_raw_bytes()?;
            let (mut files, mut all) = (Vec::new(), 0);
            for reference in references.chunks_exact(dataset.vlen_reference_size()) {
                let file = dataset.resolve_vlen_reference_bytes(reference, 1)?;
                // Many references may name the same bytes.
                all += file.len();
                if all > MAX_EPISODE {
                    return Err(EpisodeError::TooLarge { limit: MAX_EPISODE });
                }
                files.push(file);
            }
            files
        }
        (None, [_, len]) if *len > 0 => match typed(dataset, name)? {
            Values::U8(bytes) => bytes.chunks_exact(*len as usize).map(<[u8]>::to_vec).collect(),
            _ => return Err(not_files(dataset, name)),
        },
        _ => return Err(not_files(dataset, name)),
    };
    let files = Values::Files(files);
    files.expect(name, rows).map(|()| files)
}

fn not_files(dataset: &Dataset, name: &str) -> EpisodeError {
    let (name, found) = (name.to_owned(), format!("{:?}", dataset.dtype()));
    EpisodeError::Type { name, found, expected: "JPEG files" }
}
