//! Spaces: what an observation or an action may be.

use std::collections::BTreeMap;
use std::fmt;

/// Storage type of one observation column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// Unsigned byte, for images.
    U8,
}

/// A box of numbers with bounds per entry.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BoxSpace {
    /// Shape of one value, row-major.
    pub shape: Vec<usize>,
    /// Lowest legal value of each entry; as long as the product of `shape`.
    pub low: Vec<f32>,
    /// Highest legal value of each entry.
    pub high: Vec<f32>,
    /// How values are stored.
    pub dtype: Dtype,
}

/// A set of legal values.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Space {
    /// One of `n` choices.
    Discrete {
        /// Number of choices.
        n: usize,
    },
    /// Several independent choices.
    MultiDiscrete {
        /// Number of choices of each component.
        nvec: Vec<usize>,
    },
    /// `n` independent bits.
    MultiBinary {
        /// Number of bits.
        n: usize,
    },
    /// Bounded numbers.
    Box(BoxSpace),
}

/// A space that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// A count or a dimension is zero.
    #[error("the space {0} has no values")]
    Empty(String),
    /// `low`, `high` and `shape` of a box disagree, or a bound is NaN or reversed.
    #[error("the bounds of {0} do not fit its shape, are NaN or are reversed")]
    Bounds(String),
    /// A box of actions with an infinite bound.
    #[error(
        "the action space {0} has an infinite bound, but actions are scaled to the bounds: make them finite"
    )]
    Unbounded(String),
    /// A mask of another width than the actions, or for actions that have none.
    #[error(
        "the observation \"{}\" is {mask}, but for the actions {action} it {rule}",
        DictSpace::ACTION_MASK
    )]
    Mask {
        /// Space of the mask.
        mask: String,
        /// Space of the actions.
        action: String,
        /// What would be right.
        rule: String,
    },
}

impl Space {
    /// A float box with the same bounds for every entry.
    pub fn box_f32(shape: &[usize], low: f32, high: f32) -> Self {
        let len = shape.iter().product();
        Space::Box(BoxSpace {
            shape: shape.to_vec(),
            low: vec![low; len],
            high: vec![high; len],
            dtype: Dtype::F32,
        })
    }

    /// Entries of the *encoded* value: one-hot for the discrete kinds, 0/1 for bits, the numbers
    /// themselves for a box.
    pub fn width(&self) -> usize {
        match self {
            Space::Discrete { n } | Space::MultiBinary { n } => *n,
            Space::MultiDiscrete { nvec } => nvec.iter().sum(),
            Space::Box(b) => b.shape.iter().product(),
        }
    }

    /// Storage type of the encoded value.
    pub fn dtype(&self) -> Dtype {
        match self {
            Space::Box(b) => b.dtype,
            _ => Dtype::F32,
        }
    }

