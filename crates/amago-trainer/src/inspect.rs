//! What a trained agent thinks of the trajectories of its replay, as JSON lines.

mod lines;
mod recording;

use std::io::Write;

use amago_agent::{Agent, RandomDraws, inspect};
use amago_env::{Role, rng, stream_seed};
use amago_replay::{Slice, Store, collate};
use burn::tensor::Device;
use lines::{Columns, Header, Lines, Piece, line};
pub use recording::{Recording, Shot, record};

use crate::data::open_dataset;
use crate::{CheckpointMeta, Plan, RunDir, StopFlag, TrainError, train_batch};

/// Means over all timesteps that were inspected; values are for the acting discount, in units of the
/// multiplied reward.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct InspectSummary {
    /// Trajectories.
    pub trajectories: usize,
    /// Timesteps of those.
    pub steps: usize,
    /// Share of actions with a positive weight, over all discounts.
    pub filter_pass: f64,
    /// `Q(s, a)` of the actions taken.
    pub q: f64,
    /// `Q(s, a) − V(s)`.
    pub advantage: f64,
    /// Standard deviation of `Q(s, a)` over the critics.
    pub q_std: f64,
    /// Standard deviation of `Q(s, a) − V(s)` over the critics.
    pub advantage_std: f64,
}

/// An agent and the replay of its run. Trajectories are taken as they happened, without relabelling, and cut
/// into slices of `train.max_seq_len` transitions: as in training, a slice knows nothing of what was
/// before it.
pub struct Inspection<'a> {
    plan: &'a Plan,
    agent: &'a Agent,
    device: &'a Device,
    store: Store,
}

impl<'a> Inspection<'a> {
    /// Opens the replay of a run for an agent on a device without autodiff. Files that the store finds
    /// damaged are left out.
    ///
    /// # Errors
    /// When the agent trains no critics, or the run has no replay, or one of other spaces.
    pub fn new(
        run: &RunDir,
        plan: &'a Plan,
        agent: &'a Agent,
        device: &'a Device,
    ) -> Result<Self, TrainError> {
        if !plan.config.agent.uses_critic() {
            return Err(TrainError::NoCritics);
        }
        let folder = run.replay();
        if !folder.is_dir() {
            return Err(TrainError::NoReplay(folder));
        }
        let store = open_dataset(&folder, plan)?;
        Ok(Self { plan, agent, device, store })
    }

    /// The replay.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Writes a header line, which names every field with its shape and unit, and one line per timestep of
    /// `n` trajectories drawn with a seed, or of all when there are fewer. Asked to stop, it ends after
    /// whole lines.
    ///
    /// # Errors
    /// When no trajectory can be read, or the lines cannot be written.
    pub fn write(
        &self,
        meta: CheckpointMeta,
        (n, seed): (usize, u64),
        stop: &StopFlag,
        out: &mut dyn Write,
    ) -> Result<InspectSummary, TrainError> {
        let ids = self.store.sample_ids(n, &mut rng(seed, Role::Replay, 1, 0))?;
        line(out, &Header::new(&self.plan.config, meta))?;
        let mut lines = Lines::new(out);
        let (size, len) = (self.plan.config.train.batch_size, self.plan.config.train.max_seq_len);
        let (mut waiting, mut batches) = (Vec::new(), 0);
        for (i, id) in ids.iter().enumerate() {
            if let Some(trajectory) = self.store.get(*id)? {
                lines.summary.trajectories += 1;
                for start in (0..trajectory.len()).step_by(len) {
                    let end = trajectory.len().min(start + len);
                    waiting.push(Piece { number: id.number, trajectory: trajectory.clone(), start, end });
                }
            }
            // Full batches across trajectories: many are shorter than a slice.
            while waiting.len() >= size || (i + 1 == ids.len() && !waiting.is_empty()) {
                if stop.is_set() {
                    return Ok(lines.finish());
                }
                let pieces: Vec<Piece> = waiting.drain(..waiting.len().min(size)).collect();
                // Keyed by the batch, so that the same question has the same answer.
                self.device.seed(stream_seed(seed, Role::Learner, 1, batches));
                batches += 1;
                lines.pieces(&pieces, &self.values(&pieces)?)?;
            }
        }
        if lines.summary.trajectories == 0 {
            // The damaged ones are no longer in the store: either it is empty now, or others are whole.
            self.store.sample_ids(1, &mut rng(seed, Role::Replay, 1, 0))?;
        }
        Ok(lines.finish())
    }

    fn values(&self, pieces: &[Piece]) -> Result<Columns, TrainError> {
        let slice = |p: &Piece| Slice::new(p.trajectory.clone(), p.start, p.end);
        let batch = collate(&pieces.iter().map(slice).collect::<Vec<_>>());
        let batch = train_batch(batch, &self.plan.spec.obs, self.device);
        let report = inspect(self.agent, &self.plan.config.agent, &batch, &mut RandomDraws);
        report.map(Columns::new).ok_or(TrainError::NoCritics)
    }
}
