//! One observation, stored as one flat column per key.

use std::ops::Range;

use crate::{DictSpace, Dtype, EnvError, Space};

/// Flat values of one observation key, row-major.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Column {
    /// Floats; discrete observations are one-hot encoded.
    F32(Vec<f32>),
    /// Bytes of an image.
    U8(Vec<u8>),
}

impl Column {
    /// `len` zeros of a type.
    pub fn zeros(dtype: Dtype, len: usize) -> Self {
        match dtype {
            Dtype::F32 => Column::F32(vec![0.0; len]),
            Dtype::U8 => Column::U8(vec![0; len]),
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            Column::F32(v) => v.len(),
            Column::U8(v) => v.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Storage type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Column::F32(_) => Dtype::F32,
            Column::U8(_) => Dtype::U8,
        }
    }

    /// Becomes another column of the same type and length, without a new buffer.
    ///
    /// # Panics
    /// When the types or lengths differ.
    pub fn copy_from(&mut self, other: &Column) {
        match (self, other) {
            (Column::F32(to), Column::F32(from)) => to.copy_from_slice(from),
            (Column::U8(to), Column::U8(from)) => to.copy_from_slice(from),
            _ => panic!("columns of different types"),
        }
    }

    /// Appends entries `range` of another column.
    ///
    /// # Panics
    /// When the types differ or the other column is shorter.
    pub fn extend(&mut self, other: &Column, range: Range<usize>) {
        match (self, other) {
            (Column::F32(to), Column::F32(from)) => to.extend_from_slice(&from[range]),
            (Column::U8(to), Column::U8(from)) => to.extend_from_slice(&from[range]),
            _ => panic!("columns of different types"),
        }
    }
}

/// A reusable observation buffer: an environment writes into it, so stepping allocates nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    keys: Vec<String>,
    columns: Vec<Column>,
}

impl Observation {
    /// A zeroed buffer for a space.
    pub fn new(space: &DictSpace) -> Self {
        let keys = space.iter().map(|(k, _)| k.to_owned()).collect();
        let columns = space.iter().map(|(_, s)| Column::zeros(s.dtype(), s.width())).collect();
        Self { keys, columns }
    }

    /// Columns in key order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Takes over columns, if they are of the same types and lengths; tells whether they were.
    pub(crate) fn fill(&mut self, columns: &[Column]) -> bool {
        let fits = |(to, from): (&Column, &Column)| to.dtype() == from.dtype() && to.len() == from.len();
        let fit = self.columns.len() == columns.len() && self.columns.iter().zip(columns).all(fits);
        if fit {
            self.columns.clone_from_slice(columns);
        }
        fit
    }

    /// The action mask, where the environment gives one: see [`DictSpace::ACTION_MASK`].
    pub fn action_mask(&self) -> Option<&[f32]> {
        let i = self.keys.iter().position(|k| k == DictSpace::ACTION_MASK)?;
        match &self.columns[i] {
            Column::F32(mask) => Some(mask),
            Column::U8(_) => None,
        }
    }

    /// Checks that the mask, where there is one, allows something for each choice.
    pub(crate) fn check_mask(&self, action: &Space) -> Result<(), EnvError> {
        let (Some(mask), Some(choices)) = (self.action_mask(), action.choices()) else { return Ok(()) };
        let mut start = 0;
        for (choice, n) in choices.iter().enumerate() {
            if mask.iter().skip(start).take(*n).all(|x| *x == 0.0) {
                return Err(EnvError::NothingLegal { choice });
            }
            start += n;
        }
        Ok(())
    }

    /// Writes the encoded float value of one key.
    ///
    /// # Errors
    /// When the key is unknown, holds bytes, or `values` has another width than the space.
    pub fn write(&mut self, key: &str, values: &[f32]) -> Result<(), EnvError> {
        match self.column_mut(key)? {
            Column::F32(v) if v.len() == values.len() => v.copy_from_slice(values),
            c => return Err(EnvError::shape(key, c, Dtype::F32, values.len())),
        }
        Ok(())
    }

    /// Writes the bytes of one image key.
    ///
    /// # Errors
    /// When the key is unknown, holds floats, or `values` has another width than the space.
    pub fn write_u8(&mut self, key: &str, values: &[u8]) -> Result<(), EnvError> {
        match self.column_mut(key)? {
            Column::U8(v) if v.len() == values.len() => v.copy_from_slice(values),
            c => return Err(EnvError::shape(key, c, Dtype::U8, values.len())),
        }
        Ok(())
    }

