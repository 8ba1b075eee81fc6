//! The description of an environment, as a worker gives it.

use amago_env::{BoxSpace, Dtype, Space};
use serde::Deserialize;

use super::{Column, Form, MAX_ROW};

/// The first reply of a worker.
#[derive(Debug, Deserialize)]
pub(super) struct Hello {
    pub leaves: Vec<Leaf>,
    pub action: ActionLeaf,
    pub horizon: Option<usize>,
    pub saves_state: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Leaf {
    pub key: String,
    kind: LeafKind,
    #[serde(default)]
    shape: Vec<usize>,
    #[serde(default)]
    low: Vec<Option<f32>>,
    #[serde(default)]
    high: Vec<Option<f32>>,
    #[serde(default)]
    bytes: bool,
    #[serde(default)]
    nvec: Vec<usize>,
    #[serde(default)]
    discrete: bool,
    #[serde(default)]
    n: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LeafKind {
    Box,
    Choices,
    Bits,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum ActionLeaf {
    Discrete { n: usize },
    MultiDiscrete { nvec: Vec<usize> },
    MultiBinary { n: usize },
    Box { shape: Vec<usize>, low: Vec<Option<f32>>, high: Vec<Option<f32>> },
}

/// Entries of a shape; at most [`MAX_ROW`].
fn entries(shape: &[usize]) -> Result<usize, String> {
    let entries = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
    entries.filter(|n| *n <= MAX_ROW).ok_or_else(|| format!("has the shape {shape:?}, which is too large"))
}

/// Options of all choices; at most [`MAX_ROW`].
fn total(nvec: &[usize]) -> Result<usize, String> {
    let total = nvec.iter().try_fold(0usize, |sum, n| sum.checked_add(*n));
    total.filter(|n| *n <= MAX_ROW).ok_or_else(|| "has too many choices".to_owned())
}

/// A bound for each entry; an absent one is infinite.
fn bounds(given: &[Option<f32>], infinite: f32, width: usize) -> Result<Vec<f32>, String> {
    match given {
        [one] => Ok(vec![one.unwrap_or(infinite); width]),
        all if all.len() == width => Ok(all.iter().map(|x| x.unwrap_or(infinite)).collect()),
        all => Err(format!("has {} bounds for {width} entries", all.len())),
    }
}

fn box_space(
    shape: &[usize],
    low: &[Option<f32>],
    high: &[Option<f32>],
    dtype: Dtype,
) -> Result<Space, String> {
    let width = entries(shape)?;
    let (low, high) = (bounds(low, f32::NEG_INFINITY, width)?, bounds(high, f32::INFINITY, width)?);
    // A single number has no dimension in Python.
    let shape = if shape.is_empty() { vec![1] } else { shape.to_vec() };
    Ok(Space::Box(BoxSpace { shape, low, high, dtype }))
}

impl Leaf {
    pub fn column(&self) -> Result<(Space, Column), String> {
        let (space, count, form) = match self.kind {
            LeafKind::Box => {
                let dtype = if self.bytes { Dtype::U8 } else { Dtype::F32 };
                let space = box_space(&self.shape, &self.low, &self.high, dtype)?;
                (space, entries(&self.shape)?, if self.bytes { Form::Bytes } else { Form::Floats })
            }
            LeafKind::Bits => (Space::MultiBinary { n: self.n }, entries(&[self.n])?, Form::Bits),
            LeafKind::Choices => {
                total(&self.nvec)?;
                let nvec = self.nvec.clone();
                let space = match nvec.as_slice() {
                    [n] if self.discrete => Space::Discrete { n: *n },
                    _ => Space::MultiDiscrete { nvec: nvec.clone() },
                };
                (space, nvec.len(), Form::Choices(nvec))
            }
        };
        Ok((space, Column { key: self.key.clone(), count, form }))
    }
}

impl ActionLeaf {
    pub fn space(self) -> Result<Space, String> {
        let of = |e| format!("the action space {e}");
        Ok(match self {
            ActionLeaf::Discrete { n } => {
                total(&[n]).map_err(of)?;
                Space::Discrete { n }
            }
            ActionLeaf::MultiDiscrete { nvec } => {
                total(&nvec).map_err(of)?;
                Space::MultiDiscrete { nvec }
            }
            ActionLeaf::MultiBinary { n } => {
                entries(&[n]).map_err(of)?;
                Space::MultiBinary { n }
            }
            ActionLeaf::Box { shape, low, high } => box_space(&shape, &low, &high, Dtype::F32).map_err(of)?,
        })
    }
}
