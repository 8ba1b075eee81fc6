//! What goes over the socket between this process and a worker.
//!
//! All numbers are little-endian. The worker first gets its own source and its config, each behind four bytes of length,
//! and answers with one reply. From then on every request has one reply.
//!
//! A **request** is an operation (one byte), three bytes of padding, the number of a copy (u32), a number (u64), and:
//!
//! | op | number | body | reply |
//! |---|---|---|---|
//! | `M` make a copy | | | `K` |
//! | `R` reset a copy | seed | | `O`: one row |
//! | `S` step copies | | a seed (u32) for each copy, an action for each, flags (u8) for each: 1 step it, 2 where that ends the episode, reset it with the seed | `V` |
//! | `D` draw a copy | | | `B`: width, height (u32 each), bytes, or `N` |
//! | `T` time a step of the first copy | | | `B`: seconds (f64) |
//! | `G` get the state of a copy | | | `B`: bytes |
//! | `P` put the state of a copy | bytes | bytes | `K` |
//! | `Z` make room for as many copies as the number of the copy says | 1: rows in memory, 0: in replies | | `K`: number of a file (u32), where rows are in memory |
//!
//! A **reply** is a kind (one byte), the length of what follows (u32), and that. Instead of the reply in the table there
//! may be `E` (the copy failed) or, as the first reply, `X` (the environment cannot be made), both with a text; `.` may come
//! before any reply and says that the worker is getting on. The first reply is `H` with JSON.
//!
//! `V` has a record for each copy (status, success, six bytes of padding, reward as f64, metrics as f64), then a row for
//! each copy that was stepped, then one for each that was reset, then for each that failed a length (u32) and a text.
//!
//! A **row** is one observation: its columns one after the other, without gaps. Large ones are not in replies but in a
//! file that is memory of the worker, where this process finds it by its number: the rows after steps of all copies, then
//! those after resets. A row stays there until the same copy is stepped, or reset, again. Over the socket a row larger than
//! a piece of its buffer would wake the reader once for each piece.
//!
//! A process that dies of a signal writes its traceback to the socket as it is: it begins with `Fatal`. One that gets
//! SIGUSR1 writes where it is, which begins with `Stack`.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest text: tracebacks.
pub(crate) const MAX_TEXT: usize = 1 << 16;
/// Longest description of an environment, whose bounds may be one number for each pixel.
pub(crate) const MAX_HELLO: usize = 1 << 26;
/// Longest image or state.
pub(crate) const MAX_BYTES: usize = 1 << 28;
/// What is read at once.
const CHUNK: usize = 1 << 16;

/// Why there is no reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// The other end is closed.
    Ended,
    /// It was, after this traceback.
    Fatal(String),
    /// Nothing came in time.
    TimedOut,
    /// Something that is no reply.
    Protocol(String),
}

impl From<io::Error> for WireError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => WireError::TimedOut,
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => WireError::Ended,
            _ => WireError::Protocol(format!("cannot be spoken to: {e}")),
        }
    }
}

/// One end of the socket.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: UnixStream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes left of the reply that is being read.
    left: usize,
}