    /// The bytes of one image key, to be written in place.
    ///
    /// # Errors
    /// When the key is unknown, or holds floats.
    pub fn bytes_mut(&mut self, key: &str) -> Result<&mut [u8], EnvError> {
        match self.column_mut(key)? {
            Column::U8(bytes) => Ok(bytes),
            Column::F32(values) => {
                let len = values.len();
                Err(EnvError::shape(key, &Column::zeros(Dtype::F32, len), Dtype::U8, len))
            }
        }
    }

    pub(crate) fn column_mut(&mut self, key: &str) -> Result<&mut Column, EnvError> {
        let i = self.keys.iter().position(|k| k == key);
        i.map(|i| &mut self.columns[i]).ok_or_else(|| EnvError::UnknownKey(key.to_owned()))
    }

    /// Checks keys, widths and values against the space.
    ///
    /// # Errors
    /// Names the key and its first fault: missing, of another width or type, not finite, or outside
    /// the space.
    pub fn check(&self, space: &DictSpace) -> Result<(), EnvError> {
        self.check_but(space, &[])
    }

    /// As [`Observation::check`], where it was looked at once which bytes cannot be wrong.
    pub(crate) fn check_known(&self, space: &KnownSpace) -> Result<(), EnvError> {
        self.check_but(space, &space.whole)
    }

    fn check_but(&self, space: &DictSpace, whole: &[bool]) -> Result<(), EnvError> {
        if let Some(key) = self.keys.iter().find(|k| space.index(k).is_none()) {
            return Err(EnvError::UnknownKey(key.clone()));
        }
        for (i, (key, space)) in space.iter().enumerate() {
            // Both sides are sorted, so with no unknown key a mismatch is a missing key.
            if self.keys.get(i).is_none_or(|k| k != key) {
                return Err(EnvError::shape(
                    key,
                    &Column::zeros(space.dtype(), space.width()),
                    space.dtype(),
                    0,
                ));
            }
            check_column(key, space, &self.columns[i], whole.get(i).copied().unwrap_or(false))?;
        }
        Ok(())
    }

    /// Fills with values that no environment writes, to find entries left unwritten.
    pub(crate) fn poison(&mut self, byte: u8) {
        for column in &mut self.columns {
            match column {
                Column::F32(v) => v.fill(f32::NAN),
                Column::U8(v) => v.fill(byte),
            }
        }
    }
}

/// A space of observations, and which of its columns are bytes that are legal whatever they are: to compare an image
/// with its bounds takes longer than to copy it.
#[derive(Debug, Clone)]
pub(crate) struct KnownSpace {
    space: DictSpace,
    whole: Vec<bool>,
}

impl KnownSpace {
    pub fn new(space: DictSpace) -> Self {
        let all = |bounds: &[f32], legal: fn(f32) -> bool| bounds.iter().all(|bound| legal(*bound));
        let is_whole = |space: &Space| match space {
            Space::Box(b) => {
                b.dtype == Dtype::U8 && all(&b.low, |x| x <= 0.0) && all(&b.high, |x| x >= 255.0)
            }
            _ => false,
        };
        let whole = space.iter().map(|(_, space)| is_whole(space)).collect();
        Self { space, whole }
    }
}

impl std::ops::Deref for KnownSpace {
    type Target = DictSpace;

    fn deref(&self) -> &DictSpace {
        &self.space
    }
}

fn check_column(key: &str, space: &Space, column: &Column, whole: bool) -> Result<(), EnvError> {
    if column.dtype() != space.dtype() || column.len() != space.width() {
        let expected = Column::zeros(space.dtype(), space.width());
        return Err(EnvError::shape(key, &expected, column.dtype(), column.len()));
    }
    let inside = match column {
        Column::F32(values) => {
            if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                let what = format!("observation \"{key}\"[{i}]");
                return Err(EnvError::NotFinite { what, value: values[i] });
            }
            space.contains(values)
        }
        Column::U8(_) if whole => true,
        Column::U8(bytes) => match space {
            // No early exit: images are long and nearly always legal, and so the loop vectorises.
            Space::Box(b) => {
                bytes.iter().zip(b.low.iter().zip(&b.high)).fold(true, |ok, (x, (low, high))| {
                    let x = f32::from(*x);
                    ok & (x >= *low) & (x <= *high)
                })
            }
            _ => false,
        },
    };
    if inside { Ok(()) } else { Err(EnvError::OutOfSpace { key: key.to_owned(), space: space.to_string() }) }
}

#[cfg(test)]
mod tests;
