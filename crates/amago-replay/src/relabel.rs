//! Hindsight relabelling of instructions: places that the agent came to by chance become goals.
//!
//! Relabelling happens when a trajectory is drawn for training; what is stored does not change. It
//! needs two float observations: `goals`, `[k, d]`, the goals of the instruction in their order, -1
//! for those already reached; and `achieved`, `[1, d]`, where the agent is. The environment pays 1
//! whenever a step leads to the next goal, and ends with the last one. [`recreate`] tells whether an
//! environment keeps to that.
//!
//! Source: hindsight instruction relabelling of AMAGO (arXiv 2310.09971, appendix B). Two
//! differences from the original's code: a goal that equals the place of the first observation is
//! paid for when a step first leads there (the original marks it as reached at once and writes the
//! reward to the end of the trajectory), and the observation of a reached goal is not drawn again
//! (the original leaves out the one before it).

use std::sync::Arc;

use amago_env::{Column, Rng};
use rand::RngExt;
use rand::seq::index;

use crate::{Columns, Layout, ReplayError, Trajectory};

/// What a goal that was reached looks like in the observation.
const REACHED: f32 = -1.0;

/// How many goals of a trajectory are replaced when it is drawn.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Relabeler {
    /// None: trajectories are used as they are.
    #[default]
    None,
    /// A number drawn uniformly from none to all that were not reached.
    Some,
    /// All that were not reached: every trajectory that is long enough becomes a success.
    All,
}

/// A trajectory that cannot be relabelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelabelError {
    /// An observation is missing, holds bytes or has another shape.
    #[error("relabelling needs the float observations \"goals\" [k, d] and \"achieved\" [1, d], but has {0}")]
    Layout(String),
    /// More rewards than goals: the reward is not one per goal.
    #[error(
        "the trajectory has {rewards} rewards other than 0 for {goals} open goals: it follows no instruction"
    )]
    Rewards {
        /// Rewards that are not zero.
        rewards: usize,
        /// Goals that were open at its start.
        goals: usize,
    },
    /// More alternatives than goals that were not reached.
    #[error("{alternatives} alternatives for {open} goals that were not reached")]
    TooMany {
        /// Alternatives given.
        alternatives: usize,
        /// Goals not reached.
        open: usize,
    },
    /// An alternative that is the first observation or none at all.
    #[error("there is no alternative goal at observation {row}: it must be from 1 to {last}")]
    Row {
        /// Observation asked for.
        row: usize,
        /// The last one.
        last: usize,
    },
}

impl Relabeler {
    /// Refuses a layout without the observations that relabelling needs.
    ///
    /// # Errors
    /// Names what is needed and what is there.
    pub fn check(self, layout: &Layout) -> Result<(), RelabelError> {
        if self == Relabeler::None { Ok(()) } else { Places::of(layout).map(|_| ()) }
    }

    /// Relabels a trajectory with places drawn uniformly from those where the agent was after its
    /// first and before its last step, where no goal was reached.
    ///
    /// # Errors
    /// When the trajectory does not follow an instruction.
    pub fn relabel(self, trajectory: Arc<Trajectory>, rng: &mut Rng) -> Result<Arc<Trajectory>, ReplayError> {
        if self == Relabeler::None {
            return Ok(trajectory);
        }
        let history = History::of(&trajectory)?;
        let count = match self {
            Relabeler::Some => rng.random_range(0..=history.open()),
            _ => history.open(),
        };
        let rows: Vec<_> = (1..trajectory.len()).filter(|row| !history.reached.contains(row)).collect();
        let drawn = index::sample(rng, rows.len(), count.min(rows.len()));
        let alternatives: Vec<_> = drawn.iter().map(|i| rows[i]).collect();
        if alternatives.is_empty() {
            return Ok(trajectory);
        }
        Ok(Arc::new(relabel(&trajectory, &alternatives)?))
    }
}

/// Makes the agent's places at the observations `alternatives` goals, beside those that it reached
/// and in the order in which it came to them; goals not reached stay at the end, as far as there is
/// room. Rewards, terminals and observed goals become those that the environment would have given,
/// and the trajectory ends with its last goal. Without alternatives it is returned as it is.
///
/// # Errors
/// When the trajectory does not follow an instruction, or there is no such alternative.
pub fn relabel(trajectory: &Trajectory, alternatives: &[usize]) -> Result<Trajectory, RelabelError> {
    let history = History::of(trajectory)?;
    let last = trajectory.len();
    if let Some(row) = alternatives.iter().copied().find(|row| !(1..=last).contains(row)) {
        return Err(RelabelError::Row { row, last });
    }
    if alternatives.len() > history.open() {
        return Err(RelabelError::TooMany { alternatives: alternatives.len(), open: history.open() });
    }
    if alternatives.is_empty() {
        return Ok(trajectory.clone());
    }
    // By time; where both are at one observation, the goal that was reached comes first.
    let reached = history.reached.iter().enumerate().map(|(i, row)| (*row, history.goal(i)));
    let mut places: Vec<_> = reached.chain(alternatives.iter().map(|r| (*r, history.place(*r)))).collect();
    places.sort_by_key(|(row, _)| *row);
    let mut goals = history.row(0).to_vec();
    let d = history.places.d;
    for (to, (_, from)) in goals[history.before * d..].chunks_exact_mut(d).zip(places) {
        to.copy_from_slice(from);
    }
    Ok(history.replay(&goals))
}

