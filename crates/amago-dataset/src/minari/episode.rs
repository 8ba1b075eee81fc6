//! One episode, whatever file it comes from.

use amago_env::{DictSpace, Space};
use amago_replay::{Columns, Spaces};

use super::encode;
use super::space::{Leaf, Step};
use super::values::Values;
use crate::EpisodeError;

/// What the episodes of a dataset hold.
#[derive(Debug)]
pub(super) struct Task {
    /// Observations, by key.
    observation: Vec<Leaf>,
    action: Leaf,
    /// The same as our spaces.
    pub spaces: Spaces,
}

impl Task {
    /// Refuses spaces that cannot be learned in.
    pub fn new(mut observation: Vec<Leaf>, action: Leaf) -> Result<Self, String> {
        observation.sort_by(|a, b| a.key.cmp(&b.key));
        let keys = observation.iter().map(|leaf| (leaf.key.clone(), leaf.space.clone()));
        let space = DictSpace(keys.collect());
        if space.0.len() != observation.len() {
            return Err("observation_space: two parts have the same name".to_owned());
        }
        space.validate().map_err(|e| format!("observation_space: {e}"))?;
        let unbounded = |b: &amago_env::BoxSpace| b.low.iter().chain(&b.high).any(|x| x.is_infinite());
        if matches!(&action.space, Space::Box(b) if unbounded(b)) {
            return Err(amago_env::SpaceError::Unbounded(action.space.to_string()).to_string());
        }
        let spaces = Spaces::new(&space, &action.space);
        Ok(Self { observation, action, spaces })
    }
}

/// The columns of an opened episode.
pub(super) trait Source {
    /// Steps of the episode, at least one.
    fn steps(&self) -> usize;

    /// Values of a column: exactly as many as are asked for, or an error.
    fn values(&self, column: &str, path: &[Step], request: Request) -> Result<Values, EpisodeError>;
}

/// What is asked for of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// Rows.
    pub rows: usize,
    /// Entries of a row in the file.
    pub width: usize,
    /// Whether the entries are packed files.
    pub packed: bool,
}

/// Reads an episode. Also tells in how many steps the action lay beyond its bounds.
pub(super) fn columns(task: &Task, source: &impl Source) -> Result<(Columns, u64), EpisodeError> {
    let steps = source.steps();
    let flat = |name: &str, rows| source.values(name, &[], Request { rows, width: 1, packed: false });
    let rewards = flat("rewards", steps)?.floats("rewards")?;
    let terminals = flat("terminations", steps)?.floats("terminations")?;
    let mut obs = Vec::with_capacity(task.observation.len());
    for leaf in &task.observation {
        let request = Request { rows: steps + 1, width: stored_width(leaf), packed: leaf.jpeg };
        let values = source.values("observations", &leaf.path, request)?;
        obs.push(encode::observation(leaf, &format!("observations/{}", leaf.key), values, steps + 1)?);
    }
    let request = Request { rows: steps, width: stored_width(&task.action), packed: false };
    let actions = source.values("actions", &[], request)?;
    let (actions, clipped) = encode::actions(&task.action, actions, steps)?;
    let columns = Columns {
        obs,
        actions,
        rewards,
        // An episode that was truncated goes on, as far as its value is concerned.
        terminals: terminals.into_iter().map(|x| x != 0.0).collect(),
        start_time: 0,
        first_prev: vec![0.0; task.spaces.layout().rl2_width()],
    };
    Ok((columns, clipped))
}

/// Numbers of one value before it is encoded.
fn stored_width(leaf: &Leaf) -> usize {
    match (&leaf.space, leaf.jpeg) {
        (_, true) => 1,
        (Space::Discrete { .. }, _) => 1,
        (Space::MultiDiscrete { nvec }, _) => nvec.len(),
        (space, _) => space.width(),
    }
}
