//! Spaces that hold for several tasks, and the way between them and those of one task.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{
    Action, ActionError, BoxSpace, Column, DictSpace, Dtype, EnvError, Observation, Space, TaskSpec,
};

/// Tasks that cannot be played by one policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "task \"{task}\" has the {which} space {got}, task \"{first}\" has {expected}: {}",
    if *.padded { "these cannot be padded to one" } else { "other widths or kinds need padding" }
)]
pub struct SpacesDiffer {
    /// The task that differs.
    pub task: String,
    /// Its space.
    pub got: String,
    /// The task that it differs from.
    pub first: String,
    /// The space of that.
    pub expected: String,
    /// `observation` or `action`.
    pub which: &'static str,
    /// Whether padding was tried.
    pub padded: bool,
}

/// Spaces that hold for all of several tasks.
///
/// Where tasks differ in nothing but the bounds of their numbers, these become wider. With padding:
///
/// - Numbers, choices and bits of a key that differ become a flat list of numbers as long as the longest, choices as
///   one-hot; entries that a task does not have, and keys, are zero. Images grow to the right and downwards.
/// - Choices have as many options as the task with most of them. The action mask ([`DictSpace::ACTION_MASK`]) allows those
///   of the task; of a choice that it does not have the first.
/// - Numbers and bits of actions are as many as the task with most of them has; a task ignores the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    observation: DictSpace,
    action: Space,
}

type Named<'a> = (&'a str, &'a TaskSpec);

