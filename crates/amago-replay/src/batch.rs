//! Batches of slices, padded to the longest, with an explicit mask.

use std::sync::Arc;

use amago_env::Column;

use crate::{Layout, Trajectory};

/// A part of a trajectory: transitions `start..stop`, observations `start..=stop`.
#[derive(Debug, Clone)]
pub struct Slice {
    trajectory: Arc<Trajectory>,
    start: usize,
    stop: usize,
}

impl Slice {
    /// Transitions `start..stop` of a trajectory.
    ///
    /// # Panics
    /// When `start..stop` is not a range within the trajectory.
    pub fn new(trajectory: Arc<Trajectory>, start: usize, stop: usize) -> Self {
        assert!(start <= stop && stop <= trajectory.len(), "slice {start}..{stop} of {}", trajectory.len());
        Self { trajectory, start, stop }
    }

    /// Number of transitions.
    pub fn len(&self) -> usize {
        self.stop - self.start
    }

    /// Whether there are no transitions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Plain host data for one update: `B` samples of `L` observations and `L - 1` transitions, all
/// arrays row-major. Padding is zeros (`false` for terminals); only `mask` says what is real.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Samples `B`.
    pub size: usize,
    /// Observations `L` of the longest sample.
    pub len: usize,
    /// Observations in key order, each `B * L * width`.
    pub obs: Vec<Column>,
    /// Previous reward and action, `B * L * (1 + A)`.
    pub rl2s: Vec<f32>,
    /// Step within the episode, `B * L`.
    pub time_idxs: Vec<i64>,
    /// Rewards, `B * (L - 1)`.
    pub rewards: Vec<f32>,
    /// Terminal signals, `B * (L - 1)`. Truncation is not terminal.
    pub terminals: Vec<bool>,
    /// Encoded actions, `B * (L - 1) * A`.
    pub actions: Vec<f32>,
    /// Whether a timestep is real, `B * L`. Transition `i` of a sample is real when timestep
    /// `i + 1` is.
    pub mask: Vec<bool>,
    /// What the columns mean.
    pub layout: Arc<Layout>,
}

impl Batch {
    /// Number of real transitions.
    pub fn transitions(&self) -> usize {
        self.mask.iter().filter(|m| **m).count() - self.size
    }

    fn zeros(layout: Arc<Layout>, size: usize, len: usize) -> Self {
        let (rows, steps) = (size * len, size * (len - 1));
        Self {
            size,
            len,
            obs: layout.columns.iter().map(|c| Column::zeros(c.dtype, rows * c.width)).collect(),
            rl2s: vec![0.0; rows * layout.rl2_width()],
            time_idxs: vec![0; rows],
            rewards: vec![0.0; steps],
            terminals: vec![false; steps],
            actions: vec![0.0; steps * layout.action_width],
            mask: vec![false; rows],
            layout,
        }
    }

    /// Copies one slice into sample `b`.
    fn fill(&mut self, b: usize, slice: &Slice) {
        let (start, stop, n) = (slice.start, slice.stop, slice.len());
        let columns = slice.trajectory.columns();
        let row = b * self.len;
        let step = b * (self.len - 1);
        for ((to, from), spec) in self.obs.iter_mut().zip(&columns.obs).zip(&self.layout.columns) {
            let w = spec.width;
            match (to, from) {
                (Column::F32(to), Column::F32(v)) => {
                    to[row * w..][..(n + 1) * w].copy_from_slice(&v[start * w..(stop + 1) * w])
                }
                (Column::U8(to), Column::U8(v)) => {
                    to[row * w..][..(n + 1) * w].copy_from_slice(&v[start * w..(stop + 1) * w])
                }
                _ => unreachable!("both follow the layout"),
            }
        }
        let w = self.layout.rl2_width();
        slice.trajectory.write_rl2s(start, stop + 1, &mut self.rl2s[row * w..][..(n + 1) * w]);
        for (time, i) in self.time_idxs[row..][..n + 1].iter_mut().zip(start as i64..) {
            *time = columns.start_time + i;
        }
        self.mask[row..][..n + 1].fill(true);
        self.rewards[step..][..n].copy_from_slice(&columns.rewards[start..stop]);
        self.terminals[step..][..n].copy_from_slice(&columns.terminals[start..stop]);
        let a = self.layout.action_width;
        self.actions[step * a..][..n * a].copy_from_slice(&columns.actions[start * a..stop * a]);
    }
}

/// Copies slices into one batch, right-padded to the longest.
///
/// # Panics
/// When there is no slice, or the slices have different layouts.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use amago_replay::{Slice, collate};
/// # use amago_env::{Action, DictSpace, Observation, Space, Step};
/// # let observations = DictSpace::single(Space::box_f32(&[2], -1.0, 1.0));
/// # let mut builder = amago_replay::TrajectoryBuilder::new(&observations, &Space::Discrete { n: 3 });
/// # let obs = Observation::new(&observations);
/// # builder.start(&obs)?;
/// # for _ in 0..3 {
/// #     let step = Step { reward: 1.0, terminated: false, truncated: false };
/// #     builder.push(&Action::Discrete(1), &step, &obs)?;
/// # }
/// # let trajectory = builder.finish();
///
/// // Of a trajectory of three transitions the whole, and the last transition alone.
/// let trajectory = Arc::new(trajectory);
/// let batch = collate(&[Slice::new(trajectory.clone(), 0, 3), Slice::new(trajectory, 2, 3)]);
/// assert_eq!((batch.size, batch.len, batch.transitions()), (2, 4, 4));
/// assert_eq!(batch.mask, [true, true, true, true, true, true, false, false]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn collate(slices: &[Slice]) -> Batch {
    let first = slices.first().expect("collate: no slices");
    let layout = first.trajectory.layout();
    let same = |s: &Slice| Arc::ptr_eq(s.trajectory.layout(), layout) || s.trajectory.layout() == layout;
    assert!(slices.iter().all(same), "collate: slices of different layouts");
    let longest = slices.iter().map(Slice::len).max().unwrap_or(0);
    let mut batch = Batch::zeros(layout.clone(), slices.len(), longest + 1);
    for (b, slice) in slices.iter().enumerate() {
        batch.fill(b, slice);
    }
    batch
}
