//! The loop: evaluate, collect, drop, learn, checkpoint.

use std::time::Instant;

use amago_agent::{GradNorms, Learner, LossReport, RandomDraws, UpdateReport};
use amago_env::{Role, rng, stream_seed};
use amago_replay::Store;
use burn::module::Module;
use burn::tensor::Device;

use crate::checkpoint::{Checkpoint, CheckpointMeta};
use crate::metrics::{PolicyAge, ReplayRecord, TimeRecord};
use crate::{
    Collector, ContextRefresh, EpochRecord, EvalReport, Event, MetricsLog, Observer, Plan, Play, RunDir,
    StopFlag, TrainError, evaluate, train_batch,
};

/// A run in progress. One per process: Burn's random generator belongs to the backend, so two runs at
/// once are correct but not repeatable.
pub struct Trainer {
    plan: Plan,
    run: RunDir,
    learner: Learner,
    collector: Collector,
    store: Store,
    metrics: MetricsLog,
    policy_age: PolicyAge,
    /// With autodiff, for learning; its plain twin runs rollouts.
    device: Device,
    meta: CheckpointMeta,
    start: Instant,
    damage_seen: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Somebody asked to stop before the end.
    pub stopped: bool,
    /// The last evaluation; absent when stopped.
    pub eval: Option<EvalReport>,
    /// Where the run stood.
    pub meta: CheckpointMeta,
    /// Seconds.
    pub seconds: f64,
}

impl Trainer {
    /// Builds networks, environments, replay and logs in a fresh run folder.
    ///
    /// # Errors
    /// When the folder, the store or an environment cannot be set up.
    pub fn new(plan: Plan, run: RunDir, device: &Device) -> Result<Self, TrainError> {
        let config = &plan.config;
        let device = device.clone().autodiff();
        device.seed(stream_seed(config.seed, Role::Init, 0, 0));
        let agent = plan.agent(&device);
        let learner = plan.learner(agent);
        let store = Store::open(run.replay(), config.replay.store())?;
        let metrics = MetricsLog::create(&run.metrics_file(), &device)?;
        let collector = Collector::new(&plan, &learner.agent.valid(), &device.clone().inner())?;
        let meta = CheckpointMeta::default();
        Ok(Self {
            plan,
            run,
            learner,
            collector,
            store,
            metrics,
            policy_age: PolicyAge::default(),
            device,
            meta,
            start: Instant::now(),
            damage_seen: 0,
        })
    }

    /// Trains until the last epoch or until asked to stop. In both cases, and when an environment or
    /// the loss fails, everything learned and collected so far is on disk afterwards.
    ///
    /// # Errors
    /// When an environment, the disk or the loss fails.
    pub fn run(&mut self, stop: &StopFlag, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let result = self.epochs(stop, observer);
        // Save first, whatever happened; then report what happened.
        let flushed = self.collector.flush(&self.store);
        let saved = self.checkpoint(observer);
        let eval = result?;
        flushed?;
        saved?;
        let seconds = self.start.elapsed().as_secs_f64();
        Ok(Outcome { stopped: stop.is_set(), eval, meta: self.meta, seconds })
    }

