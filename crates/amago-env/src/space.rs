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

impl fmt::Display for DictSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.iter().map(|(k, s)| format!("{k}: {s}")).collect();
        write!(f, "{{{}}}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_tells_legal_from_illegal() {
        let discrete = Space::Discrete { n: 3 };
        let multi = Space::MultiDiscrete { nvec: vec![2, 3] };
        let bits = Space::MultiBinary { n: 2 };
        let unit = Space::box_f32(&[2], 0.0, 1.0);
        let cases: [(&Space, &[f32], bool); 14] = [
            (&discrete, &[0.0, 1.0, 0.0], true),
            (&discrete, &[0.0, 0.0, 0.0], false),
            (&discrete, &[1.0, 1.0, 0.0], false),
            (&discrete, &[0.5, 0.5, 0.0], false),
            (&discrete, &[1.0, 0.0], false),
            (&multi, &[0.0, 1.0, 0.0, 0.0, 1.0], true),
            (&multi, &[1.0, 1.0, 0.0, 0.0, 0.0], false),
            (&bits, &[1.0, 1.0], true),
            (&bits, &[1.0, 0.5], false),
            (&unit, &[0.0, 1.0], true),
            (&unit, &[0.0, 1.1], false),
            (&unit, &[0.0, f32::NAN], false),
            (&unit, &[0.0, f32::INFINITY], false),
            (&unit, &[0.0], false),
        ];
        for (space, value, expected) in cases {
            assert_eq!(space.contains(value), expected, "{value:?} in {space}");
        }
    }

    #[test]
    fn bytes_with_three_dimensions_are_an_image() {
        let boxed =
            |dtype, shape| Space::Box(BoxSpace { shape, low: vec![0.0; 8], high: vec![9.0; 8], dtype });
        assert_eq!(boxed(Dtype::U8, vec![2, 2, 2]).image_shape(), Some([2, 2, 2]));
        let vectors = [boxed(Dtype::F32, vec![2, 2, 2]), boxed(Dtype::U8, vec![4, 2])];
        assert!(vectors.iter().all(|space| space.image_shape().is_none()));
    }

    #[test]
    fn validate_refuses_unusable_spaces() {
        let boxed = |low: f32, high: f32, len: usize| {
            Space::Box(BoxSpace {
                shape: vec![2],
                low: vec![low; len],
                high: vec![high; len],
                dtype: Dtype::F32,
            })
        };
        assert_eq!(boxed(0.0, 1.0, 2).validate(), Ok(()));
        assert_eq!(boxed(f32::NEG_INFINITY, f32::INFINITY, 2).validate(), Ok(()));
        for bad in [boxed(1.0, 0.0, 2), boxed(f32::NAN, 0.0, 2), boxed(0.0, 1.0, 3)] {
            assert!(matches!(bad.validate(), Err(SpaceError::Bounds(_))), "{bad:?}");
        }
        for empty in [
            Space::Discrete { n: 0 },
            Space::MultiDiscrete { nvec: vec![2, 0] },
            Space::MultiDiscrete { nvec: vec![] },
            Space::MultiBinary { n: 0 },
            Space::box_f32(&[3, 0], 0.0, 1.0),
        ] {
            assert!(matches!(empty.validate(), Err(SpaceError::Empty(_))), "{empty:?}");
        }
        assert!(DictSpace(BTreeMap::new()).validate().is_err());
        assert!(DictSpace::single(Space::Discrete { n: 0 }).validate().is_err());
        assert_eq!(DictSpace::single(Space::Discrete { n: 1 }).validate(), Ok(()));
    }

    #[test]
    fn columns_are_in_key_order() {
        let space = DictSpace(BTreeMap::from([
            ("b".to_owned(), Space::Discrete { n: 3 }),
            ("a".to_owned(), Space::box_f32(&[2, 2], 0.0, 1.0)),
        ]));
        assert_eq!(space.iter().map(|(k, _)| k).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(space.index("b"), Some(1));
        assert_eq!(space.index("c"), None);
        assert_eq!(space.width(), 7);
        assert_eq!(space.to_string(), "{a: Box(0, 1, [2, 2]), b: Discrete(3)}");
    }
}
