//! Steps of many copies in one request and one reply.

use amago_env::{Action, ActionError};

use crate::GymError;
use crate::layout::Layout;
use crate::process::unexpected;
use crate::seat::{Seat, Stepped, Turn};
use crate::wire::{Wire, WireError};

/// Bytes of a request before its body.
pub(crate) const HEAD: usize = 16;

const STEP: u8 = 1;
const RESET: u8 = 2;

const STEPPED: u8 = 1;
const TERMINATED: u8 = 2;
const TRUNCATED: u8 = 4;
const BEGUN: u8 = 8;
const STEP_FAILED: u8 = 16;
const RESET_FAILED: u8 = 32;

/// The request that is being put together, and a buffer for the records of its reply.
#[derive(Debug)]
pub(crate) struct Batch {
    request: Vec<u8>,
    records: Vec<u8>,
    seats: usize,
    /// Bytes of an action and of a record.
    action: usize,
    record: usize,
}

/// Head of a request.
pub(crate) fn head(op: u8, index: usize, number: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0] = op;
    head[4..8].copy_from_slice(&(index as u32).to_le_bytes());
    head[8..].copy_from_slice(&number.to_le_bytes());
    head
}

impl Batch {
    pub fn new(layout: &Layout, seats: usize) -> Result<Self, ActionError> {
        let (action, record) = (layout.action, 16 + 8 * layout.metrics);
        let mut request = vec![0; HEAD + seats * (4 + action + 1)];
        request[..HEAD].copy_from_slice(&head(b'S', 0, 0));
        let mut batch = Self { request, records: vec![0; seats * record], seats, action, record };
        // Lanes of a vectorised environment that nobody plays need a legal action all the same.
        let none = Action::zero(&layout.spec.action_space);
        (0..seats).try_for_each(|i| batch.put(i, &none, layout))?;
        Ok(batch)
    }

    /// Writes the action of a copy.
    ///
    /// # Errors
    /// When it is not in the space.
    pub fn put(&mut self, index: usize, action: &Action, layout: &Layout) -> Result<(), ActionError> {
        let start = HEAD + 4 * self.seats + index * self.action;
        layout.put(action, &mut self.request[start..start + self.action])
    }

    /// The seed that was sent with the step of a copy.
    fn seed(&self, index: usize) -> u32 {
        let seed = &self.request[HEAD + 4 * index..HEAD + 4 * index + 4];
        u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]])
    }

    /// Sends the steps of all copies that are queued.
    ///
    /// # Errors
    /// When the worker does not take it.
    pub fn send(&mut self, wire: &mut Wire, seats: &mut [Seat]) -> Result<(), WireError> {
        let flags = self.request.len() - self.seats;
        for (i, seat) in seats.iter_mut().enumerate() {
            let Turn::Queued { next_seed } = seat.turn else {
                self.request[flags + i] = 0;
                continue;
            };
            let seed = next_seed.unwrap_or_default().to_le_bytes();
            self.request[HEAD + 4 * i..HEAD + 4 * i + 4].copy_from_slice(&seed);
            self.request[flags + i] = STEP | if next_seed.is_some() { RESET } else { 0 };
            seat.turn = Turn::Sent { next_seed };
        }
        wire.write(&self.request)
    }

    /// Takes the reply to [`Batch::send`].
    ///
    /// # Errors
    /// When there is none, or it does not fit what was sent.
    pub fn receive(&mut self, wire: &mut Wire, seats: &mut [Seat]) -> Result<(), WireError> {
        match wire.reply()? {
            b'V' => {}
            kind => return Err(unexpected(kind)),
        }
        let mut records = std::mem::take(&mut self.records);
        let read = wire.read(&mut records).and_then(|()| self.read(wire, seats, &records));
        self.records = records;
        read?;
        wire.done()
    }

    fn read(&self, wire: &mut Wire, seats: &mut [Seat], records: &[u8]) -> Result<(), WireError> {
        let status = |i: usize| records[i * self.record];
        for (i, seat) in seats.iter_mut().enumerate() {
            let Turn::Sent { next_seed } = seat.turn else {
                match status(i) {
                    0 => continue,
                    _ => return Err(WireError::Protocol("stepped a copy without being asked".to_owned())),
                }
            };
            seat.begun = None;
            let record = &records[i * self.record..(i + 1) * self.record];
            let legal = match status(i) & !(TERMINATED | TRUNCATED) {
                STEP_FAILED => status(i) == STEP_FAILED,
                STEPPED => true,
                s if s == STEPPED | BEGUN || s == STEPPED | RESET_FAILED => next_seed.is_some(),
                _ => false,
            };
            if !legal {
                let message = format!("gave a step the unknown status {}", status(i));
                return Err(WireError::Protocol(message));
            }
            if status(i) & STEPPED != 0 {
                seat.turn = Turn::Done(Ok(stepped(record)));
                let metrics = record[16..].chunks_exact(8).map(eight).map(f64::from_le_bytes);
                seat.metrics.iter_mut().zip(metrics).for_each(|(to, from)| *to = from);
                wire.read(&mut seat.row)?; // empty where rows are in memory
            }
        }
        for (i, seat) in seats.iter_mut().enumerate().filter(|(i, _)| status(*i) & BEGUN != 0) {
            wire.read(&mut seat.first)?;
            seat.begun = Some((self.seed(i), Ok(())));
        }
        for (i, seat) in seats.iter_mut().enumerate() {
            if status(i) & STEP_FAILED != 0 {
                seat.turn = Turn::Done(Err(GymError::Raised(wire.text()?)));
            } else if status(i) & RESET_FAILED != 0 {
                let text = wire.text()?;
                seat.begun = Some((self.seed(i), Err(text)));
            }
        }
        Ok(())
    }
}

fn eight(x: &[u8]) -> [u8; 8] {
    [x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]]
}

fn stepped(record: &[u8]) -> Stepped {
    Stepped {
        reward: f64::from_le_bytes(eight(&record[8..16])) as f32,
        terminated: record[0] & TERMINATED != 0,
        truncated: record[0] & TRUNCATED != 0,
        success: match record[1] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}
