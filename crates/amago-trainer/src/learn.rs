//! The learning half of an epoch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use amago_agent::{BatchReport, Learner, RandomDraws, TrainBatch, UpdateReport};
use amago_env::{Column, Role, rng, stream_seed};
use amago_replay::{Batch, ReplayError};
use burn::tensor::Device;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::checkpoint::CheckpointMeta;
use crate::data::Data;
use crate::prefetch::prefetch;
use crate::{BadUpdate, Event, Observer, Plan, RunDir, StopFlag, TrainError, train_batch};

/// What learning works on.
pub(crate) struct Learning<'a> {
    pub plan: &'a Plan,
    pub run: &'a RunDir,
    pub data: &'a Data,
    pub learner: &'a mut Learner,
    /// With autodiff.
    pub device: &'a Device,
    pub meta: &'a mut CheckpointMeta,
    pub learned: &'a mut Learned,
}

/// What the updates of the running epoch gave so far.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Learned {
    /// One per update that was used.
    pub reports: Vec<UpdateReport>,
    /// Updates that could not be used.
    pub skipped: u64,
    /// The batch of the last of them; of no use to a later process.
    #[serde(skip)]
    pub batch: BatchReport,
    /// Seconds that they took.
    pub seconds: f64,
}

impl Learning<'_> {
    /// Makes `updates` updates, or fewer when asked to stop. The batch of the next one is drawn meanwhile; batches are
    /// those that would be drawn one after the other, because nothing that they depend on changes within an epoch.
    ///
    /// # Errors
    /// When nothing can be drawn, or an update cannot be used and is not to be skipped.
    pub fn updates(
        mut self,
        (epoch, updates): (usize, usize),
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        self.learner.limit = self.plan.config.train.loss_limit;
        // Drawn on another thread, which cannot have what an update changes.
        let (plan, data, device, first) = (self.plan, self.data, self.device, self.counter());
        // The copy to the device is part of it, so that it overlaps with the update before, too.
        let draw = |counter| {
            draw(plan, data, epoch, counter).map(|batch| train_batch(batch, &plan.spec.obs, device))
        };
        let result = prefetch(first..first + updates as u64, draw, |batches| {
            for (done, batch) in (1..=updates).zip(batches) {
                if stop.is_set() {
                    break;
                }
                let report = self.update(batch?);
                // The learner counts what it used: no more than before, so it refused this batch.
                if self.learner.updates == self.meta.updates {
                    let warning = self.bad_update(epoch, &report)?;
                    self.meta.skipped += 1;
                    self.learned.skipped += 1;
                    observer.event(Event::Warning(warning));
                    continue;
                }
                self.meta.updates += 1;
                observer.event(Event::Learn { done, total: updates, loss: report.loss });
                self.learned.reports.push(report);
            }
            self.learned.batch = self.learner.last_batch().unwrap_or_default();
            Ok(())
        });
        self.learned.seconds += start.elapsed().as_secs_f64();
        result
    }

    /// Number of the next update, from 0. A skipped update is not tried again.
    fn counter(&self) -> u64 {
        self.meta.updates + self.meta.skipped
    }

    fn update(&mut self, batch: TrainBatch) -> UpdateReport {
        // By the number of the update alone, not by what was drawn before: a run that was resumed draws the
        // same.
        self.device.seed(stream_seed(self.plan.config.seed, Role::Learner, 0, self.counter()));
        let report = self.learner.update(&batch, &mut RandomDraws);
        // A refused update is spent: an epoch has as many tries as updates.
        self.meta.learned += 1;
        report
    }

    /// What to say of an update that changed nothing, unless it is to stop the run. The first batch of that kind is
    /// saved. It is drawn again, so that good ones need not be kept: it is another one only where a damaged file was
    /// set aside in the meantime.
    fn bad_update(&self, epoch: usize, report: &UpdateReport) -> Result<String, TrainError> {
        let (update, loss, grad_norm) = (self.counter() + 1, report.loss, report.grad_norm);
        let save = || {
            let batch = draw(self.plan, self.data, epoch, self.counter())?;
            save_batch(&batch, &self.run.bad_batches(), update)
        };
        let text = format!("update {update} skipped: loss {loss}, gradient norm {grad_norm}");
        match self.plan.config.train.bad_update {
            BadUpdate::Stop => Err(TrainError::BadUpdate { update, loss, grad_norm, batch: save()? }),
            // One batch is enough to find the cause; a run that goes wrong would fill the disk.
            BadUpdate::Skip if self.meta.skipped == 0 => {
                Ok(format!("{text}; its batch is in {}", save()?.display()))
            }
            BadUpdate::Skip => Ok(text),
        }
    }
}

/// The batch of an update: a function of its number and of what is stored.
fn draw(plan: &Plan, data: &Data, epoch: usize, counter: u64) -> Result<Batch, ReplayError> {
    data.sample(plan, epoch, &mut rng(plan.config.seed, Role::Replay, 0, counter))
}

/// Writes a batch as tensors by name, `[B, L, …]` as in [`Batch`].
fn save_batch(batch: &Batch, dir: &Path, update: u64) -> Result<PathBuf, TrainError> {
    // Little-endian by the rules of the format.
    let floats = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let bools = |values: &[bool]| values.iter().map(|x| u8::from(*x)).collect::<Vec<u8>>();
    let (b, l) = (batch.size, batch.len);
    let a = batch.layout.action_width;
    let times = batch.time_idxs.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::from([
        ("rl2s".to_owned(), (Dtype::F32, vec![b, l, 1 + a], floats(&batch.rl2s))),
        ("time_idxs".to_owned(), (Dtype::I64, vec![b, l], times)),
        ("rewards".to_owned(), (Dtype::F32, vec![b, l - 1], floats(&batch.rewards))),
        ("terminals".to_owned(), (Dtype::BOOL, vec![b, l - 1], bools(&batch.terminals))),
        ("actions".to_owned(), (Dtype::F32, vec![b, l - 1, a], floats(&batch.actions))),
        ("mask".to_owned(), (Dtype::BOOL, vec![b, l], bools(&batch.mask))),
    ]);
    for (spec, column) in batch.layout.columns.iter().zip(&batch.obs) {
        let (dtype, bytes) = match column {
            Column::F32(values) => (Dtype::F32, floats(values)),
            Column::U8(values) => (Dtype::U8, values.clone()),
        };
        let shape = [&[b, l], &spec.shape[..]].concat();
        tensors.insert(format!("obs.{}", spec.key), (dtype, shape, bytes));
    }
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("the lengths of a batch fit"))
    });
    std::fs::create_dir_all(dir).map_err(TrainError::io(dir))?;
    let file = dir.join(format!("update-{update:08}.safetensors"));
    let fail = |e: safetensors::SafeTensorError| TrainError::io(&file)(std::io::Error::other(e));
    let bytes = safetensors::serialize(views, None).map_err(fail)?;
    crate::files::write(&file, &bytes).map_err(TrainError::io(&file))?;
    Ok(file)
}
