//! Where slices of trajectories begin and end, and drawing batches from a store.

use amago_env::Rng;
use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;

use crate::{Batch, ReplayError, Slice, Store, collate};

/// Which start indices a slice of a longer trajectory may have, each with the same chance.
///
/// Without padding every slice is full, but the steps near the ends of a trajectory are in fewer
/// slices than those in its middle. Padding allows slices that begin before the trajectory or end
/// after it; the part outside is cut off, so these slices are shorter. Of `n` transitions and slices of
/// `l < n`, a start is drawn from the range below; transition `t` is in the slices that begin in
/// `t - l + 1..=t`. A trajectory of no more than `l` transitions is always taken whole.
///
/// The ranges of the original end one earlier where slices may end late: its slices never begin at the last
/// transition, so slices of one never hold it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Only full slices: starts `0..=n - l`.
    #[default]
    None,
    /// Slices may stick out on both sides, and every transition has the same chance: starts `1 - l..=n - 1`.
    Both,
    /// Slices may begin early: starts `1 - l..=n - l`. The first transitions have the same chance as those in the
    /// middle, the last `l - 1` a smaller one.
    Left,
    /// Slices may end late: starts `0..=n - 1`. The last transitions have the same chance as those in the middle,
    /// the first `l - 1` a smaller one.
    Right,
}

/// The transitions `start..stop` of a slice that begins at `start`, possibly before the trajectory,
/// cut to a trajectory of `len` transitions. The slice's observations are `start..=stop`.
pub fn slice_bounds(start: i64, len: usize, max_seq_len: usize) -> (usize, usize) {
    // The stop index comes before the clamp: a slice that begins early is shorter.
    let stop = start.saturating_add(to_i64(max_seq_len));
    let clamp = |i: i64| usize::try_from(i).unwrap_or(0).min(len);
    (clamp(start), clamp(stop))
}

/// Draws a slice of at most `max_seq_len` transitions: `(start, stop)`, transitions `start..stop`.
///
/// A trajectory that is not longer than the slice is taken whole and draws nothing from `rng`.
///
/// # Panics
/// When `max_seq_len` is zero.
pub fn slice_start(len: usize, max_seq_len: usize, padding: Padding, rng: &mut Rng) -> (usize, usize) {
    assert!(max_seq_len > 0, "slice_start: max_seq_len is zero");
    if len <= max_seq_len {
        return (0, len);
    }
    let (n, l) = (to_i64(len), to_i64(max_seq_len));
    let start = rng.random_range(match padding {
        Padding::None => 0..=n - l,
        Padding::Both => 1 - l..=n - 1,
        Padding::Left => 1 - l..=n - l,
        Padding::Right => 0..=n - 1,
    });
    slice_bounds(start, len, max_seq_len)
}

/// Lengths of data in memory are far below the limit.
fn to_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Store {
    /// Draws a batch from this store alone: see [`sample_mixture`].
    ///
    /// # Errors
    /// As [`sample_mixture`].
    ///
    /// # Panics
    /// When `batch_size` or `max_seq_len` is zero.
    pub fn sample_batch(
        &self,
        batch_size: usize,
        max_seq_len: usize,
        padding: Padding,
        rng: &mut Rng,
    ) -> Result<Batch, ReplayError> {
        sample_mixture(&[(self, 1.0)], (batch_size, max_seq_len), padding, rng)
    }

    fn sample(&self, max_seq_len: usize, padding: Padding, rng: &mut Rng) -> Result<Slice, ReplayError> {
        let trajectory = self.config().relabel.relabel(self.draw(rng)?, rng)?;
        let (start, stop) = slice_start(trajectory.len(), max_seq_len, padding, rng);
        Ok(Slice::new(trajectory, start, stop))
    }
}

/// Draws a batch from several stores of equal layout. Each sample is independent: a store, by its weight;
/// one of its trajectories, uniformly from the FIFO and protected ones together, relabelled as the store's
/// config says; a slice of that. A single store draws nothing from `rng` for its choice.
///
/// The same generator state and the same stored trajectories give the same batch, whatever the caches
/// hold. While it runs, the trajectories of the batch are in memory.
///
/// # Errors
/// When a chosen store is empty or nothing readable is left in it, a trajectory cannot be relabelled, or a
/// file cannot be read for a reason that is not damage.
///
/// # Panics
/// When there is no store, the weights are not numbers of at least zero with a sum above it, `batch_size` or
/// `max_seq_len` is zero.
pub fn sample_mixture(
    stores: &[(&Store, f64)],
    (batch_size, max_seq_len): (usize, usize),
    padding: Padding,
    rng: &mut Rng,
) -> Result<Batch, ReplayError> {
    let choice = WeightedIndex::new(stores.iter().map(|(_, weight)| *weight)).expect("usable weights");
    let draw = |_| {
        let i = if stores.len() > 1 { choice.sample(rng) } else { 0 };
        stores[i].0.sample(max_seq_len, padding, rng)
    };
    Ok(collate(&(0..batch_size).map(draw).collect::<Result<Vec<_>, ReplayError>>()?))
}
