//! One NumPy array: the `.npy` format, versions 1 to 3.
//!
//! | bytes | content |
//! |---|---|
//! | 0..6 | magic `\x93NUMPY` |
//! | 6..8 | version: major, minor |
//! | 2 (version 1) or 4 | length of the header, little-endian |
//! | header | a Python dictionary with `descr`, `fortran_order` and `shape` |
//! | rest | the numbers |

use std::io::{self, Read};

use amago_env::Dtype;

/// Most bytes of a header; NumPy itself refuses more than 10 000 characters.
const MAX_HEADER: usize = 1 << 16;
/// Bytes that numbers are read in at a time.
const CHUNK: usize = 1 << 16;

/// One way in which an array cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The array does not begin as every array does.
    #[error("it has no readable header")]
    Header,
    /// A type that is no number.
    #[error("its type {0} is not supported")]
    Type(String),
    /// Too few or too many numbers.
    #[error("it has {got} bytes of numbers, not {expected}")]
    Length {
        /// Bytes by its shape and type; absent when that does not fit in memory.
        expected: String,
        /// Bytes it has.
        got: String,
    },
    /// Bytes that cannot be unpacked.
    #[error("{0}")]
    Unpack(io::Error),
}

/// What an array says of itself, before its numbers.
#[derive(Debug)]
pub(super) struct Header {
    pub shape: Vec<usize>,
    kind: Kind,
    fortran: bool,
    /// Numbers.
    pub len: usize,
}

impl Header {
    /// Reads what comes before the numbers of an `.npy` file.
    pub fn read(reader: &mut impl Read) -> Result<Self, NpyError> {
        let text = header(reader)?;
        let kind = Kind::parse(quoted(&text, "descr").ok_or_else(|| unquoted(&text))?)?;
        let fortran = match field(&text, "fortran_order") {
            Some(v) if v.starts_with("False") => false,
            Some(v) if v.starts_with("True") => true,
            _ => return Err(NpyError::Header),
        };
        let shape = shape(&text).ok_or(NpyError::Header)?;
        // In 64-bit numbers and bytes, whatever becomes of them.
        let bytes = shape.iter().try_fold(8_usize, |n, d| n.checked_mul(*d));
        match bytes.map(|bytes| bytes / 8) {
            Some(len) => Ok(Self { shape, kind, fortran, len }),
            None => {
                let expected = "more than fits in memory".to_owned();
                Err(NpyError::Length { expected, got: "fewer".to_owned() })
            }
        }
    }

    /// Bytes stay bytes, all other numbers are meant to be floats.
    pub fn dtype(&self) -> Dtype {
        if (self.kind.letter, self.kind.size) == ('u', 1) { Dtype::U8 } else { Dtype::F32 }
    }

    /// Bytes of the numbers in the file.
    pub fn bytes(&self) -> usize {
        self.len.saturating_mul(self.kind.size)
    }

