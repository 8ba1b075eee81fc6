//! Requests for a single copy, and the beginning and end of the process.

use std::time::Duration;

use super::{Common, Group, Inner, lost};
use crate::GymError;
use crate::batch::head;
use crate::layout::Layout;
use crate::process::{Process, unexpected};
use crate::seat::Turn;
use crate::wire::{MAX_BYTES, MAX_TEXT, WireError};

/// Bytes of the observations of a step from which on they are in memory: what the socket takes in one piece.
const IN_MEMORY: usize = 1 << 15;

impl Group {
    pub(super) fn begin(&self, inner: &mut Inner, index: usize, seed: u32) -> Result<(), GymError> {
        self.make(inner, index)?;
        self.ask(inner, &head(b'R', index, seed.into()), &[], self.common.limit())?;
        let Inner { process: Some(process), seats, memory, .. } = inner else { return Err(lost(inner)) };
        let read = match memory {
            None => process.wire.read(&mut seats[index].first).and_then(|()| process.wire.done()),
            Some(_) => process.wire.done(),
        };
        read.map_err(|e| self.lose(inner, e, self.common.limit()))
    }

    /// Makes the copy, and starts the worker, where that is still to be done.
    fn make(&self, inner: &mut Inner, index: usize) -> Result<(), GymError> {
        if inner.process.is_none() {
            self.start_process(inner)?;
        }
        if !inner.seats[index].made {
            self.call(inner, b'M', index, self.common.start_limit()).map_err(|e| match e {
                GymError::Raised(text) => GymError::Make(text),
                other => other,
            })?;
            inner.seats[index].made = true;
        }
        Ok(())
    }

    fn start_process(&self, inner: &mut Inner) -> Result<(), GymError> {
        inner.lost.clone().map_or(Ok(()), Err)?;
        let Common { id, config, layout } = &*self.common;
        let started =
            Process::start(config, id, self.number).and_then(|(process, hello)| {
                match Layout::read(&layout.spec.name, &hello, config)? == *layout {
                    true => Ok(process),
                    false => {
                        Err(GymError::Spaces("the environment has other spaces than at first".to_owned()))
                    }
                }
            });
        match started {
            Ok(process) => inner.process = Some(process),
            Err(e) => {
                inner.lost = Some(e.clone());
                self.places().lost = true;
                return Err(e);
            }
        }
        inner.seats[0].made = true;
        self.make_room(inner)
    }

    /// Tells the worker how many copies it will have, and settles where observations are.
    pub(super) fn make_room(&self, inner: &mut Inner) -> Result<(), GymError> {
        let (n, row) = (inner.seats.len(), self.common.layout.row);
        let limit = self.common.start_limit();
        inner.memory = None;
        if cfg!(target_os = "linux") && n.saturating_mul(row) >= IN_MEMORY {
            self.ask(inner, &head(b'Z', n, 1), &[], limit)?;
            let number = self.payload(inner, 4)?;
            if let Ok(number) = <[u8; 4]>::try_from(number)
                && let Some(process) = &inner.process
            {
                inner.memory = process.open(u32::from_le_bytes(number)).ok();
            }
            if inner.memory.is_some() {
                return Ok(());
            }
        }
        // Buffers of the size of the declared spaces, and no other.
        let full = |buffer: &mut Vec<u8>| buffer.resize(row, 0);
        inner.seats.iter_mut().for_each(|seat| [&mut seat.row, &mut seat.first].into_iter().for_each(full));
        self.ask(inner, &head(b'Z', n, 0), &[], limit)?;
        self.payload(inner, 0).map(drop)
    }

    /// A request whose reply has nothing in it.
    pub(super) fn call(
        &self,
        inner: &mut Inner,
        op: u8,
        index: usize,
        limit: Duration,
    ) -> Result<(), GymError> {
        self.ask(inner, &head(op, index, 0), &[], limit)?;
        self.payload(inner, 0).map(drop)
    }

