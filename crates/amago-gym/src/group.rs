//! One worker process and the copies in it.

mod request;

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use amago_env::{Action, EnvError};

use crate::batch::Batch;
use crate::layout::{Layout, Row};
use crate::process::Process;
use crate::seat::{Seat, Stepped, Turn};
use crate::{GymConfig, GymError};

/// What all workers of one environment have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// Without the prefix.
    pub id: String,
    pub config: GymConfig,
    pub layout: Layout,
}

impl Common {
    fn start_limit(&self) -> Duration {
        Duration::from_secs_f64(self.config.start_timeout)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs_f64(self.config.timeout)
    }
}

/// A worker that several environments share.
#[derive(Debug)]
pub(crate) struct Group {
    common: Arc<Common>,
    /// Number of the worker.
    number: usize,
    /// Never held while anybody waits for the worker.
    places: Mutex<Places>,
    inner: Mutex<Inner>,
}

/// Which copies are played.
#[derive(Debug)]
struct Places {
    taken: Vec<bool>,
    /// The worker is gone.
    lost: bool,
}

#[derive(Debug)]
struct Inner {
    process: Option<Process>,
    seats: Vec<Seat>,
    batch: Batch,
    /// Where the worker writes observations, if not into its replies.
    memory: Option<File>,
    /// Steps were sent, and the reply was not read yet.
    pending: bool,
    /// The worker is gone, for this reason.
    lost: Option<GymError>,
}

impl Inner {
    fn queued(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_queued()).count()
    }
}

