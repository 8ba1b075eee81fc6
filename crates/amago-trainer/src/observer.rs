//! Progress, and the wish to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{EpochRecord, EvalReport};

/// Something that happened in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Steps done of an epoch's collecting.
    Collect {
        /// Steps so far.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// Updates done of an epoch's learning.
    Learn {
        /// Updates so far.
        done: usize,
        /// Updates in all.
        total: usize,
        /// Loss of the last update.
        loss: f32,
    },
    /// Episodes done of an evaluation.
    Evaluate {
        /// Episodes so far.
        done: usize,
        /// Episodes in all.
        total: usize,
    },
    /// An evaluation's result.
    Evaluated {
        /// The epoch it was done in.
        epoch: usize,
        /// The result.
        report: &'a EvalReport,
    },
    /// An epoch is over.
    Epoch(&'a EpochRecord),
    /// A checkpoint is safe on disk.
    Checkpoint(&'a Path),
    /// Something that does not stop the run.
    Warning(String),
}

/// Receives the events of a run.
pub trait Observer {
    /// Called for each event, often: must be quick.
    fn event(&mut self, event: Event<'_>);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: Event<'_>) {}
}

/// Asks a run to stop at the next safe point. Clones share the wish.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks to stop.
    pub fn stop(&self) {
        // The flag alone is looked at, again and again: nothing else has to be seen with it.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
