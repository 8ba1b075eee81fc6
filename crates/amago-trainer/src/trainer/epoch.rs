//! One epoch: collect and learn, in turn or at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use amago_agent::{Agent, UpdateReport};

use super::Trainer;
use crate::faults::replaced;
use crate::learn::{Learned, Learning};
use crate::metrics::{ReplayRecord, TimeRecord};
use crate::{Collector, ContextRefresh, EpochRecord, Event, Mode, Observer, StopFlag, TrainError};

/// How often the progress of the other thread is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A larger share of targets outside the bins is worth a warning: where few steps pay, few targets are large.
const MOST_LEFT: f32 = 0.001;

impl Trainer {
    /// Collects, drops the oldest, learns; what was already done of the epoch is not done again.
    pub(super) fn epoch(
        &mut self,
        epoch: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<EpochRecord, TrainError> {
        let train = self.plan.config.train.clone();
        // Weights that are finished once per epoch, not once per step: a fifth of a step went into
        // σ-reparametrised ones (docs/LOG.md, 2026-11-22, morning, acting over the used slots).
        let policy = self.learner.agent.for_acting();
        // Keys and values of old weights do not belong to queries of new ones. The original keeps them; here
        // that is a setting.
        if let Some(collector) = &mut self.collector
            && train.context_refresh == ContextRefresh::Reencode
        {
            collector.reencode(&policy);
        }
        let after = |first: usize, count: usize| if epoch > first { count } else { 0 };
        let steps = after(train.start_collecting_at_epoch, train.timesteps_per_epoch);
        let updates = after(train.start_learning_at_epoch, train.batches_per_epoch);
        let (steps, updates) =
            (steps.saturating_sub(self.meta.collected), updates.saturating_sub(self.meta.learned));
        match train.mode {
            Mode::Both => self.at_once(&policy, epoch, [steps, updates], stop, observer)?,
            Mode::Alternate | Mode::Learn => {
                self.collect(&policy, steps, stop, observer)?;
                self.learn(epoch, updates, stop, observer)?;
            }
        }
        self.tell_damage(observer);
        let record = self.record(epoch, observer);
        self.tell_bins(record.train.as_ref(), observer);
        self.tell_outliers(observer);
        // An epoch that was cut short is not over: its counters go into the checkpoint, and the rest is done
        // later.
        if !stop.is_set() {
            (self.meta.epoch, self.meta.collected, self.meta.learned) = (epoch, 0, 0);
            self.learned = Learned::default();
            self.collector.iter_mut().for_each(Collector::begin_epoch);
        }
        Ok(record)
    }

    /// What the epoch gave so far, also before the run was stopped and resumed.
    fn record(&mut self, epoch: usize, observer: &mut dyn Observer) -> EpochRecord {
        let steps = self.meta.collected;
        let rollout = self.collector.as_mut().map(|collector| collector.report(steps)).unwrap_or_default();
        if let Some(first) = &rollout.first_fault {
            observer.event(Event::Warning(replaced(rollout.faults, first)));
        }
        if let Some(limit) = rollout.outgrown {
            observer.event(Event::Warning(format!(
                "a running episode outgrew {limit} steps: such episodes are stored in pieces of that length, \
                 or of replay.traj_save_len where it is set"
            )));
        }
        // All epochs count, not the last one: some evaluate and some do not.
        let (wall, learned, epochs) = (self.seconds(), &self.learned, self.plan.config.train.epochs);
        let time = TimeRecord {
            wall,
            left: wall / epoch as f64 * epochs.saturating_sub(epoch) as f64,
            learn: learned.seconds,
            updates_per_second: learned.reports.len() as f64 / learned.seconds.max(1e-9),
            env_steps_per_second: rollout.env_steps as f64 / rollout.seconds.max(1e-9),
        };
        let own = self.data.own.as_ref().map_or(0, |store| store.len());
        EpochRecord {
            epoch,
            env_steps: self.meta.env_steps,
            updates: self.meta.updates,
            rollout,
            train: UpdateReport::mean(&learned.reports),
            batch: learned.batch.clone(),
            skipped_updates: learned.skipped,
            eval: None,
            time,
            replay: ReplayRecord {
                trajectories: self.data.len(),
                transitions: self.data.transitions(),
                policy_age: self.policy_age.mean(own, self.meta.updates),
            },
        }
    }

    fn collect(
        &mut self,
        policy: &Agent,
        steps: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let (Some(collector), Some(store)) = (&mut self.collector, &self.data.own) else { return Ok(()) };
        let before = collector.steps();
        let result = collector.collect(policy, store, steps, stop, observer);
        self.collected(before, self.meta.updates);
        result
    }

    /// Takes in what a policy after so many updates has collected since a step, also where that ended in an error.
    fn collected(&mut self, before: u64, updates: u64) {
        if let (Some(collector), Some(store)) = (&mut self.collector, &self.data.own) {
            let steps = collector.steps() - before;
            self.meta.collected += steps as usize;
            self.meta.env_steps += steps * self.plan.config.train.parallel_actors as u64;
            // Here and not when it was written: what is drawn within an epoch must not depend on how far
            // collecting is.
            let admitted = collector.admit(store);
            self.policy_age.collected(admitted, updates);
            // After all is admitted, so that the limit holds for what the next epoch draws from.
            store.retire();
        }
    }

    fn learn(
        &mut self,
        epoch: usize,
        updates: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        if !self.ready(epoch, observer)? {
            return Ok(());
        }
        let Self { plan, run, data, learner, device, meta, learned, .. } = self;
        Learning { plan, run, data, learner, device, meta, learned }.updates((epoch, updates), stop, observer)
    }

    fn ready(&mut self, epoch: usize, observer: &mut dyn Observer) -> Result<bool, TrainError> {
        if epoch <= self.plan.config.train.start_learning_at_epoch {
            return Ok(false);
        }
        let ready = self.data.begin_epoch(epoch)?;
        if !ready {
            let (have, need) = (self.data.len(), self.plan.config.train.min_trajectories);
            let replay = &self.plan.config.replay;
            let hint = match have == 0 && replay.traj_save_len == 0 && self.data.own.is_some() {
                true => "; no episode has ended yet, and replay.traj_save_len stores pieces of running ones",
                false => "",
            };
            observer.event(Event::Warning(format!(
                "not learning yet: {have} trajectories of {need} stored{hint}"
            )));
        }
        Ok(ready)
    }

    /// Collects on another thread while this one learns. Neither sees what the other does before both are
    /// done, so the result does not depend on which is faster.
    fn at_once(
        &mut self,
        policy: &Agent,
        epoch: usize,
        [steps, updates]: [usize; 2],
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        // Asked before anything is collected: it must not depend on which thread is quicker.
        let updates = if self.ready(epoch, observer)? { updates } else { 0 };
        // What acts are the weights of now, however many updates are made meanwhile.
        let policy_updates = self.meta.updates;
        let before = self.collector.as_ref().map_or(0, Collector::steps);
        let Self { plan, run, data, learner, device, meta, collector, learned, .. } = self;
        let (data, done) = (&*data, AtomicUsize::new(0));
        let (collected, learned) = thread::scope(|scope| {
            // Collecting moves to the other thread, because observers need not be `Send` and learning tells
            // more.
            let collecting = scope.spawn(|| {
                let (Some(collector), Some(store)) = (collector, &data.own) else { return Ok(()) };
                let collected = collector.collect(policy, store, steps, stop, &mut Count(&done));
                // The other half of a run that fails is of no use.
                collected.inspect_err(|_| stop.stop())
            });
            let learning = Learning { plan, run, data, learner, device, meta, learned };
            let learned = learning.updates((epoch, updates), stop, observer).inspect_err(|_| stop.stop());
            while !collecting.is_finished() {
                observer.event(Event::Collect { done: done.load(Ordering::Relaxed), total: steps });
                thread::sleep(LOOK);
            }
            (collecting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), learned)
        });
        self.collected(before, policy_updates);
        collected.and(learned)
    }

