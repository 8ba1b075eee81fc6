//! `data/N/part-0.arrow`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use amago_replay::{Columns, ReplayError};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, FieldNode, root_as_footer, root_as_message};
use arrow_schema::DataType;

use super::episode::{Request, Source, Task, columns};
use super::space::Step;
use super::values::Values;
use super::{MAX_EPISODE, bytes, contained, metadata, names, numbered};
use crate::{DatasetError, EpisodeError};

/// Name of an episode's file.
const FILE: &str = "part-0.arrow";
/// Most bytes of an episode's metadata.
const MAX_METADATA: usize = 1 << 20;
/// Bytes after the footer of a file: its length and the magic.
const TAIL: usize = 10;
/// Bytes before the metadata of a block.
const BLOCK_START: usize = 8;

/// One folder for each episode.
#[derive(Debug)]
pub(super) struct Folder {
    data: PathBuf,
    numbers: Vec<u64>,
}

#[derive(serde::Deserialize)]
struct Metadata {
    total_steps: u64,
}

impl Folder {
    /// Lists the episodes.
    pub fn open(data: &Path) -> Result<Self, DatasetError> {
        Ok(Self { data: data.to_owned(), numbers: numbered(names(data)?.into_iter(), "") })
    }

    /// Number of episodes.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Number of an episode in its name.
    pub fn number(&self, i: usize) -> u64 {
        self.numbers[i]
    }

    /// File of an episode.
    pub fn path(&self, i: usize) -> PathBuf {
        self.data.join(self.number(i).to_string()).join(FILE)
    }

    /// Bytes and steps.
    pub fn head(&self, i: usize) -> Result<(u64, usize), EpisodeError> {
        let path = self.path(i);
        let about = bytes(&path.with_file_name(metadata::FILE), MAX_METADATA)?;
        let Metadata { total_steps } = serde_json::from_slice(&about)
            .map_err(|e| EpisodeError::Listing(format!("{}: {e}", metadata::FILE)))?;
        let len = fs::metadata(&path).map_err(|cause| ReplayError::Io { path, cause })?.len();
        Ok((len, usize::try_from(total_steps).unwrap_or(usize::MAX)))
    }

    /// Reads an episode.
    pub fn read(&self, i: usize, task: &Task) -> Result<(Columns, u64), EpisodeError> {
        let (_, steps) = self.head(i)?;
        let file = Buffer::from_vec(bytes(&self.path(i), MAX_EPISODE)?);
        contained(|| {
            let batch = batch(&file)?;
            match batch.num_rows().checked_sub(1) {
                None | Some(0) => Err(EpisodeError::Empty),
                Some(rows) if rows != steps => Err(EpisodeError::Contradiction(
                    "its rows are not one more than the steps in its metadata",
                )),
                Some(steps) => columns(task, &Episode { batch, steps }),
            }
        })
    }
}

/// The only record batch of a file. All places and lengths are checked here, because the library only asserts them.
fn batch(file: &Buffer) -> Result<RecordBatch, EpisodeError> {
    let wrong = EpisodeError::Contradiction;
    let end = file.len().checked_sub(TAIL).ok_or(wrong("it is too short for an Arrow file"))?;
    let tail = file[end..].try_into().expect("as many bytes as the tail has");
    let start = end.checked_sub(read_footer_length(tail)?).ok_or(wrong("the footer does not fit"))?;
    let invalid = |e| EpisodeError::Listing(format!("the Arrow file is damaged: {e}"));
    let footer = root_as_footer(&file[start..end]).map_err(invalid)?;
    let schema = try_fb_to_schema(footer.schema().ok_or(wrong("it has no schema"))?)?;
    let blocks = footer.recordBatches().filter(|blocks| blocks.len() == 1);
    let block = *blocks.ok_or(wrong("it has not one record batch"))?.get(0);
    if footer.dictionaries().is_some_and(|all| !all.is_empty()) {
        return Err(wrong("it has dictionaries, which no episode of Minari has"));
    }
    let place = |x: i64| usize::try_from(x).ok();
    let block_end = |b: &Block| {
        let (meta, body) = (place(b.metaDataLength().into())?, place(b.bodyLength())?);
        let whole = meta.checked_add(body)?;
        let fits = meta > BLOCK_START && place(b.offset())?.checked_add(whole)? <= file.len();
        fits.then_some((meta, body, whole))
    };
    let (meta, body, whole) = block_end(&block).ok_or(wrong("the record batch does not fit"))?;
    let data = file.slice_with_length(place(block.offset()).unwrap_or(0), whole);
    let continued = data[..4] == [0xff; 4];
    let message = root_as_message(&data[if continued { 8 } else { 4 }..meta]).map_err(invalid)?;
    let header = message.header_as_record_batch().ok_or(wrong("a record batch is missing"))?;
    if header.compression().is_some() {
        return Err(EpisodeError::Listing("its columns are packed, which Minari does not do".to_owned()));
    }
    let inside = |b: &arrow_ipc::Buffer| Some(place(b.offset())?.checked_add(place(b.length())?)? <= body);
    if header.buffers().is_some_and(|all| all.iter().any(|b| inside(b) != Some(true))) {
        return Err(wrong("a column does not fit"));
    }
    // Every entry takes at least a bit.
    let plausible = |n: &FieldNode| {
        let (len, nulls) = (place(n.length())?, place(n.null_count())?);
        Some(nulls <= len && len <= body.saturating_mul(8))
    };
    if header.nodes().is_some_and(|all| all.iter().any(|n| plausible(n) != Some(true))) {
        return Err(wrong("a column is longer than the file"));
    }
    // What else there is, such as infos, may be of any type.
    let wanted = ["observations", "actions", "rewards", "terminations", "truncations"];
    let wanted: Vec<usize> = wanted.iter().filter_map(|name| schema.index_of(name).ok()).collect();
    let decoder = FileDecoder::new(Arc::new(schema), footer.version()).with_projection(wanted);
    decoder.read_record_batch(&block, &data)?.ok_or(wrong("the record batch is empty"))
}