/// Rewards, terminals and observed goals of a trajectory made again from its instruction and the
/// agent's places. Where this does not give the trajectory back, its environment pays otherwise and
/// relabelling is wrong.
///
/// # Errors
/// When the trajectory does not follow an instruction.
pub fn recreate(trajectory: &Trajectory) -> Result<Trajectory, RelabelError> {
    let history = History::of(trajectory)?;
    Ok(history.replay(history.row(0)))
}

/// Columns of the instruction.
struct Places {
    goals: usize,
    achieved: usize,
    /// Goals of the instruction.
    k: usize,
    /// Entries of one goal.
    d: usize,
}

impl Places {
    fn of(layout: &Layout) -> Result<Self, RelabelError> {
        let find = |key| {
            let i = layout.index(key)?;
            let column = &layout.columns[i];
            let [n, d] = column.shape[..] else { return None };
            (column.dtype == amago_env::Dtype::F32 && n > 0 && d > 0).then_some((i, n, d))
        };
        match (find("goals"), find("achieved")) {
            (Some((goals, k, d)), Some((achieved, 1, width))) if width == d => {
                Ok(Self { goals, achieved, k, d })
            }
            _ => Err(RelabelError::Layout(layout.to_string())),
        }
    }
}

/// What became of the instruction of a trajectory.
struct History<'a> {
    trajectory: &'a Trajectory,
    places: Places,
    /// Goals reached before the first observation.
    before: usize,
    /// Observation at which each of the next goals was reached.
    reached: Vec<usize>,
}

impl<'a> History<'a> {
    fn of(trajectory: &'a Trajectory) -> Result<Self, RelabelError> {
        let places = Places::of(trajectory.layout())?;
        let rewards = trajectory.columns().rewards.iter().enumerate();
        let reached: Vec<_> = rewards.filter(|(_, r)| **r != 0.0).map(|(t, _)| t + 1).collect();
        let mut history = Self { trajectory, places, before: 0, reached };
        let first = history.row(0).chunks_exact(history.places.d);
        history.before = first.take_while(|goal| goal.iter().all(|x| *x == REACHED)).count();
        let (rewards, goals) = (history.reached.len(), history.places.k - history.before);
        if rewards > goals { Err(RelabelError::Rewards { rewards, goals }) } else { Ok(history) }
    }

    /// Goals that were not reached.
    fn open(&self) -> usize {
        self.places.k - self.before - self.reached.len()
    }

    /// The goals of one observation.
    fn row(&self, row: usize) -> &'a [f32] {
        let width = self.places.k * self.places.d;
        &floats(&self.trajectory.columns().obs[self.places.goals])[row * width..][..width]
    }

    /// Where the agent was at one observation.
    fn place(&self, row: usize) -> &'a [f32] {
        let d = self.places.d;
        &floats(&self.trajectory.columns().obs[self.places.achieved])[row * d..][..d]
    }

    /// The goal reached as number `i`, as it stood in the observation before.
    fn goal(&self, i: usize) -> &'a [f32] {
        let d = self.places.d;
        &self.row(self.reached[i] - 1)[(self.before + i) * d..][..d]
    }

    /// The trajectory as the environment would have paid it for these goals.
    fn replay(&self, goals: &[f32]) -> Trajectory {
        let (k, d) = (self.places.k, self.places.d);
        let mut goals = goals.to_vec();
        let mut columns = self.trajectory.columns().clone();
        columns.rewards.fill(0.0);
        let mut reached = self.before;
        let mut observed = goals.clone();
        // A reward follows a step, so the first observation earns none.
        for row in 1..=self.trajectory.len() {
            if reached < k && self.place(row) == &goals[reached * d..][..d] {
                goals[reached * d..][..d].fill(REACHED);
                columns.rewards[row - 1] = 1.0;
                reached += 1;
                if reached == k {
                    columns.terminals[row - 1] = true;
                    cut(&mut columns, self.trajectory.layout(), row);
                }
            }
            observed.extend_from_slice(&goals);
            if columns.rewards.len() == row {
                break;
            }
        }
        columns.obs[self.places.goals] = Column::F32(observed);
        Trajectory::from_checked(self.trajectory.layout().clone(), columns)
    }
}

/// Keeps the first `steps` transitions.
fn cut(columns: &mut Columns, layout: &Layout, steps: usize) {
    for (column, spec) in columns.obs.iter_mut().zip(&layout.columns) {
        match column {
            Column::F32(v) => v.truncate((steps + 1) * spec.width),
            Column::U8(v) => v.truncate((steps + 1) * spec.width),
        }
    }
    columns.actions.truncate(steps * layout.action_width);
    columns.rewards.truncate(steps);
    columns.terminals.truncate(steps);
}

/// The values of a column that the layout says holds floats.
fn floats(column: &Column) -> &[f32] {
    match column {
        Column::F32(values) => values,
        Column::U8(_) => unreachable!("the layout was checked"),
    }
}