    /// Says once that the critics cannot learn what they are to learn: their loss does not tell.
    fn tell_bins(&mut self, report: Option<&UpdateReport>, observer: &mut dyn Observer) {
        let Some(report) = report.filter(|report| !self.bins_told && report.parts.bins_left > MOST_LEFT)
        else {
            return;
        };
        self.bins_told = true;
        let (share, bins) = (100.0 * report.parts.bins_left, &self.plan.config.agent.critic.bins);
        observer.event(Event::Warning(format!(
            "{share:.1} % of the TD targets (mean {:.3e}) are outside agent.critic.bins.min = {} and max = {}, which \
             are in units of the reward times agent.reward_multiplier: widen them",
            report.parts.td_target, bins.min, bins.max
        )));
    }

    /// Names every key of the observation that has absurd values, once.
    fn tell_outliers(&mut self, observer: &mut dyn Observer) {
        for (key, _, columns) in self.plan.spec.obs.vectors() {
            // Empty where nothing is normalised.
            let found: u64 = self.learner.outliers.iter().take(columns.end).skip(columns.start).sum();
            if found > 0 && self.outliers_told.insert(key.to_owned()) {
                observer.event(Event::Warning(format!(
                    "{found} values of the observation {key:?} in the batches so far lie so far from the others that \
                     the input statistics leave them out: only their own timesteps suffer, but the environment may \
                     have a fault"
                )));
            }
        }
    }

    fn tell_damage(&mut self, observer: &mut dyn Observer) {
        let damage = self.data.damage();
        // A damaged file is set aside once and never looked at again: so it is told once.
        for d in damage.iter().skip(self.damage_seen) {
            observer.event(Event::Warning(format!("left out {}: {}", d.path.display(), d.reason)));
        }
        self.damage_seen = damage.len();
    }
}

/// Progress of the thread that collects.
struct Count<'a>(&'a AtomicUsize);

impl Observer for Count<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Collect { done, .. } = event {
            self.0.store(done, Ordering::Relaxed);
        }
    }
}