impl Group {
    /// Room for `seats` copies in a worker that is started when it is needed, or that is there already; then it is told
    /// whether its first copy can be played.
    ///
    /// # Errors
    /// When the worker cannot be made to have so many.
    pub fn new(
        common: Arc<Common>,
        number: usize,
        seats: usize,
        process: Option<(Process, bool)>,
    ) -> Result<Self, EnvError> {
        let (process, made) = process.map_or((None, false), |(process, made)| (Some(process), made));
        let mut seat: Vec<_> = (0..seats).map(|_| Seat::new(&common.layout)).collect();
        seat.iter_mut().take(1).for_each(|first| first.made = made);
        let batch = Batch::new(&common.layout, seats)?;
        let inner = Inner { process, seats: seat, batch, memory: None, pending: false, lost: None };
        let places = Mutex::new(Places { taken: vec![false; seats], lost: false });
        let group = Self { common, number, places, inner: Mutex::new(inner) };
        if group.lock().process.is_some() {
            group.make_room(&mut group.lock()).map_err(EnvError::from)?;
        }
        Ok(group)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic of another environment of the group is told of there.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many copies are played, and how many there are; absent where the worker is gone.
    pub fn occupation(&self) -> Option<(usize, usize)> {
        let places = self.places();
        let taken = places.taken.iter().filter(|taken| **taken).count();
        (!places.lost).then_some((taken, places.taken.len()))
    }

    /// Gives a free copy.
    pub fn take(&self) -> Option<usize> {
        let mut places = self.places();
        let index = places.taken.iter().position(|taken| !taken).filter(|_| !places.lost)?;
        places.taken[index] = true;
        Some(index)
    }

    /// Gives it back; one that failed is made again when it is taken next. Where the worker is gone, tells how many
    /// copies it had.
    pub fn free(&self, index: usize, failed: bool) -> Option<usize> {
        let mut inner = self.lock();
        self.places().taken[index] = false;
        let seat = &mut inner.seats[index];
        seat.made &= !failed;
        if let Turn::Queued { .. } = seat.turn {
            seat.turn = Turn::Idle;
        }
        inner.lost.is_some().then_some(inner.seats.len())
    }

    /// Gives the process away once nobody plays a copy, so that it may have more of them, and whether the first can be
    /// played.
    pub fn close(&self) -> Option<(Process, bool)> {
        let mut inner = self.lock();
        inner.lost = Some(GymError::Lost("was ended because nobody needed it".to_owned()));
        self.places().lost = true;
        let made = inner.seats.first().is_some_and(|seat| seat.made);
        inner.process.take().map(|process| (process, made))
    }

    /// Queues a step, and sends the batch once it has the steps of all copies that are played.
    pub fn start(&self, index: usize, action: &Action, next_seed: u32) -> bool {
        let mut inner = self.lock();
        if inner.lost.is_some() || inner.process.is_none() || inner.seats[index].turn != Turn::Idle {
            return false;
        }
        if self.queue(&mut inner, index, action, Some(next_seed)).is_err() {
            return false;
        }
        if self.occupation().is_some_and(|(taken, _)| inner.queued() == taken) {
            // What goes wrong is told by the step.
            let _ = self.send(&mut inner);
        }
        true
    }

    fn queue(
        &self,
        inner: &mut Inner,
        index: usize,
        action: &Action,
        next_seed: Option<u32>,
    ) -> Result<(), EnvError> {
        inner.batch.put(index, action, &self.common.layout)?;
        inner.seats[index].turn = Turn::Queued { next_seed };
        Ok(())
    }

    /// Sends what is queued, unless somebody is at work here anyway.
    pub fn flush(&self) {
        match self.inner.try_lock() {
            // Where a reply is still to be read, it would have to be waited for.
            Ok(mut inner) if !inner.pending => {
                // What goes wrong is told by the steps.
                let _ = self.send(&mut inner);
            }
            Ok(_) | Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => {}
        }
    }

    fn send(&self, inner: &mut Inner) -> Result<(), GymError> {
        if inner.queued() == 0 {
            return Ok(());
        }
        self.collect(inner)?;
        let Inner { process: Some(process), batch, seats, .. } = inner else {
            return Err(lost(inner));
        };
        match batch.send(&mut process.wire, seats) {
            Ok(()) => {
                inner.pending = true;
                Ok(())
            }
            Err(e) => Err(self.lose(inner, e, self.common.limit())),
        }
    }

    /// Reads the reply to the steps that were sent.
    fn collect(&self, inner: &mut Inner) -> Result<(), GymError> {
        if !std::mem::take(&mut inner.pending) {
            return inner.lost.clone().map_or(Ok(()), Err);
        }
        let Inner { process: Some(process), batch, seats, .. } = inner else {
            return Err(lost(inner));
        };
        batch.receive(&mut process.wire, seats).map_err(|e| self.lose(inner, e, self.common.limit()))
    }

    /// Whether the copy's step waits to be sent. Where it was not announced, it is queued now.
    ///
    /// # Errors
    /// When the action is not legal or the worker is gone.
    pub fn prepare(&self, index: usize, action: &Action) -> Result<bool, EnvError> {
        let mut inner = self.lock();
        if inner.seats[index].turn == Turn::Idle {
            inner.lost.clone().map_or(Ok(()), Err)?;
            self.queue(&mut inner, index, action, None)?;
        }
        Ok(inner.seats[index].is_queued())
    }

    /// Waits for a step that was queued or sent, and shows its observation and metrics to `read`.
    ///
    /// # Errors
    /// When the copy or the worker failed, or `read` did.
    pub fn finish(
        &self,
        index: usize,
        read: impl FnOnce(Row<'_>, &[f64]) -> Result<(), EnvError>,
    ) -> Result<Stepped, EnvError> {
        let mut inner = self.lock();
        if inner.seats[index].is_queued() {
            self.send(&mut inner)?;
        }
        if matches!(inner.seats[index].turn, Turn::Sent { .. }) {
            self.collect(&mut inner)?;
        }
        match std::mem::take(&mut inner.seats[index].turn) {
            Turn::Done(Ok(stepped)) => {
                let (seat, row) = (&inner.seats[index], self.row(&inner, index, false));
                read(row, &seat.metrics).map(|()| stepped)
            }
            Turn::Done(Err(e)) => Err(e.into()),
            _ => Err(lost(&inner).into()),
        }
    }

    /// Starts an episode, unless the worker has begun it already, and shows its observation to `read`.
    ///
    /// # Errors
    /// When the copy or the worker failed, or `read` did.
    pub fn reset(
        &self,
        index: usize,
        seed: u32,
        read: impl FnOnce(Row<'_>) -> Result<(), EnvError>,
    ) -> Result<(), EnvError> {
        let mut inner = self.lock();
        if matches!(inner.seats[index].turn, Turn::Sent { .. }) {
            self.collect(&mut inner)?;
        }
        inner.seats[index].turn = Turn::Idle;
        match inner.seats[index].begun.take() {
            Some((begun, outcome)) if begun == seed => outcome.map_err(GymError::Raised)?,
            _ => self.begin(&mut inner, index, seed)?,
        }
        read(self.row(&inner, index, true))
    }

    /// The observation of a copy after its last step, or its last reset.
    fn row<'a>(&self, inner: &'a Inner, index: usize, first: bool) -> Row<'a> {
        let seat = &inner.seats[index];
        match &inner.memory {
            None => Row::Bytes(if first { &seat.first } else { &seat.row }),
            Some(file) => {
                let place = if first { inner.seats.len() + index } else { index };
                Row::Memory(file, (place * self.common.layout.row) as u64)
            }
        }
    }
}

fn lost(inner: &Inner) -> GymError {
    inner.lost.clone().unwrap_or_else(|| GymError::Lost("is not there".to_owned()))
}