    /// Sends a request and reads the head of its reply: the kind. An exception of the environment is an error.
    fn ask(&self, inner: &mut Inner, head: &[u8], body: &[u8], limit: Duration) -> Result<u8, GymError> {
        self.collect(inner)?;
        let Some(process) = &mut inner.process else { return Err(lost(inner)) };
        let wire = &mut process.wire;
        let asked = wire.set_limit(limit).and_then(|()| {
            wire.write(head)?;
            wire.write(body)?;
            let kind = wire.reply()?;
            wire.set_limit(self.common.limit())?;
            Ok(kind)
        });
        let expected: &[u8] = match head.first() {
            Some(b'R') => b"OE",
            Some(b'D') => b"BNE",
            Some(b'G' | b'T') => b"BE",
            _ => b"KE",
        };
        match asked {
            Ok(b'E') => {
                let text = self.payload(inner, MAX_TEXT)?;
                Err(GymError::Raised(String::from_utf8_lossy(&text).into_owned()))
            }
            Ok(kind) if expected.contains(&kind) => Ok(kind),
            Ok(kind) => Err(self.lose(inner, unexpected(kind), limit)),
            Err(e) => Err(self.lose(inner, e, limit)),
        }
    }

    fn payload(&self, inner: &mut Inner, limit: usize) -> Result<Vec<u8>, GymError> {
        let Some(process) = &mut inner.process else { return Err(lost(inner)) };
        process.wire.payload(limit).map_err(|e| self.lose(inner, e, self.common.limit()))
    }

    /// The copy's picture, as width, height and bytes behind each other.
    ///
    /// # Errors
    /// When the copy or the worker failed.
    pub fn draw(&self, index: usize) -> Result<Option<Vec<u8>>, GymError> {
        let mut inner = self.lock();
        match self.ask(&mut inner, &head(b'D', index, 0), &[], self.common.limit())? {
            b'B' => self.payload(&mut inner, MAX_BYTES).map(Some),
            _ => self.payload(&mut inner, 0).map(|_| None),
        }
    }

    /// Seconds that a step of a copy takes, by a few random ones.
    ///
    /// # Errors
    /// When it cannot be stepped.
    pub fn time(&self) -> Result<f64, GymError> {
        let mut inner = self.lock();
        self.ask(&mut inner, &head(b'T', 0, 0), &[], self.common.start_limit())?;
        let seconds = self.payload(&mut inner, 8)?;
        let seconds = <[u8; 8]>::try_from(seconds).map(f64::from_le_bytes);
        seconds
            .ok()
            .filter(|s| *s >= 0.0)
            .ok_or_else(|| self.lose(&mut inner, unexpected(b'B'), self.common.limit()))
    }

    /// The copy's state.
    ///
    /// # Errors
    /// When the copy or the worker failed.
    pub fn save(&self, index: usize) -> Result<Vec<u8>, GymError> {
        let mut inner = self.lock();
        self.ask(&mut inner, &head(b'G', index, 0), &[], self.common.limit())?;
        self.payload(&mut inner, MAX_BYTES)
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// When the copy or the worker failed.
    pub fn load(&self, index: usize, state: &[u8]) -> Result<(), GymError> {
        let mut inner = self.lock();
        self.make(&mut inner, index)?;
        (inner.seats[index].turn, inner.seats[index].begun) = (Turn::Idle, None);
        self.ask(&mut inner, &head(b'P', index, state.len() as u64), state, self.common.limit())?;
        self.payload(&mut inner, 0).map(drop)
    }

    /// Gives the worker up.
    pub(super) fn lose(&self, inner: &mut Inner, error: WireError, limit: Duration) -> GymError {
        if let Some(mut process) = inner.process.take() {
            inner.lost = Some(GymError::Lost(process.give_up(error, limit)));
            self.places().lost = true;
        }
        inner.pending = false;
        lost(inner)
    }
}