    /// Reads the numbers after the header, row-major. Memory grows with what is there, not with what the header says.
    pub fn numbers<T: Copy + Default>(
        &self,
        reader: &mut impl Read,
        convert: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, NpyError> {
        let (size, expected) = (self.kind.size, self.bytes());
        let mut chunk = vec![0; CHUNK.min(expected)];
        let mut stored: Vec<T> = Vec::new();
        let mut got = 0;
        while got < expected {
            let part = &mut chunk[..CHUNK.min(expected - got)];
            let n = fill(reader, part).map_err(NpyError::Unpack)?;
            got += n;
            stored.extend(part[..n].chunks_exact(size).map(|bytes| convert(self.kind.number(bytes))));
            if n < part.len() {
                return Err(NpyError::Length { expected: expected.to_string(), got: got.to_string() });
            }
        }
        // The end of a packed entry is where its checksum is verified.
        if fill(reader, &mut [0]).map_err(NpyError::Unpack)? > 0 {
            return Err(NpyError::Length { expected: expected.to_string(), got: "more".to_owned() });
        }
        Ok(if self.fortran { row_major(&stored, &self.shape) } else { stored })
    }
}

/// Fills as much of a buffer as the reader has.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// The header's text.
fn header(reader: &mut impl Read) -> Result<String, NpyError> {
    let mut start = [0; 8];
    let mut take = |buffer: &mut [u8]| match fill(reader, buffer) {
        Ok(n) if n == buffer.len() => Ok(()),
        Ok(_) => Err(NpyError::Header),
        Err(e) => Err(NpyError::Unpack(e)),
    };
    take(&mut start)?;
    let mut len = [0; 4];
    match (start.strip_prefix(b"\x93NUMPY"), start[6]) {
        (Some(_), 1) => take(&mut len[..2])?,
        (Some(_), 2 | 3) => take(&mut len)?,
        _ => return Err(NpyError::Header),
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > MAX_HEADER {
        return Err(NpyError::Header);
    }
    let mut text = vec![0; len];
    take(&mut text)?;
    String::from_utf8(text).map_err(|_| NpyError::Header)
}

/// What follows a key of the header.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, value) = header.split_once(&format!("'{key}':"))?;
    Some(value.trim_start())
}

/// A field that is a quoted text.
fn quoted<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    field(header, key)?.strip_prefix('\'')?.split_once('\'').map(|(text, _)| text)
}

/// The type is a list where an array has several fields.
fn unquoted(header: &str) -> NpyError {
    match field(header, "descr") {
        Some(list) if list.starts_with('[') => NpyError::Type("of several fields".to_owned()),
        _ => NpyError::Header,
    }
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let (list, _) = field(header, "shape")?.strip_prefix('(')?.split_once(')')?;
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}

/// Type of the numbers.
#[derive(Debug)]
struct Kind {
    big_endian: bool,
    letter: char,
    size: usize,
}

impl Kind {
    fn parse(descr: &str) -> Result<Self, NpyError> {
        let mut chars = descr.chars();
        let (order, letter) = (chars.next(), chars.next());
        match (order, letter, chars.as_str().parse()) {
            (Some(order @ ('<' | '>' | '|')), Some(letter), Ok(size))
                if matches!((letter, size), ('f', 4 | 8) | ('i' | 'u', 1 | 2 | 4 | 8) | ('b', 1)) =>
            {
                Ok(Self { big_endian: order == '>', letter, size })
            }
            _ => Err(NpyError::Type(descr.to_owned())),
        }
    }

    /// One number from its bytes, as many as the size says.
    fn number(&self, bytes: &[u8]) -> f64 {
        let mut raw = [0; 8];
        let mut put = |(i, byte): (usize, &u8)| raw[i] = *byte;
        if self.big_endian {
            bytes.iter().rev().enumerate().for_each(&mut put);
        } else {
            bytes.iter().enumerate().for_each(&mut put);
        }
        let unsigned = u64::from_le_bytes(raw);
        // Moves the sign to the top and back, so that it fills the upper bytes.
        let unused = 64 - 8 * self.size as u32;
        match (self.letter, self.size) {
            ('f', 4) => f64::from(f32::from_bits(unsigned as u32)),
            ('f', _) => f64::from_bits(unsigned),
            ('i', _) => ((unsigned << unused).cast_signed() >> unused) as f64,
            _ => unsigned as f64,
        }
    }
}

/// Numbers in Fortran order, whose first axis is the fastest, in row-major order.
fn row_major<T: Copy + Default>(stored: &[T], shape: &[usize]) -> Vec<T> {
    let mut values = vec![T::default(); stored.len()];
    let mut at = vec![0; shape.len()];
    for value in stored {
        let place = at.iter().zip(shape).fold(0, |place, (i, n)| place * n + i);
        values[place] = *value;
        for (i, n) in at.iter_mut().zip(shape) {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    values
}

#[cfg(test)]
mod tests;