    fn epochs(
        &mut self,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<Option<EvalReport>, TrainError> {
        let epochs = self.plan.config.train.epochs;
        let mut last = None;
        for epoch in 1..=epochs {
            let mut record = self.epoch(epoch, stop, observer)?;
            if stop.is_set() {
                self.metrics.epoch(&record)?;
                return Ok(None);
            }
            if epoch % self.plan.config.eval.interval == 0 || epoch == epochs {
                let report = self.evaluate(stop, observer)?;
                // One that was cut short cannot be compared with the others.
                if report.returns.len() == self.plan.config.eval.episodes {
                    observer.event(Event::Evaluated { epoch, report: &report });
                    last = Some(report.clone());
                    record.eval = Some(report);
                }
            }
            self.metrics.epoch(&record)?;
            observer.event(Event::Epoch(&record));
            if stop.is_set() {
                return Ok(None);
            }
            if epoch % self.plan.config.train.checkpoint_interval == 0 && epoch != epochs {
                self.checkpoint(observer)?;
            }
        }
        Ok(last)
    }

    /// Collects, drops the oldest, learns.
    fn epoch(
        &mut self,
        epoch: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<EpochRecord, TrainError> {
        let train = self.plan.config.train.clone();
        let policy = self.learner.agent.valid();
        if train.context_refresh == ContextRefresh::Reencode {
            self.collector.reencode(&policy);
        }
        let work = (epoch, train.timesteps_per_epoch);
        let stored = self.store.len();
        let rollout = self.collector.collect(&policy, &self.store, work, stop, observer)?;
        self.policy_age.collected(self.store.len().saturating_sub(stored), self.meta.updates);
        self.store.enforce_limit()?;
        self.meta.env_steps += rollout.env_steps as u64;
        let learning = Instant::now();
        let reports = self.learn(train.batches_per_epoch, stop, observer)?;
        let learn = learning.elapsed().as_secs_f64();
        self.meta.epoch = epoch;
        let wall = self.start.elapsed().as_secs_f64();
        let time = TimeRecord {
            wall,
            left: wall / epoch as f64 * train.epochs.saturating_sub(epoch) as f64,
            learn,
            updates_per_second: reports.len() as f64 / learn.max(1e-9),
            env_steps_per_second: rollout.env_steps as f64 / rollout.seconds.max(1e-9),
        };
        Ok(EpochRecord {
            epoch,
            env_steps: self.meta.env_steps,
            updates: self.meta.updates,
            rollout,
            train: mean_report(&reports),
            eval: None,
            time,
            replay: ReplayRecord {
                trajectories: self.store.len(),
                transitions: self.store.transitions(),
                policy_age: self.policy_age.mean(self.store.len(), self.meta.updates),
            },
        })
    }

    fn learn(
        &mut self,
        updates: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<Vec<UpdateReport>, TrainError> {
        let config = &self.plan.config;
        let mut reports = Vec::with_capacity(updates);
        if !self.store.is_ready(config.train.min_trajectories) {
            let (have, need) = (self.store.len(), config.train.min_trajectories);
            observer.event(Event::Warning(format!("not learning yet: {have} trajectories of {need} stored")));
            return Ok(reports);
        }
        while reports.len() < updates && !stop.is_set() {
            let counter = self.meta.updates;
            let mut draws = rng(config.seed, Role::Replay, 0, counter);
            let (size, len) = (config.train.batch_size, config.train.max_seq_len);
            let batch = self.store.sample_batch(size, len, config.replay.padding, &mut draws)?;
            let batch = train_batch(batch, &self.plan.spec.obs, &self.device);
            self.device.seed(stream_seed(config.seed, Role::Learner, 0, counter));
            let report = self.learner.update(&batch, &mut RandomDraws);
            let (loss, grad_norm) = (report.loss, report.grad_norm);
            if !(loss.is_finite() && grad_norm.is_finite()) {
                return Err(TrainError::NotFinite { update: counter + 1, loss, grad_norm });
            }
            self.meta.updates += 1;
            observer.event(Event::Learn { done: reports.len() + 1, total: updates, loss: report.loss });
            reports.push(report);
        }
        let damage = self.store.damage();
        for d in &damage[self.damage_seen..] {
            observer.event(Event::Warning(format!("set aside {}: {}", d.path.display(), d.reason)));
        }
        self.damage_seen = damage.len();
        Ok(reports)
    }

    fn evaluate(&self, stop: &StopFlag, observer: &mut dyn Observer) -> Result<EvalReport, TrainError> {
        let agent = self.learner.agent.valid();
        let who = Play::Agent {
            agent: &agent,
            context: self.plan.config.train.max_seq_len,
            greedy: self.plan.config.eval.greedy,
            device: &self.device.clone().inner(),
        };
        evaluate(&self.plan, &who, stop, observer)
    }

    fn checkpoint(&self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let keep = self.plan.config.train.keep_checkpoints;
        let path = Checkpoint::save(&self.run.checkpoints(), &self.learner, self.meta, keep)?;
        observer.event(Event::Checkpoint(&path));
        Ok(())
    }
}

/// Means over the updates of an epoch; the learning rate is the last one.
fn mean_report(reports: &[UpdateReport]) -> Option<UpdateReport> {
    let last = reports.last()?;
    let n = reports.len() as f32;
    let mean = |f: &dyn Fn(&UpdateReport) -> f32| reports.iter().map(f).sum::<f32>() / n;
    Some(UpdateReport {
        loss: mean(&|r| r.loss),
        grad_norm: mean(&|r| r.grad_norm),
        grad_norms: GradNorms {
            tstep_encoder: mean(&|r| r.grad_norms.tstep_encoder),
            traj_encoder: mean(&|r| r.grad_norms.traj_encoder),
            actor: mean(&|r| r.grad_norms.actor),
            critics: mean(&|r| r.grad_norms.critics),
        },
        learning_rate: last.learning_rate,
        parts: LossReport {
            actor_loss: mean(&|r| r.parts.actor_loss),
            critic_loss: mean(&|r| r.parts.critic_loss),
            entropy: mean(&|r| r.parts.entropy),
            q_value: mean(&|r| r.parts.q_value),
            td_target: mean(&|r| r.parts.td_target),
            advantage: mean(&|r| r.parts.advantage),
            filter_pass: mean(&|r| r.parts.filter_pass),
            q_std: mean(&|r| r.parts.q_std),
            advantage_std: mean(&|r| r.parts.advantage_std),
        },
    })
}