/// An opened episode.
struct Episode {
    batch: RecordBatch,
    steps: usize,
}

impl Source for Episode {
    fn steps(&self) -> usize {
        self.steps
    }

    fn values(&self, column: &str, path: &[Step], request: Request) -> Result<Values, EpisodeError> {
        let mut name = column.to_owned();
        let missing = |name: &str| EpisodeError::Missing(name.to_owned());
        let mut array: ArrayRef = self.batch.column_by_name(column).ok_or_else(|| missing(column))?.clone();
        for step in path {
            let part = match step {
                Step::Key(key) => key.clone(),
                Step::Index(i) => i.to_string(),
            };
            name = format!("{name}/{part}");
            check_whole(&array, &name)?;
            let parts = array.as_struct_opt().ok_or_else(|| kind(&array, &name, "a struct"))?;
            array = parts.column_by_name(&part).ok_or_else(|| missing(&name))?.clone();
        }
        check_whole(&array, &name)?;
        if array.len() != self.steps + 1 {
            return Err(EpisodeError::Length { name, got: array.len(), expected: self.steps + 1 });
        }
        if request.packed {
            let mut files = files(&array, &name)?;
            files.truncate(request.rows);
            return Ok(files);
        }
        if let Some(list) = array.as_fixed_size_list_opt() {
            if usize::try_from(list.value_length()) != Ok(request.width) {
                let got = usize::try_from(list.value_length()).unwrap_or(0);
                return Err(EpisodeError::Length { name, got, expected: request.width });
            }
            let entries = list.values().clone();
            check_whole(&entries, &name)?;
            array = entries;
        }
        let mut values = typed(&array, &name)?;
        // The last rows of columns with one value for each step are padding.
        values.truncate(request.rows.saturating_mul(request.width));
        Ok(values)
    }
}

fn check_whole(array: &ArrayRef, name: &str) -> Result<(), EpisodeError> {
    match array.null_count() {
        0 => Ok(()),
        _ => Err(EpisodeError::Null(name.to_owned())),
    }
}

fn kind(array: &ArrayRef, name: &str, expected: &'static str) -> EpisodeError {
    EpisodeError::Type { name: name.to_owned(), found: array.data_type().to_string(), expected }
}

fn typed(array: &ArrayRef, name: &str) -> Result<Values, EpisodeError> {
    fn whole<T: ArrowPrimitiveType>(array: &ArrayRef, to: fn(T::Native) -> i64) -> Values {
        Values::I64(array.as_primitive::<T>().values().iter().map(|x| to(*x)).collect())
    }
    Ok(match array.data_type() {
        DataType::Float32 => Values::F32(array.as_primitive::<Float32Type>().values().to_vec()),
        DataType::Float64 => Values::F64(array.as_primitive::<Float64Type>().values().to_vec()),
        DataType::UInt8 => Values::U8(array.as_primitive::<UInt8Type>().values().to_vec()),
        DataType::Boolean => Values::U8(array.as_boolean().values().iter().map(u8::from).collect()),
        DataType::Int8 => whole::<Int8Type>(array, i64::from),
        DataType::Int16 => whole::<Int16Type>(array, i64::from),
        DataType::Int32 => whole::<Int32Type>(array, i64::from),
        DataType::Int64 => whole::<Int64Type>(array, |x| x),
        DataType::UInt16 => whole::<UInt16Type>(array, i64::from),
        DataType::UInt32 => whole::<UInt32Type>(array, i64::from),
        DataType::UInt64 => whole::<UInt64Type>(array, u64::cast_signed),
        _ => return Err(kind(array, name, "numbers")),
    })
}

fn files(array: &ArrayRef, name: &str) -> Result<Values, EpisodeError> {
    let array = array.as_binary_opt::<i32>().ok_or_else(|| kind(array, name, "JPEG files"))?;
    Ok(Values::Files((0..array.len()).map(|row| array.value(row).to_vec()).collect()))
}
