//! One copy of the environment inside a worker.

use crate::GymError;
use crate::layout::Layout;

/// What a step gave, besides the observation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stepped {
    pub reward: f32,
    pub terminated: bool,
    pub truncated: bool,
    pub success: Option<bool>,
}

/// One copy, and what is known of it on this side.
#[derive(Debug)]
pub(crate) struct Seat {
    /// It was made, and has not failed since.
    pub made: bool,
    pub turn: Turn,
    /// Its observation after the last step, unless rows are in the worker's memory; as `first`.
    pub row: Vec<u8>,
    /// The numbers from `info` at the last step; NaN where there is none.
    pub metrics: Vec<f64>,
    /// The first observation of an episode.
    pub first: Vec<u8>,
    /// Seed of the episode that the worker has begun already, after the last one's end, and how that went.
    pub begun: Option<(u32, Result<(), String>)>,
}

/// Where a copy is within a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Turn {
    #[default]
    Idle,
    /// Its action waits for those of others.
    Queued { next_seed: Option<u32> },
    /// The worker steps it.
    Sent { next_seed: Option<u32> },
    /// Nobody has asked yet how it went.
    Done(Result<Stepped, GymError>),
}

impl Seat {
    pub fn new(layout: &Layout) -> Self {
        Self {
            made: false,
            turn: Turn::Idle,
            row: Vec::new(),
            metrics: vec![f64::NAN; layout.metrics],
            first: Vec::new(),
            begun: None,
        }
    }

    pub fn is_queued(&self) -> bool {
        matches!(self.turn, Turn::Queued { .. })
    }
}
