//! Which part of an observation an encoder reads, and how.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::{GoalConfig, ModelError, ObsKind, ObsLayout, ObsTensors};

/// The settings that choose observation keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    /// `obs_keys`.
    pub chosen: Option<&'a [String]>,
    /// `goal`.
    pub goal: Option<&'a GoalConfig>,
}

impl Keys<'_> {
    /// Refuses unknown keys, a goal that is an image and a goal that is read twice.
    pub fn validate(&self, obs: &ObsLayout) -> Result<(), ModelError> {
        for key in self.chosen.into_iter().flatten() {
            obs.find("obs_keys", key)?;
        }
        let Some(goal) = self.goal.map(GoalConfig::key) else { return Ok(()) };
        if let ObsKind::Image(_) = obs.find("goal.key", goal)? {
            return Err(ModelError::GoalImage(goal.to_owned()));
        }
        match self.chosen {
            Some(chosen) if chosen.iter().any(|key| key == goal) => {
                Err(ModelError::GoalTwice(goal.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a key is read other than as the goal.
    fn reads(&self, key: &str) -> bool {
        self.chosen.is_none_or(|chosen| chosen.iter().any(|k| k == key))
            && self.goal.is_none_or(|goal| goal.key() != key)
    }

    /// Columns of the vectors that are read.
    pub fn columns(&self, obs: &ObsLayout) -> Columns {
        Columns::new(obs.vectors().filter(|(key, ..)| self.reads(key)).map(|(_, _, columns)| columns))
    }

    /// The images that are read.
    pub fn images(&self, obs: &ObsLayout) -> Vec<(String, [usize; 3])> {
        let read = obs.images().filter(|(key, _)| self.reads(key));
        read.map(|(key, shape)| (key.to_owned(), shape)).collect()
    }
}

/// Columns of [`ObsTensors::vectors`]; neighbours are one range.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns(Vec<Range<usize>>);

impl Columns {
    /// The given ranges, which ascend.
    pub fn new(ranges: impl IntoIterator<Item = Range<usize>>) -> Self {
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in ranges {
            match merged.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => merged.push(range),
            }
        }
        Self(merged)
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// The columns of an observation, in parts `[B, L, …]`.
    pub fn of(&self, obs: &ObsTensors) -> Vec<Tensor<3>> {
        let Some(all) = &obs.vectors else { return Vec::new() };
        self.0.iter().map(|columns| all.clone().slice_dim(2, columns.clone())).collect()
    }

    /// What was found of each column, `[width]`, as figures of all columns of the observation; zero for the others.
    pub fn spread(&self, found: Tensor<1>, obs: &ObsTensors) -> Option<Tensor<1>> {
        let all = obs.vectors.as_ref()?.dims()[2];
        let gap = |from: usize, to: usize| Tensor::zeros([to - from], &found.device());
        let (mut parts, mut end, mut taken) = (Vec::new(), 0, 0);
        for columns in &self.0 {
            parts.extend((columns.start > end).then(|| gap(end, columns.start)));
            parts.push(found.clone().narrow(0, taken, columns.len()));
            (end, taken) = (columns.end, taken + columns.len());
        }
        parts.extend((all > end).then(|| gap(end, all)));
        Some(Tensor::cat(parts, 0))
    }
}

/// What an encoder sees of the previous reward and action.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hide {
    /// Neither.
    pub rl2s: bool,
    /// Not the reward.
    pub rewards: bool,
}

impl Hide {
    /// Zeros in place of what is hidden; `rl2s` is `[B, L, 1+A]`, the reward first.
    pub fn apply(self, rl2s: Tensor<3>) -> Tensor<3> {
        let [b, l, _] = rl2s.dims();
        match (self.rl2s, self.rewards) {
            (true, _) => rl2s.zeros_like(),
            (false, true) => rl2s.slice_fill([0..b, 0..l, 0..1], 0.0),
            (false, false) => rl2s,
        }
    }
}
