//! The loop: evaluate, collect, drop, learn, checkpoint.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Instant;

use amago_agent::Learner;
use amago_env::{Role, stream_seed};
use burn::module::Module;
use burn::tensor::Device;

use crate::checkpoint::{Checkpoint, CheckpointMeta, RunState};
use crate::data::Data;
use crate::evaluate::run_episodes;
use crate::learn::Learned;
use crate::metrics::PolicyAge;
use crate::{
    Collector, Episodes, EpochRecord, EvalReport, Event, MetricsLog, Mode, Observer, Plan, Play, RunDir,
    StopFlag, TrainError, evaluate,
};

mod epoch;
mod save;

/// A run in progress. One per process: Burn's random generator belongs to the backend, so two runs at
/// once are correct but not repeatable.
pub struct Trainer {
    plan: Plan,
    run: RunDir,
    /// No other process works on the folder: two would remove each other's checkpoints and trajectories.
    _lock: File,
    learner: Learner,
    /// Absent where the run only learns.
    collector: Option<Collector>,
    data: Data,
    metrics: MetricsLog,
    policy_age: PolicyAge,
    /// With autodiff, for learning; its plain twin runs rollouts.
    device: Device,
    meta: CheckpointMeta,
    best: Option<f64>,
    start: Instant,
    /// Seconds before `start`, in earlier processes.
    earlier: f64,
    damage_seen: usize,
    /// What learning gave in the running epoch.
    learned: Learned,
    /// That targets leave the bins was told.
    bins_told: bool,
    /// Keys of the observation whose outliers were told of.
    outliers_told: BTreeSet<String>,
    /// An epoch whose evaluation was cut short.
    unevaluated: Option<EpochRecord>,
    /// What a resumed run has to say before it goes on.
    notes: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Somebody asked to stop before the end.
    pub stopped: bool,
    /// The last evaluation; absent when stopped, and where there is no environment to evaluate in.
    pub eval: Option<EvalReport>,
    /// Where the run stood.
    pub meta: CheckpointMeta,
    /// Seconds, those of earlier processes included.
    pub seconds: f64,
}

impl Trainer {
    /// Builds networks, environments, replay and logs in a fresh run folder.
    ///
    /// # Errors
    /// When the folder, the store or an environment cannot be set up.
    pub fn new(plan: Plan, run: RunDir, device: &Device) -> Result<Self, TrainError> {
        let lock = amago_replay::lock(run.path())?;
        let device = device.clone().autodiff();
        let learner = fresh(&plan, &device)?;
        let data = Data::open(&plan, &run, None)?;
        let collector = (plan.config.train.mode != Mode::Learn)
            .then(|| Collector::new(&plan, &learner.agent.valid(), &device.clone().inner()))
            .transpose()?;
        let metrics = MetricsLog::create(&run.metrics_file(), &device)?;
        Ok(Self { collector, ..Self::idle(plan, (run, lock), device, learner, data, metrics) })
    }

    /// Puts the networks of a checkpoint in place of the fresh ones, to go on from them in another run. Optimiser,
    /// counters and schedules begin anew.
    ///
    /// # Errors
    /// When the networks are others.
    pub fn init_from(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.learner.agent = checkpoint.load_agent(self.learner.agent.clone())?;
        Ok(())
    }

    /// A run that has done nothing yet and collects nothing.
    fn idle(
        plan: Plan,
        (run, lock): (RunDir, File),
        device: Device,
        learner: Learner,
        data: Data,
        metrics: MetricsLog,
    ) -> Self {
        Self {
            plan,
            run,
            _lock: lock,
            learner,
            collector: None,
            data,
            metrics,
            policy_age: PolicyAge::default(),
            device,
            meta: CheckpointMeta::default(),
            best: None,
            start: Instant::now(),
            earlier: 0.0,
            damage_seen: 0,
            learned: Learned::default(),
            bins_told: false,
            outliers_told: BTreeSet::new(),
            unevaluated: None,
            notes: Vec::new(),
        }
    }

