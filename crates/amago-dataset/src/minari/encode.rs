//! From the values of Gymnasium to encoded ones.

use amago_env::{BoxSpace, Column, Dtype, Space};

use super::space::Leaf;
use super::values::Values;
use super::{MAX_EPISODE, jpeg};
use crate::EpisodeError;

/// Encoded observations of one leaf, `rows * width`.
pub(super) fn observation(
    leaf: &Leaf,
    name: &str,
    values: Values,
    rows: usize,
) -> Result<Column, EpisodeError> {
    check_size(leaf, rows)?;
    match (&leaf.space, values) {
        (Space::Box(space), Values::Files(files)) if leaf.jpeg => {
            if files.len() != rows {
                return Err(EpisodeError::Length { name: name.to_owned(), got: files.len(), expected: rows });
            }
            jpeg::images(name, &space.shape, &files).map(Column::U8)
        }
        (Space::Box(space), values) => {
            values.expect(name, rows * leaf.space.width())?;
            numbers(space, name, values)
        }
        (_, values) => discrete(leaf, name, values, rows).map(Column::F32),
    }
}

fn numbers(space: &BoxSpace, name: &str, values: Values) -> Result<Column, EpisodeError> {
    match (space.dtype, values) {
        (Dtype::F32, values) => values.floats(name).map(Column::F32),
        (Dtype::U8, Values::U8(bytes)) => Ok(Column::U8(bytes)),
        (Dtype::U8, other) => {
            let whole = other.whole(name)?;
            let byte = |(i, x): (usize, i64)| {
                let width = space.low.len().max(1);
                u8::try_from(x).map_err(|_| out_of(&Space::Box(space.clone()), name, i / width, x as f64))
            };
            whole.into_iter().enumerate().map(byte).collect::<Result<_, _>>().map(Column::U8)
        }
    }
}

/// One-hot vectors of choices, and bits.
fn discrete(leaf: &Leaf, name: &str, values: Values, rows: usize) -> Result<Vec<f32>, EpisodeError> {
    let space = &leaf.space;
    let (one, bits) = match space {
        Space::MultiBinary { n } => ([*n], true),
        _ => ([0], false),
    };
    let parts = space.choices().unwrap_or(&one);
    let components = if bits { one[0] } else { parts.len() };
    values.expect(name, rows * components)?;
    let whole = values.whole(name)?;
    let mut encoded = vec![0.0; rows * space.width()];
    let pairs = whole.chunks_exact(components.max(1)).zip(encoded.chunks_exact_mut(space.width()));
    for (row, (chosen, mut out)) in pairs.enumerate() {
        if bits {
            for (value, out) in chosen.iter().zip(out) {
                match value {
                    0 | 1 => *out = *value as f32,
                    other => return Err(out_of(space, name, row, *other as f64)),
                }
            }
            continue;
        }
        for ((value, n), start) in chosen.iter().zip(parts).zip(&leaf.starts) {
            let (this, rest) = out.split_at_mut(*n);
            let choice = value.checked_sub(*start).and_then(|i| usize::try_from(i).ok());
            match choice.and_then(|i| this.get_mut(i)) {
                Some(out) => *out = 1.0,
                None => return Err(out_of(space, name, row, *value as f64)),
            }
            out = rest;
        }
    }
    Ok(encoded)
}

/// Encoded actions, `rows * width`, and how many of them lay beyond their bounds.
pub(super) fn actions(leaf: &Leaf, values: Values, rows: usize) -> Result<(Vec<f32>, u64), EpisodeError> {
    let name = "actions";
    check_size(leaf, rows)?;
    let Space::Box(space) = &leaf.space else {
        return discrete(leaf, name, values, rows).map(|encoded| (encoded, 0));
    };
    values.expect(name, rows * leaf.space.width())?;
    let mut numbers = values.floats(name)?;
    let mut clipped = 0;
    for (row, numbers) in numbers.chunks_exact_mut(leaf.space.width()).enumerate() {
        let mut outside = false;
        for (x, (low, high)) in numbers.iter_mut().zip(space.low.iter().zip(&space.high)) {
            if !x.is_finite() {
                return Err(out_of(&leaf.space, name, row, f64::from(*x)));
            }
            outside |= *x < *low || *x > *high;
            *x = unit(x.clamp(*low, *high), *low, *high);
        }
        clipped += u64::from(outside);
    }
    Ok((numbers, clipped))
}

/// From the bounds to [-1, 1], in double precision, where the width of any finite bounds is finite.
fn unit(x: f32, low: f32, high: f32) -> f32 {
    let (x, low, high) = (f64::from(x), f64::from(low), f64::from(high));
    match high > low {
        true => ((2.0 * (x - low) / (high - low) - 1.0) as f32).clamp(-1.0, 1.0),
        // Only one action is possible.
        false => 0.0,
    }
}

/// Refuses what would need more memory than an episode may, before it is allocated.
fn check_size(leaf: &Leaf, rows: usize) -> Result<(), EpisodeError> {
    let bytes = rows.checked_mul(leaf.space.width()).and_then(|n| n.checked_mul(4));
    match bytes.filter(|bytes| *bytes <= MAX_EPISODE) {
        Some(_) => Ok(()),
        None => Err(EpisodeError::TooLarge { limit: MAX_EPISODE }),
    }
}

fn out_of(space: &Space, name: &str, row: usize, value: f64) -> EpisodeError {
    EpisodeError::OutOfSpace { name: name.to_owned(), row, value, space: space.to_string() }
}
