//! Tensors of a file whose bytes are not read yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use burn::tensor::{BoolStore, DType, TensorData};
use pytorch_reader::{DType as TorchType, PytorchReader};
use safetensors::Dtype as SafeType;
use safetensors::tensor::Metadata;

use crate::files;

/// Most bytes of a safetensors header, by its own rules.
const MAX_HEADER: u64 = 100_000_000;

/// Tensors by name.
pub(super) type Contents = BTreeMap<String, Stored>;

type ReadError = Box<dyn std::error::Error>;

/// A tensor of a file.
pub(super) struct Stored {
    pub shape: Vec<usize>,
    dtype: DType,
    bytes: Box<dyn Fn() -> io::Result<Vec<u8>>>,
}

impl Stored {
    /// Reads it.
    pub fn read(&self) -> io::Result<TensorData> {
        Ok(TensorData::from_bytes_vec((self.bytes)()?, self.shape.clone(), self.dtype))
    }
}

/// Looks at a file of weights, without reading a tensor. All tensors together are not longer than the file: one that
/// says the same number again and again, by a stride of zero, could be of any size.
pub(super) fn open(path: &Path) -> Result<Contents, ReadError> {
    let len = files::regular(path)?;
    let (contents, sizes) = match path.extension().is_some_and(|e| e == "safetensors") {
        true => safe(path, len)?,
        false => torch(path)?,
    };
    let needed = sizes.into_iter().fold(0_u64, u64::saturating_add);
    if needed > len {
        return Err(format!("its tensors are {needed} bytes, but the file has {len}").into());
    }
    Ok(contents)
}

fn torch(path: &Path) -> Result<(Contents, Vec<u64>), ReadError> {
    let mut start = Vec::new();
    File::open(path)?.take(262).read_to_end(&mut start)?;
    // The reader knows no such container, and its own error would not name it.
    if start.get(257..).is_some_and(|magic| magic == b"ustar") {
        return Err("a TAR container, which PyTorch wrote before 0.1.10".into());
    }
    let tensors = PytorchReader::new(path)?.into_tensors();
    let mut sizes = Vec::new();
    let contents = tensors.into_iter().map(|(name, tensor)| {
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
        sizes.push(tensor.byte_len() as u64);
        let (shape, bytes) = (tensor.shape().to_vec(), Box::new(move || tensor.read()));
        (name, Stored { shape, dtype, bytes })
    });
    Ok((contents.collect(), sizes))
}

fn safe(path: &Path, len: u64) -> Result<(Contents, Vec<u64>), ReadError> {
    let mut file = File::open(path)?;
    let mut header_len = [0; 8];
    file.read_exact(&mut header_len)?;
    let header_len = u64::from_le_bytes(header_len);
    // The length comes from the file: nothing is allocated by it unchecked.
    if header_len > MAX_HEADER.min(len) {
        return Err("its header is longer than a header may be".into());
    }
    let mut header = Vec::new();
    (&mut file).take(header_len).read_to_end(&mut header)?;
    // This checks that the tensors lie one behind the other, each as long as its shape and type.
    let metadata: Metadata = serde_json::from_slice(&header)?;
    let start = 8 + header_len;
    if start.checked_add(metadata.data_len() as u64) != Some(len) {
        return Err(format!("its tensors are {} bytes, but the file has {len}", metadata.data_len()).into());
    }
    let (mut contents, mut sizes) = (Contents::new(), Vec::new());
    for (name, info) in metadata.tensors() {
        let dtype = match info.dtype {
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
        let (first, end) = info.data_offsets;
        let (from, size) = (start + first as u64, (end - first) as u64);
        let file = file.try_clone()?;
        let bytes = Box::new(move || {
            let mut file = &file;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            let room = bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX));
            room.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            file.take(size).read_to_end(&mut bytes)?;
            match bytes.len() as u64 == size {
                true => Ok(bytes),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        });
        sizes.push(size);
        contents.insert(name, Stored { shape: info.shape.clone(), dtype, bytes });
    }
    Ok((contents, sizes))
}
