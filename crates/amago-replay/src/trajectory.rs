//! Columnar trajectories and the layout of their columns.

use std::fmt;
use std::sync::Arc;

use amago_env::{Column, DictSpace, Dtype, Space};

use crate::{FormatError, ReplayError};

/// One observation column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnLayout {
    /// Observation key.
    pub key: String,
    /// Shape of one encoded value.
    pub shape: Vec<usize>,
    /// Product of `shape`.
    pub width: usize,
    /// Storage type.
    pub dtype: Dtype,
}

/// What the columns of a trajectory or batch mean. Shared by `Arc` and comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Observation columns, sorted by key.
    pub columns: Vec<ColumnLayout>,
    /// Entries `A` of an encoded action.
    pub action_width: usize,
}

impl Layout {
    /// Layout of what an environment with these spaces gives.
    pub fn new(observation: &DictSpace, action: &Space) -> Self {
        let columns = observation.iter().map(|(key, space)| ColumnLayout {
            key: key.to_owned(),
            shape: space.shape(),
            width: space.width(),
            dtype: space.dtype(),
        });
        Self { columns: columns.collect(), action_width: action.width() }
    }

    /// Entries `1 + A` of one `rl2s` row: previous reward, then previous action.
    pub fn rl2_width(&self) -> usize {
        1 + self.action_width
    }

    /// Column number of an observation key.
    pub fn index(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.key == key)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |d| if d == Dtype::F32 { "f32" } else { "u8" };
        let column = |c: &ColumnLayout| format!("{}: {}{:?}", c.key, name(c.dtype), c.shape);
        let columns: Vec<_> = self.columns.iter().map(column).collect();
        write!(f, "{{{}}} with actions of width {}", columns.join(", "), self.action_width)
    }
}

/// The data of a trajectory of `T` transitions and `T + 1` observations.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// Observations in key order, each `(T + 1) * width`.
    pub obs: Vec<Column>,
    /// Encoded actions, `T * A`.
    pub actions: Vec<f32>,
    /// Reward after each action, `T`.
    pub rewards: Vec<f32>,
    /// Whether the task ended, `T`. Truncation is not terminal.
    pub terminals: Vec<bool>,
    /// Step within the episode of row 0; the time index of a row is `start_time + row`.
    pub start_time: i64,
    /// `rl2s` row 0, `1 + A`: zeros at the start of an episode, else the step before the cut.
    pub first_prev: Vec<f32>,
}

/// One trajectory. Its columns always fit its layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    pub(crate) layout: Arc<Layout>,
    columns: Columns,
}

impl Trajectory {
    /// A trajectory from columns made elsewhere, for example by an import.
    ///
    /// # Errors
    /// When a column is missing, of another type or of another length than the layout asks for, when it
    /// holds NaN or infinity, or when the time indices are negative or overflow.
    pub fn new(layout: Arc<Layout>, columns: Columns) -> Result<Self, ReplayError> {
        let steps = columns.rewards.len();
        let need = |column: &str, got: usize, expected: Option<usize>| {
            let expected = expected.unwrap_or(usize::MAX);
            let column = column.to_owned();
            if got == expected { Ok(()) } else { Err(ReplayError::Columns { column, got, expected }) }
        };
        need("the list of observation columns", columns.obs.len(), Some(layout.columns.len()))?;
        for (spec, column) in layout.columns.iter().zip(&columns.obs) {
            need(
                &format!("observation \"{}\"", spec.key),
                column.len(),
                (steps + 1).checked_mul(spec.width),
            )?;
            if column.dtype() != spec.dtype {
                return Err(ReplayError::Observation { expected: layout.to_string() });
            }
        }
        need("actions", columns.actions.len(), steps.checked_mul(layout.action_width))?;
        need("terminals", columns.terminals.len(), Some(steps))?;
        need("first_prev", columns.first_prev.len(), Some(layout.rl2_width()))?;
        if !start_time_fits(columns.start_time, steps) {
            return Err(ReplayError::Unstorable(FormatError::BadStartTime(columns.start_time)));
        }
        let trajectory = Self { layout, columns };
        trajectory.check_finite().map_err(ReplayError::Unstorable)?;
        Ok(trajectory)
    }

    /// Refuses NaN and infinity, which would spoil training for as long as the trajectory is kept.
    pub(crate) fn check_finite(&self) -> Result<(), FormatError> {
        let c = &self.columns;
        let check = |values: &[f32], column: &dyn Fn() -> String| match first_not_finite(values) {
            Some(index) => Err(FormatError::NotFinite { column: column(), index }),
            None => Ok(()),
        };
        check(&c.first_prev, &|| "first rl2s row".to_owned())?;
        check(&c.actions, &|| "actions".to_owned())?;
        check(&c.rewards, &|| "rewards".to_owned())?;
        for (spec, column) in self.layout.columns.iter().zip(&c.obs) {
            if let Column::F32(values) = column {
                check(values, &|| format!("observation \"{}\"", spec.key))?;
            }
        }
        Ok(())
    }

    /// For callers inside the crate that have made sure of the lengths.
    pub(crate) fn from_checked(layout: Arc<Layout>, columns: Columns) -> Self {
        Self { layout, columns }
    }

    /// Number of transitions `T`.
    pub fn len(&self) -> usize {
        self.columns.rewards.len()
    }

    /// Whether there are no transitions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the columns mean.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The data.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The data alone.
    pub(crate) fn into_columns(self) -> Columns {
        self.columns
    }

    /// Bytes of the data in memory.
    pub fn bytes(&self) -> u64 {
        let c = &self.columns;
        let obs: usize = c.obs.iter().map(column_bytes).sum();
        (obs + 4 * (c.actions.len() + c.rewards.len() + c.first_prev.len()) + c.terminals.len()) as u64
    }

    /// Writes `rl2s` rows `start..stop` to `out`: reward, then action of the step before each row.
    pub(crate) fn write_rl2s(&self, start: usize, stop: usize, out: &mut [f32]) {
        let a = self.layout.action_width;
        for (row, out) in (start..stop).zip(out.chunks_exact_mut(1 + a)) {
            match row.checked_sub(1) {
                None => out.copy_from_slice(&self.columns.first_prev),
                Some(prev) => {
                    out[0] = self.columns.rewards[prev];
                    out[1..].copy_from_slice(&self.columns.actions[prev * a..][..a]);
                }
            }
        }
    }
}

/// Whether no time index of a trajectory is negative, and all can be computed with on every device: those count
/// in i32.
pub(crate) fn start_time_fits(start_time: i64, steps: usize) -> bool {
    let end = i64::try_from(steps).ok().and_then(|n| start_time.checked_add(n));
    start_time >= 0 && end.is_some_and(|end| end <= i64::from(i32::MAX))
}

fn first_not_finite(values: &[f32]) -> Option<usize> {
    // No early exit: nearly always all are finite, and so the loop vectorises.
    let finite = values.iter().fold(true, |ok, x| ok & x.is_finite());
    if finite { None } else { values.iter().position(|x| !x.is_finite()) }
}

fn column_bytes(column: &Column) -> usize {
    match column {
        Column::F32(v) => 4 * v.len(),
        Column::U8(v) => v.len(),
    }
}