impl Wire {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: vec![0; CHUNK].into(), start: 0, end: 0, left: 0 }
    }

    /// Sets how long the other end may be silent.
    pub fn set_limit(&self, limit: Duration) -> Result<(), WireError> {
        self.stream.set_read_timeout(Some(limit))?;
        Ok(self.stream.set_write_timeout(Some(limit))?)
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Says that no request will follow.
    pub fn close(&self) {
        // An error means that the other end is gone already.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Reads the head of the next reply: its kind. What follows is read by [`Wire::read`] and [`Wire::payload`].
    pub fn reply(&mut self) -> Result<u8, WireError> {
        loop {
            let mut head = [0; 5];
            self.read_raw(&mut head)?;
            if head == *b"Fatal" {
                return Err(WireError::Fatal(self.last_words(&head)));
            }
            let [kind, length @ ..] = head;
            self.left = u32::from_le_bytes(length) as usize;
            if kind != b'.' {
                return Ok(kind);
            }
            if self.left > 0 {
                return Err(WireError::Protocol("sent a sign of life with something in it".to_owned()));
            }
        }
    }

    /// Takes the next bytes of the reply.
    pub fn read(&mut self, out: &mut [u8]) -> Result<(), WireError> {
        let short = || WireError::Protocol("sent a reply that is shorter than its content".to_owned());
        self.left = self.left.checked_sub(out.len()).ok_or_else(short)?;
        self.read_raw(out)
    }

    /// Takes the rest of the reply, which may be of any length up to a limit. Memory grows with what arrives.
    pub fn payload(&mut self, limit: usize) -> Result<Vec<u8>, WireError> {
        if self.left > limit {
            let message = format!("sent a reply of {} bytes, {limit} are allowed", self.left);
            return Err(WireError::Protocol(message));
        }
        self.part(self.left)
    }

    /// Takes the next bytes of the reply into a new buffer.
    fn part(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        let mut out = Vec::new();
        while out.len() < length {
            let start = out.len();
            out.resize(length.min(start + CHUNK), 0);
            self.read(&mut out[start..])?;
        }
        Ok(out)
    }

    /// Takes a text with its length before it.
    pub fn text(&mut self) -> Result<String, WireError> {
        let mut length = [0; 4];
        self.read(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_TEXT {
            return Err(WireError::Protocol(format!(
                "sent a text of {length} bytes, {MAX_TEXT} are allowed"
            )));
        }
        Ok(String::from_utf8_lossy(&self.part(length)?).into_owned())
    }

    /// Refuses a reply that is longer than its content.
    pub fn done(&self) -> Result<(), WireError> {
        match self.left {
            0 => Ok(()),
            left => Err(WireError::Protocol(format!("sent a reply with {left} bytes too many"))),
        }
    }

    fn read_raw(&mut self, mut out: &mut [u8]) -> Result<(), WireError> {
        while !out.is_empty() {
            if self.start == self.end {
                if out.len() >= CHUNK {
                    let n = self.receive(None, out)?;
                    out = &mut out[n..];
                    continue;
                }
                let mut buffer = std::mem::take(&mut self.buffer);
                let got = self.receive(None, &mut buffer);
                self.buffer = buffer;
                (self.start, self.end) = (0, got?);
            }
            let n = out.len().min(self.end - self.start);
            out[..n].copy_from_slice(&self.buffer[self.start..self.start + n]);
            self.start += n;
            out = &mut out[n..];
        }
        Ok(())
    }

    fn receive(&mut self, deadline: Option<Instant>, out: &mut [u8]) -> Result<usize, WireError> {
        loop {
            match self.stream.read(out) {
                Ok(0) => return Err(WireError::Ended),
                Ok(n) => return Ok(n),
                Err(e)
                    if e.kind() == ErrorKind::Interrupted && deadline.is_none_or(|d| Instant::now() < d) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Everything that still comes within a moment, after `head`.
    fn last_words(&mut self, head: &[u8]) -> String {
        let mut words = head.to_vec();
        words.extend_from_slice(&self.buffer[self.start..self.end]);
        self.start = self.end;
        let deadline = Instant::now() + Duration::from_millis(500);
        let mut part = [0; 4096];
        while words.len() < MAX_TEXT && Instant::now() < deadline {
            if self.stream.set_read_timeout(Some(Duration::from_millis(100))).is_err() {
                break;
            }
            match self.receive(Some(deadline), &mut part) {
                Ok(n) => words.extend_from_slice(&part[..n]),
                Err(WireError::TimedOut) => {}
                Err(_) => break,
            }
        }
        words.truncate(MAX_TEXT);
        String::from_utf8_lossy(&words).trim().to_owned()
    }

    /// Where a worker says that it is, after SIGUSR1.
    pub fn stack(&mut self) -> Option<String> {
        let words = self.last_words(&[]);
        Some(words[words.find("Stack (most recent call first)")?..].to_owned())
    }

    /// Waits until the other end is closed.
    pub fn drain(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut part = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return;
            }
            if self.receive(Some(deadline), &mut part).is_err() {
                return;
            }
        }
    }
}
