//! What the trajectories of a task may hold.

use std::sync::Arc;

use amago_env::{BoxSpace, Column, DictSpace, Space};

use crate::{FormatError, Layout, Trajectory};

/// The spaces of a task, which what is learned from must keep to: an action that is not one-hot or an
/// observation that no environment gives would be learned from without a word.
#[derive(Debug, Clone, PartialEq)]
pub struct Spaces {
    observation: DictSpace,
    action: Space,
    layout: Arc<Layout>,
}

impl Spaces {
    /// The spaces of an environment.
    pub fn new(observation: &DictSpace, action: &Space) -> Self {
        let layout = Arc::new(Layout::new(observation, action));
        Self { observation: observation.clone(), action: action.clone(), layout }
    }

    /// What they say of observations.
    pub fn observation(&self) -> &DictSpace {
        &self.observation
    }

    /// What they say of actions.
    pub fn action(&self) -> &Space {
        &self.action
    }

    /// Layout of trajectories that keep to them.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Checks a trajectory of this layout.
    ///
    /// # Errors
    /// Names the first observation or action that is outside its space, or that the action mask forbids.
    ///
    /// # Panics
    /// When the trajectory has another layout.
    pub fn check(&self, trajectory: &Trajectory) -> Result<(), FormatError> {
        assert!(*trajectory.layout() == self.layout, "a trajectory of another layout");
        let columns = trajectory.columns();
        for ((key, space), column) in self.observation.iter().zip(&columns.obs) {
            if let Some(row) = outside(space, column) {
                let (what, space) = (format!("observation \"{key}\""), space.to_string());
                return Err(FormatError::OutOfSpace { what, row, space });
            }
        }
        let a = self.layout.action_width;
        // An episode begins with an action of zeros, which no discrete space holds.
        let before = Some(&columns.first_prev[1..]).filter(|row| row.iter().any(|x| *x != 0.0));
        if before.is_some_and(|row| !self.is_action(row)) {
            let (what, space) = ("the action before the first".to_owned(), self.action.to_string());
            return Err(FormatError::OutOfSpace { what, row: 0, space });
        }
        let mut actions = columns.actions.chunks_exact(a);
        if let Some(row) = actions.position(|row| !self.is_action(row)) {
            let (what, space) = ("the action".to_owned(), self.action.to_string());
            return Err(FormatError::OutOfSpace { what, row, space });
        }
        match self.forbidden(trajectory) {
            Some(row) => Err(FormatError::ForbiddenAction { row }),
            None => Ok(()),
        }
    }

    /// Whether an encoded action is legal: numbers are scaled to the bounds of their box.
    fn is_action(&self, encoded: &[f32]) -> bool {
        match &self.action {
            Space::Box(_) => encoded.iter().all(|x| (-1.0..=1.0).contains(x)),
            discrete => discrete.contains(encoded),
        }
    }

    /// The first action that the mask of its observation does not allow.
    fn forbidden(&self, trajectory: &Trajectory) -> Option<usize> {
        let columns = trajectory.columns();
        let Column::F32(mask) = &columns.obs[self.observation.index(DictSpace::ACTION_MASK)?] else {
            return None;
        };
        self.action.choices()?;
        let a = self.layout.action_width;
        let mut rows = columns.actions.chunks_exact(a).zip(mask.chunks_exact(a));
        rows.position(|(action, legal)| action.iter().zip(legal).any(|(chosen, legal)| chosen > legal))
    }
}

/// The first row of a column that is outside its space.
fn outside(space: &Space, column: &Column) -> Option<usize> {
    let width = space.width().max(1);
    match (column, space) {
        (Column::F32(values), _) => values.chunks_exact(width).position(|row| !space.contains(row)),
        (Column::U8(_), Space::Box(b)) if every_byte(b) => None,
        (Column::U8(bytes), Space::Box(b)) => bytes.chunks_exact(width).position(|row| {
            let bounds = b.low.iter().zip(&b.high);
            row.iter().zip(bounds).any(|(x, (low, high))| !(*low..=*high).contains(&f32::from(*x)))
        }),
        (Column::U8(_), _) => unreachable!("only a box holds bytes"),
    }
}

/// Whether a box of bytes allows all of them, as nearly every image does.
fn every_byte(space: &BoxSpace) -> bool {
    space.low.iter().all(|low| *low <= 0.0) && space.high.iter().all(|high| *high >= 255.0)
}
