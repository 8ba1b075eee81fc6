//! Numbers of a column as they are in a file.

use crate::EpisodeError;

/// Values of a column, row-major.
#[derive(Debug)]
pub(super) enum Values {
    /// Bytes, and bits as 0 and 1.
    U8(Vec<u8>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// Whole numbers.
    I64(Vec<i64>),
    /// One packed file for each row.
    Files(Vec<Vec<u8>>),
}

impl Values {
    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::Files(v) => v.len(),
        }
    }

    /// Drops all entries from the first `len` on.
    pub fn truncate(&mut self, len: usize) {
        match self {
            Self::U8(v) => v.truncate(len),
            Self::F32(v) => v.truncate(len),
            Self::F64(v) => v.truncate(len),
            Self::I64(v) => v.truncate(len),
            Self::Files(v) => v.truncate(len),
        }
    }

    /// Refuses another number of entries.
    pub fn expect(&self, name: &str, expected: usize) -> Result<(), EpisodeError> {
        match self.len() {
            got if got == expected => Ok(()),
            got => Err(EpisodeError::Length { name: name.to_owned(), got, expected }),
        }
    }

    /// The numbers, whatever their type.
    pub fn floats(self, name: &str) -> Result<Vec<f32>, EpisodeError> {
        Ok(match self {
            Self::U8(v) => v.into_iter().map(f32::from).collect(),
            Self::F32(v) => v,
            Self::F64(v) => v.into_iter().map(|x| x as f32).collect(),
            Self::I64(v) => v.into_iter().map(|x| x as f32).collect(),
            Self::Files(_) => return Err(files_for(name, "numbers")),
        })
    }

    /// Whole numbers.
    pub fn whole(self, name: &str) -> Result<Vec<i64>, EpisodeError> {
        match self {
            Self::U8(v) => Ok(v.into_iter().map(i64::from).collect()),
            Self::I64(v) => Ok(v),
            Self::F32(_) | Self::F64(_) => {
                let (name, found) = (name.to_owned(), "floats".to_owned());
                Err(EpisodeError::Type { name, found, expected: "whole numbers" })
            }
            Self::Files(_) => Err(files_for(name, "whole numbers")),
        }
    }
}

fn files_for(name: &str, expected: &'static str) -> EpisodeError {
    EpisodeError::Type { name: name.to_owned(), found: "packed files".to_owned(), expected }
}