    /// Goes on from the newest whole checkpoint of a run folder as if nothing had happened: on the CPU the
    /// weights become those of a run that was never interrupted, bit for bit. Without any checkpoint the run
    /// begins anew.
    ///
    /// # Errors
    /// As [`Trainer::new`], and when the checkpoint is not that of the plan.
    pub fn resume(plan: Plan, run: RunDir, device: &Device) -> Result<Self, TrainError> {
        let lock = amago_replay::lock(run.path())?;
        let device = device.clone().autodiff();
        let learner = fresh(&plan, &device)?;
        let mut notes = Vec::new();
        let (learner, meta, state) = match Checkpoint::newest_if_any(&run.checkpoints())? {
            None => (learner, CheckpointMeta::default(), RunState::default()),
            Some((checkpoint, damaged)) => {
                notes.extend(damaged.iter().map(ToString::to_string));
                notes.push(format!("going on from {}", checkpoint.path().display()));
                let state = checkpoint.load_state()?.unwrap_or_default();
                (checkpoint.load_learner(learner)?, checkpoint.meta, state)
            }
        };
        let data = Data::open(&plan, &run, Some((&state.replay, state.ready_since)))?;
        let agent = learner.agent.valid();
        let host = device.clone().inner();
        let collector = match (&data.own, state.collector) {
            (None, _) => None,
            (Some(_), None) => Some(Collector::new(&plan, &agent, &host)?),
            (Some(store), Some(saved)) => {
                let missing = store.open_report().missing;
                if missing > 0 {
                    notes.push(format!("{missing} trajectories of the checkpoint are gone"));
                }
                let (collector, restarted) = Collector::resume(&plan, &agent, &host, store, saved)?;
                if !restarted.is_empty() {
                    notes
                        .push(format!("environments {restarted:?} cannot go on: other episodes begin there"));
                }
                Some(collector)
            }
        };
        // The line of an epoch without its evaluation is written again.
        let told = meta.epoch - usize::from(state.unevaluated.is_some()).min(meta.epoch);
        let (metrics, lost) = MetricsLog::resume(&run.metrics_file(), told, &device)?;
        notes.extend(lost);
        Ok(Self {
            collector,
            policy_age: state.policy_age,
            meta,
            best: state.best,
            earlier: state.seconds,
            learned: state.learned,
            unevaluated: state.unevaluated,
            notes,
            ..Self::idle(plan, (run, lock), device, learner, data, metrics)
        })
    }

    /// Trains until the last epoch or until asked to stop. In both cases, and when an environment or
    /// the loss fails, everything learned and collected so far is on disk afterwards.
    ///
    /// # Errors
    /// When an environment, the disk or the loss fails.
    pub fn run(&mut self, stop: &StopFlag, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        for note in self.plan.warnings().iter().cloned().chain(self.notes.drain(..)) {
            observer.event(Event::Warning(note));
        }
        let result = self.epochs(stop, observer);
        // Save first: what failed is an environment or the loss, and hours of learning must not go with it.
        let saved = self.checkpoint(observer);
        let eval = result?;
        saved?;
        Ok(Outcome { stopped: stop.is_set(), eval, meta: self.meta, seconds: self.seconds() })
    }

    fn epochs(
        &mut self,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<Option<EvalReport>, TrainError> {
        let epochs = self.plan.config.train.epochs;
        let mut last = None;
        if let Some(record) = self.unevaluated.take() {
            last = self.conclude(record, true, stop, observer)?;
        }
        for epoch in self.meta.epoch + 1..=epochs {
            if stop.is_set() {
                return Ok(None);
            }
            let record = self.epoch(epoch, stop, observer)?;
            if self.meta.epoch < epoch {
                self.metrics.epoch(&record)?;
                return Ok(None);
            }
            let due = epoch % self.plan.config.eval.interval == 0 || epoch == epochs;
            last = self.conclude(record, due, stop, observer)?;
            if stop.is_set() {
                return Ok(None);
            }
            if epoch % self.plan.config.train.checkpoint_interval == 0 && epoch != epochs {
                self.checkpoint(observer)?;
            }
        }
        // A run that was finished before has nothing left to do but to show what it can.
        match last {
            None => self.evaluate(epochs, stop, observer),
            last => Ok(last),
        }
    }

    /// Evaluates an epoch that is due, and writes its line.
    fn conclude(
        &mut self,
        mut record: EpochRecord,
        due: bool,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<Option<EvalReport>, TrainError> {
        if due {
            record.eval = self.evaluate(record.epoch, stop, observer)?;
        }
        self.metrics.epoch(&record)?;
        observer.event(Event::Epoch(&record));
        let report = record.eval.clone();
        self.unevaluated = (due && report.is_none() && self.plan.is_playable()).then_some(record);
        Ok(report)
    }

    /// The report of a whole evaluation: one that was cut short cannot be compared with the others. None where there is
    /// no environment.
    fn evaluate(
        &mut self,
        epoch: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<Option<EvalReport>, TrainError> {
        if !self.plan.is_playable() {
            return Ok(None);
        }
        let agent = self.learner.agent.valid();
        let who = Play::Agent {
            agent: &agent,
            context: self.plan.config.train.max_seq_len,
            actions: self.plan.config.eval.actions,
            device: &self.device.clone().inner(),
        };
        let saved = run_episodes(&self.plan, &self.run)?;
        let episodes = Episodes { save: saved.as_ref(), ..Episodes::of(&self.plan) };
        let report = evaluate(&self.plan, &who, &episodes, stop, observer)?;
        if report.returns.len() < self.plan.config.eval.episodes {
            return Ok(None);
        }
        observer.event(Event::Evaluated { epoch, report: &report });
        if self.best.is_none_or(|best| report.return_mean > best) {
            self.best = Some(report.return_mean);
            Checkpoint::save(&self.run.best(), &self.learner, self.meta, None, 1)?;
        }
        Ok(Some(report))
    }

    fn seconds(&self) -> f64 {
        self.earlier + self.start.elapsed().as_secs_f64()
    }
}

/// Networks and optimiser before the first update.
fn fresh(plan: &Plan, device: &Device) -> Result<Learner, TrainError> {
    plan.check_memory(device)?;
    plan.set_precision(device)?;
    device.seed(stream_seed(plan.config.seed, Role::Init, 0, 0));
    Ok(plan.learner(plan.agent(device)))
}
