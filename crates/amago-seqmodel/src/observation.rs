//! Observations as an encoder gets them: vectors joined as floats, images as bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use burn::tensor::{Int, Tensor};

use crate::ModelError;

/// What one observation key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObsKind {
    /// Numbers of this shape.
    Vector(Vec<usize>),
    /// Bytes: `[height, width, channels]` or `[channels, height, width]`.
    Image([usize; 3]),
}

impl ObsKind {
    /// Numbers or bytes of one value.
    pub fn width(&self) -> usize {
        match self {
            ObsKind::Vector(shape) => shape.iter().product(),
            ObsKind::Image(shape) => shape.iter().product(),
        }
    }
}

/// The keys of an observation, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObsLayout(pub Vec<(String, ObsKind)>);

impl ObsLayout {
    /// Names, shapes and columns of the vectors; the columns are those of [`ObsTensors::vectors`].
    pub fn vectors(&self) -> impl Iterator<Item = (&str, &[usize], Range<usize>)> {
        let mut start = 0;
        self.0.iter().filter_map(move |(key, kind)| {
            let ObsKind::Vector(shape) = kind else { return None };
            let columns = start..start + shape.iter().product::<usize>();
            start = columns.end;
            Some((key.as_str(), shape.as_slice(), columns))
        })
    }

    /// Names and shapes of the images.
    pub fn images(&self) -> impl Iterator<Item = (&str, [usize; 3])> {
        self.0.iter().filter_map(|(key, kind)| match kind {
            ObsKind::Image(shape) => Some((key.as_str(), *shape)),
            ObsKind::Vector(_) => None,
        })
    }

    /// What a key holds; an unknown one is refused in the name of the setting that names it.
    pub(crate) fn find(&self, setting: &'static str, key: &str) -> Result<&ObsKind, ModelError> {
        let found = self.0.iter().find(|(k, _)| k == key);
        found.map(|(_, kind)| kind).ok_or_else(|| ModelError::ObsKey {
            setting,
            key: key.to_owned(),
            known: self.to_string(),
        })
    }
}

impl fmt::Display for ObsLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.0.iter().map(|(key, _)| key.as_str()).collect();
        f.write_str(&keys.join(", "))
    }
}

/// Observations of `B` rows of `L` timesteps.
#[derive(Debug, Clone)]
pub struct ObsTensors {
    /// All vector keys in order, flattened and joined, `[B, L, d]`; absent where there is no such key.
    pub vectors: Option<Tensor<3>>,
    /// Image keys, `[B, L, …]`: bytes 0 to 255, stored as bytes where the device can.
    pub images: BTreeMap<String, Tensor<5, Int>>,
}

impl ObsTensors {
    /// The same without autodiff.
    pub fn inner(self) -> Self {
        Self {
            vectors: self.vectors.map(Tensor::inner),
            images: self.images.into_iter().map(|(key, x)| (key, x.inner())).collect(),
        }
    }

    /// Some of the rows of the batch.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn rows(&self, rows: &Range<usize>) -> Self {
        let (start, len) = (rows.start, rows.len());
        let image = |(key, x): (&String, &Tensor<5, Int>)| (key.clone(), x.clone().narrow(0, start, len));
        Self {
            vectors: self.vectors.clone().map(|x| x.narrow(0, start, len)),
            images: self.images.iter().map(image).collect(),
        }
    }
}

impl From<Tensor<3>> for ObsTensors {
    /// Observations without images.
    fn from(vectors: Tensor<3>) -> Self {
        Self { vectors: Some(vectors), images: BTreeMap::new() }
    }
}
