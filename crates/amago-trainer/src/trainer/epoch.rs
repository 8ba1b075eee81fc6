//! One epoch: collect and learn, in turn or at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use amago_agent::{Agent, UpdateReport};

use super::Trainer;
use crate::faults::replaced;
use crate::learn::{Learned, Learning};
use crate::metrics::{ReplayRecord, TimeRecord};
use crate::{CollectReport, ContextRefresh, EpochRecord, Event, Mode, Observer, StopFlag, TrainError};

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
        let policy = self.learner.agent.for_acting();
        if let Some(collector) = &mut self.collector
            && train.context_refresh == ContextRefresh::Reencode
        {
            collector.reencode(&policy);
        }
        let steps = train.timesteps_per_epoch.saturating_sub(self.meta.collected);
        let updates = train.batches_per_epoch.saturating_sub(self.meta.learned);
        let (collected, learned, learn_seconds) = match train.mode {
            Mode::Both => self.at_once(&policy, epoch, (steps, updates), stop, observer)?,
            Mode::Alternate | Mode::Learn => {
                let collected = self.collect(&policy, steps, stop, observer)?;
                let start = Instant::now();
                let learned = self.learn(epoch, updates, stop, observer)?;
                (collected, learned, start.elapsed().as_secs_f64())
            }
        };
        if !stop.is_set() {
            (self.meta.epoch, self.meta.collected, self.meta.learned) = (epoch, 0, 0);
        }
        self.tell_damage(observer);
        let train_report = UpdateReport::mean(&learned.reports);
        self.tell_bins(train_report.as_ref(), observer);
        self.tell_outliers(observer);
        let wall = self.seconds();
        let time = TimeRecord {
            wall,
            left: wall / epoch as f64 * train.epochs.saturating_sub(epoch) as f64,
            learn: learn_seconds,
            updates_per_second: learned.reports.len() as f64 / learn_seconds.max(1e-9),
            env_steps_per_second: collected.env_steps as f64 / collected.seconds.max(1e-9),
        };
        let own = self.data.own.as_ref().map_or(0, |store| store.len());
        Ok(EpochRecord {
            epoch,
            env_steps: self.meta.env_steps,
            updates: self.meta.updates,
            rollout: collected,
            train: train_report,
            batch: learned.batch,
            skipped_updates: learned.skipped,
            eval: None,
            time,
            replay: ReplayRecord {
                trajectories: self.data.len(),
                transitions: self.data.transitions(),
                policy_age: self.policy_age.mean(own, self.meta.updates),
            },
        })
    }

    fn collect(
        &mut self,
        policy: &Agent,
        steps: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<CollectReport, TrainError> {
        let (Some(collector), Some(store)) = (&mut self.collector, &self.data.own) else {
            return Ok(CollectReport::default());
        };
        let report = collector.collect(policy, store, steps, stop, observer)?;
        self.collected(&report, self.meta.updates, observer);
        Ok(report)
    }

    /// Takes in what a policy after so many updates has collected.
    fn collected(&mut self, report: &CollectReport, updates: u64, observer: &mut dyn Observer) {
        if let Some(first) = &report.first_fault {
            observer.event(Event::Warning(replaced(report.faults, first)));
        }
        if let Some(limit) = report.outgrown {
            observer.event(Event::Warning(format!(
                "a running episode outgrew {limit} steps: such episodes are stored in pieces of that length, \
                 or of replay.traj_save_len where it is set"
            )));
        }
        self.meta.collected += report.env_steps / self.plan.config.train.parallel_actors;
        self.meta.env_steps += report.env_steps as u64;
        if let (Some(collector), Some(store)) = (&mut self.collector, &self.data.own) {
            let admitted = collector.admit(store);
            self.policy_age.collected(admitted, updates);
            store.retire();
        }
    }

    fn learn(
        &mut self,
        epoch: usize,
        updates: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<Learned, TrainError> {
        if !self.ready(epoch, observer)? {
            return Ok(Learned::default());
        }
        let Self { plan, run, data, learner, device, meta, .. } = self;
        Learning { plan, run, data, learner, device, meta }.updates((epoch, updates), stop, observer)
    }

    fn ready(&mut self, epoch: usize, observer: &mut dyn Observer) -> Result<bool, TrainError> {
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
        (steps, updates): (usize, usize),
        stop: &StopFlag,
        observer: &mut dyn Observer,
    ) -> Result<(CollectReport, Learned, f64), TrainError> {
        let updates = if self.ready(epoch, observer)? { updates } else { 0 };
        let policy_updates = self.meta.updates;
        let Self { plan, run, data, learner, device, meta, collector, .. } = self;
        let (data, done) = (&*data, AtomicUsize::new(0));
        let (collected, learned, seconds) = thread::scope(|scope| {
            let collecting = scope.spawn(|| {
                let (Some(collector), Some(store)) = (collector, &data.own) else {
                    return Ok(CollectReport::default());
                };
                let collected = collector.collect(policy, store, steps, stop, &mut Count(&done));
                // The other half of a run that fails is of no use.
                collected.inspect_err(|_| stop.stop())
            });
            let start = Instant::now();
            let learning = Learning { plan, run, data, learner, device, meta };
            let learned = learning.updates((epoch, updates), stop, observer).inspect_err(|_| stop.stop());
            let seconds = start.elapsed().as_secs_f64();
            while !collecting.is_finished() {
                observer.event(Event::Collect { done: done.load(Ordering::Relaxed), total: steps });
                thread::sleep(LOOK);
            }
            let collected = collecting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (collected, learned, seconds)
        });
        let collected = collected?;
        self.collected(&collected, policy_updates, observer);
        Ok((collected, learned?, seconds))
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