    /// Shape of the encoded value: a box keeps its own, the rest is flat.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Space::Box(b) => b.shape.clone(),
            _ => vec![self.width()],
        }
    }

    /// Shape of a value that is an image: a box of bytes with three dimensions. The rest are vectors.
    pub fn image_shape(&self) -> Option<[usize; 3]> {
        match self {
            Space::Box(b) if b.dtype == Dtype::U8 => b.shape.as_slice().try_into().ok(),
            _ => None,
        }
    }

    /// Refuses empty spaces and boxes whose bounds are unusable.
    ///
    /// # Errors
    /// Names the space and what is wrong with it.
    pub fn validate(&self) -> Result<(), SpaceError> {
        let empty_part = matches!(self, Space::MultiDiscrete { nvec } if nvec.contains(&0));
        if self.width() == 0 || empty_part {
            return Err(SpaceError::Empty(self.to_string()));
        }
        if let Space::Box(b) = self {
            let fits = b.low.len() == self.width() && b.high.len() == self.width();
            if !fits
                || b.low.iter().zip(&b.high).any(|(l, h)| !matches!(l.partial_cmp(h), Some(o) if o.is_le()))
            {
                return Err(SpaceError::Bounds(self.to_string()));
            }
        }
        Ok(())
    }

    /// Number of options of each discrete choice; `None` for bits and numbers.
    pub fn choices(&self) -> Option<&[usize]> {
        match self {
            Space::Discrete { n } => Some(std::slice::from_ref(n)),
            Space::MultiDiscrete { nvec } => Some(nvec),
            Space::MultiBinary { .. } | Space::Box(_) => None,
        }
    }

    /// Whether an encoded float value is legal: right width, finite, one-hot or in bounds.
    pub fn contains(&self, encoded: &[f32]) -> bool {
        let one_hot =
            |part: &[f32]| part.iter().all(|x| *x == 0.0 || *x == 1.0) && part.iter().sum::<f32>() == 1.0;
        if encoded.len() != self.width() {
            return false;
        }
        match self {
            Space::Discrete { .. } => one_hot(encoded),
            Space::MultiDiscrete { nvec } => {
                let mut rest = encoded;
                nvec.iter().all(|&n| {
                    let (part, tail) = rest.split_at(n);
                    rest = tail;
                    one_hot(part)
                })
            }
            Space::MultiBinary { .. } => encoded.iter().all(|x| *x == 0.0 || *x == 1.0),
            Space::Box(b) => encoded
                .iter()
                .zip(b.low.iter().zip(&b.high))
                .all(|(x, (l, h))| x.is_finite() && x >= l && x <= h),
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Discrete { n } => write!(f, "Discrete({n})"),
            Space::MultiDiscrete { nvec } => write!(f, "MultiDiscrete({nvec:?})"),
            Space::MultiBinary { n } => write!(f, "MultiBinary({n})"),
            Space::Box(b) => {
                let low = b.low.iter().copied().fold(f32::INFINITY, f32::min);
                let high = b.high.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let kind = if b.dtype == Dtype::U8 { ", u8" } else { "" };
                write!(f, "Box({low}, {high}, {:?}{kind})", b.shape)
            }
        }
    }
}

/// A dictionary of spaces, sorted by key. The order of the keys is the order of the columns
/// everywhere: in observations, on disk and in batches.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DictSpace(pub BTreeMap<String, Space>);

impl DictSpace {
    /// The key that a plain, non-dict observation gets.
    pub const SINGLE: &'static str = "observation";

    /// The key of an action mask: one entry per option of each discrete choice, in the order of the
    /// encoded action, 1 where the option is legal in the next step. Its space is
    /// [`Space::MultiBinary`]. It is stored and shown to the encoder like any other observation; the
    /// policy, its losses, exploration and the random policy keep to it. Each choice must have a
    /// legal option, except after the last step of a terminated episode.
    pub const ACTION_MASK: &'static str = "action_mask";

    /// A dictionary with the one key [`DictSpace::SINGLE`].
    pub fn single(space: Space) -> Self {
        Self(BTreeMap::from([(Self::SINGLE.to_owned(), space)]))
    }

    /// Keys and spaces in column order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Space)> {
        self.0.iter().map(|(k, s)| (k.as_str(), s))
    }

    /// Refuses a dictionary without keys, or with a space that cannot be used.
    ///
    /// # Errors
    /// Names the space and what is wrong with it.
    pub fn validate(&self) -> Result<(), SpaceError> {
        if self.0.is_empty() {
            return Err(SpaceError::Empty(self.to_string()));
        }
        self.0.values().try_for_each(Space::validate)
    }

    /// Sum of the widths of all columns.
    pub fn width(&self) -> usize {
        self.0.values().map(Space::width).sum()
    }

    /// Column number of a key.
    pub fn index(&self, key: &str) -> Option<usize> {
        self.0.keys().position(|k| k == key)
    }
}

/// A plain space, as [`DictSpace::single`].
impl From<Space> for DictSpace {
    fn from(space: Space) -> Self {
        Self::single(space)
    }
}

/// Keys with their spaces.
impl<const N: usize> From<[(&str, Space); N]> for DictSpace {
    fn from(keys: [(&str, Space); N]) -> Self {
        Self(BTreeMap::from(keys.map(|(key, space)| (key.to_owned(), space))))
    }
}

impl fmt::Display for DictSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.iter().map(|(k, s)| format!("{k}: {s}")).collect();
        write!(f, "{{{}}}", parts.join(", "))
    }
}