impl Joint {
    /// The spaces of tasks, at least one, by their names.
    ///
    /// # Errors
    /// Names the two tasks whose spaces do not go together, and the spaces.
    ///
    /// # Panics
    /// Without any task.
    pub fn new(tasks: &[Named<'_>], pad: bool) -> Result<Self, SpacesDiffer> {
        let ((name, first), rest) = tasks.split_first().expect("at least one task");
        let mut specs = vec![*first];
        let mut joint =
            Self { observation: first.observation_space.clone(), action: first.action_space.clone() };
        for (task, spec) in rest {
            specs.push(spec);
            let differ = |which, got: String, expected: String| SpacesDiffer {
                task: (*task).to_owned(),
                got,
                first: (*name).to_owned(),
                expected,
                which,
                padded: pad,
            };
            let (own, start) = (&spec.action_space, &first.action_space);
            let action = join_actions(&specs, pad)
                .ok_or_else(|| differ("action", own.to_string(), start.to_string()))?;
            let (own, start) = (&spec.observation_space, &first.observation_space);
            let observation = join_observations(&specs, &action, pad)
                .ok_or_else(|| differ("observation", own.to_string(), start.to_string()))?;
            joint = Self { observation, action };
        }
        Ok(joint)
    }

    /// Space of the observations.
    pub fn observation_space(&self) -> &DictSpace {
        &self.observation
    }

    /// Space of the actions.
    pub fn action_space(&self) -> &Space {
        &self.action
    }

    /// Whether an observation of the task has the form of ours, whatever its bounds.
    pub(super) fn is_direct(&self, task: &TaskSpec) -> bool {
        let own = &task.observation_space;
        own.0.len() == self.observation.0.len()
            && own.iter().zip(self.observation.iter()).all(|((key, own), (other, space))| {
                key == other && own.dtype() == space.dtype() && own.shape() == space.shape()
            })
            && (task.action_space == self.action || !self.observation.0.contains_key(DictSpace::ACTION_MASK))
    }

    /// An action in the space of a task. Options that the task does not have are left for it to refuse.
    pub(super) fn narrow<'a>(&self, action: &'a Action, own: &Space) -> Result<Cow<'a, Action>, ActionError> {
        if *own == self.action {
            return Ok(Cow::Borrowed(action));
        }
        let width = own.width();
        Ok(match &self.action {
            space @ Space::Discrete { .. } => {
                action.choice(space)?;
                Cow::Borrowed(action)
            }
            space @ Space::MultiDiscrete { .. } => {
                let all = action.choices(space)?;
                Cow::Owned(match own {
                    Space::Discrete { .. } => Action::Discrete(all[0]),
                    own => Action::MultiDiscrete(all[..own.choices().map_or(0, <[usize]>::len)].to_vec()),
                })
            }
            space @ Space::MultiBinary { .. } => {
                Cow::Owned(Action::MultiBinary(action.bits(space)?[..width].to_vec()))
            }
            space @ Space::Box(_) => {
                Cow::Owned(Action::Continuous(action.unit_numbers(space)?[..width].to_vec()))
            }
        })
    }

    /// Writes what a task has shown, zeros beyond it.
    pub(super) fn widen(
        &self,
        task: &TaskSpec,
        seen: &Observation,
        obs: &mut Observation,
    ) -> Result<(), EnvError> {
        for (key, space) in self.observation.iter() {
            let own = task.observation_space.index(key);
            let column = obs.column_mut(key)?;
            match column {
                Column::F32(values) => values.fill(0.0),
                Column::U8(values) => values.fill(0),
            }
            match (column, own.map(|i| &seen.columns()[i])) {
                (Column::F32(to), from) if key == DictSpace::ACTION_MASK => {
                    let from = from.and_then(|column| match column {
                        Column::F32(mask) => Some(&mask[..]),
                        Column::U8(_) => None,
                    });
                    self.mask(&task.action_space, from, to);
                }
                (Column::F32(to), Some(Column::F32(from))) => to[..from.len()].copy_from_slice(from),
                (Column::U8(to), Some(Column::U8(from))) => {
                    let shape = task.observation_space.0[key].shape();
                    place(from, &shape, to, &space.shape());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Allows what the task has.
    fn mask(&self, own: &Space, legal: Option<&[f32]>, to: &mut [f32]) {
        let own = own.choices().unwrap_or_default();
        let (mut at, mut read) = (0, 0);
        for (choice, n) in self.action.choices().unwrap_or_default().iter().enumerate() {
            match own.get(choice) {
                Some(options) => {
                    for option in 0..*options {
                        to[at + option] = legal.map_or(1.0, |legal| legal[read + option]);
                    }
                    read += options;
                }
                None => to[at] = 1.0,
            }
            at += n;
        }
    }
}

/// One space of actions, where there is one.
fn join_actions(specs: &[&TaskSpec], pad: bool) -> Option<Space> {
    let spaces: Vec<&Space> = specs.iter().map(|spec| &spec.action_space).collect();
    let first = spaces[0];
    if spaces.iter().all(|space| *space == first) {
        return Some(first.clone());
    }
    let widest = spaces.iter().map(|space| space.width()).max()?;
    let equal = spaces.iter().all(|space| space.width() == widest);
    if spaces.iter().all(|space| matches!(space, Space::Box(_))) {
        // Actions are scaled to the bounds, which each task knows.
        return (pad || equal).then(|| Space::box_f32(&[widest], -1.0, 1.0));
    }
    if !pad {
        return None;
    }
    if spaces.iter().all(|space| matches!(space, Space::MultiBinary { .. })) {
        return Some(Space::MultiBinary { n: widest });
    }
    let choices: Vec<&[usize]> = spaces.iter().map(|space| space.choices()).collect::<Option<_>>()?;
    let longest = choices.iter().map(|own| own.len()).max()?;
    let most = |i: usize| choices.iter().filter_map(|own| own.get(i)).copied().max().unwrap_or(1);
    let nvec: Vec<usize> = (0..longest).map(most).collect();
    let single = spaces.iter().all(|space| matches!(space, Space::Discrete { .. }));
    Some(if single { Space::Discrete { n: nvec[0] } } else { Space::MultiDiscrete { nvec } })
}

/// One space of observations, where there is one, for tasks whose joint actions are known.
fn join_observations(specs: &[&TaskSpec], action: &Space, pad: bool) -> Option<DictSpace> {
    let keys = specs.iter().flat_map(|spec| spec.observation_space.0.keys());
    let keys: std::collections::BTreeSet<&String> =
        keys.filter(|key| *key != DictSpace::ACTION_MASK).collect();
    let mut joint = BTreeMap::new();
    for key in keys {
        let of: Vec<Option<&Space>> = specs.iter().map(|spec| spec.observation_space.0.get(key)).collect();
        joint.insert(key.clone(), join(&of, pad)?);
    }
    let masked = |spec: &&TaskSpec| {
        spec.observation_space.0.contains_key(DictSpace::ACTION_MASK) || spec.action_space != *action
    };
    if action.choices().is_some() && specs.iter().any(masked) {
        let all = specs.iter().all(|spec| spec.observation_space.0.contains_key(DictSpace::ACTION_MASK));
        if !pad && !all {
            return None;
        }
        joint.insert(DictSpace::ACTION_MASK.to_owned(), Space::MultiBinary { n: action.width() });
    }
    Some(DictSpace(joint))
}

/// One space for a key; absent in tasks that do not have it.
fn join(of: &[Option<&Space>], pad: bool) -> Option<Space> {
    let there: Vec<&Space> = of.iter().copied().flatten().collect();
    let (first, missing) = (there[0], there.len() < of.len());
    if !missing && there.iter().all(|space| *space == first) {
        return Some(first.clone());
    }
    let dtype = first.dtype();
    if there.iter().any(|space| space.dtype() != dtype) || (missing && !pad) {
        return None;
    }
    let boxes = there.iter().all(|space| matches!(space, Space::Box(_)));
    let same = there.iter().all(|space| space.shape() == first.shape());
    if !(pad || boxes && same) {
        return None;
    }
    let shape = match (dtype, boxes && same) {
        (_, true) => first.shape(),
        (Dtype::U8, false) => largest(&there)?,
        (Dtype::F32, false) => vec![there.iter().map(|space| space.width()).max()?],
    };
    let len = shape.iter().product();
    if dtype == Dtype::U8 {
        return Some(Space::Box(BoxSpace { shape, low: vec![0.0; len], high: vec![255.0; len], dtype }));
    }
    let (mut low, mut high) = (vec![f32::INFINITY; len], vec![f32::NEG_INFINITY; len]);
    for space in of {
        for i in 0..len {
            let (least, most) = space.and_then(|space| bounds(space, i)).unwrap_or((0.0, 0.0));
            (low[i], high[i]) = (low[i].min(least), high[i].max(most));
        }
    }
    Some(Space::Box(BoxSpace { shape, low, high, dtype }))
}

/// Bounds of an entry of an encoded value, where there is such an entry.
fn bounds(space: &Space, i: usize) -> Option<(f32, f32)> {
    match space {
        Space::Box(b) => Some((*b.low.get(i)?, *b.high.get(i)?)),
        other => (i < other.width()).then_some((0.0, 1.0)),
    }
}

/// The shape that holds all, where they have the same number of dimensions.
fn largest(spaces: &[&Space]) -> Option<Vec<usize>> {
    let mut shape = spaces[0].shape();
    for space in spaces {
        let own = space.shape();
        if own.len() != shape.len() {
            return None;
        }
        shape.iter_mut().zip(own).for_each(|(all, own)| *all = (*all).max(own));
    }
    Some(shape)
}

/// Copies a block into the corner of a larger one with as many dimensions; row-major.
fn place(from: &[u8], shape: &[usize], to: &mut [u8], larger: &[usize]) {
    let Some((row, outer)) = shape.split_last() else { return };
    for (number, values) in from.chunks_exact((*row).max(1)).enumerate() {
        let (mut rest, mut offset, mut stride) = (number, 0, larger[shape.len() - 1]);
        for (i, size) in outer.iter().enumerate().rev() {
            offset += (rest % size) * stride;
            rest /= size;
            stride *= larger[i];
        }
        to[offset..offset + row].copy_from_slice(values);
    }
}
