//! The few protocol buffers that an event file needs: `event.proto`, `summary.proto` and `tensor.proto` of
//! TensorBoard. Field numbers are theirs.

use crate::Histogram;

/// `DT_STRING` of `types.proto`.
const STRING: u64 = 7;
/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// An encoded message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn int(mut self, field: u64, value: u64) -> Self {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.key(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn field(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    fn message(self, field: u64, value: &Message) -> Self {
        self.field(field, &value.0)
    }

    fn doubles(self, field: u64, values: impl Iterator<Item = f64>) -> Self {
        self.field(field, &values.flat_map(f64::to_le_bytes).collect::<Vec<_>>())
    }
}

/// The event that begins a file.
pub(super) fn file_version(time: f64) -> Message {
    Message::default().double(1, time).field(3, b"brain.Event:2")
}

/// The event of a process that goes on: what earlier files tell of this step and later ones is void.
/// `Event { wall_time, step, session_log: SessionLog { status: START } }`.
pub(super) fn session_start(time: f64, step: i64) -> Message {
    Message::default().double(1, time).int(2, step as u64).message(7, &Message::default().int(1, 1))
}

/// An event with values: `Event { wall_time, step, summary }`.
pub(super) fn event(time: f64, step: i64, values: &[Message]) -> Message {
    let summary = values.iter().fold(Message::default(), |summary, value| summary.message(1, value));
    // A negative step would be ten bytes of two's complement, as the format has it.
    Message::default().double(1, time).int(2, step as u64).message(5, &summary)
}

/// A number, in single precision.
pub(super) fn scalar(tag: &str, value: f64) -> Message {
    Message::default().field(1, tag.as_bytes()).float(2, value as f32)
}

/// Counts in bins: the format has their upper edges.
pub(super) fn histogram(tag: &str, h: &Histogram) -> Message {
    let counts = h.counts.iter().map(|n| *n as f64);
    let body = Message::default().double(1, h.min).double(2, h.max).double(3, counts.clone().sum());
    let body = body.double(4, h.sum).double(5, h.sum_squares);
    let body = body.doubles(6, h.edges.iter().skip(1).copied()).doubles(7, counts);
    Message::default().field(1, tag.as_bytes()).message(5, &body)
}

/// An encoded picture; colour space 3 is RGB.
pub(super) fn image(tag: &str, [width, height]: [u32; 2], encoded: &[u8]) -> Message {
    let body = Message::default().int(1, height.into()).int(2, width.into()).int(3, 3).field(4, encoded);
    Message::default().field(1, tag.as_bytes()).message(4, &body)
}

/// A text, which TensorBoard shows as Markdown.
pub(super) fn text(tag: &str, text: &str) -> Message {
    let shape = Message::default().message(2, &Message::default().int(1, 1));
    let tensor = Message::default().int(1, STRING).message(2, &shape).field(8, text.as_bytes());
    let plugin = Message::default().message(1, &Message::default().field(1, b"text"));
    Message::default().field(1, tag.as_bytes()).message(8, &tensor).message(9, &plugin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_the_format_has_them() {
        // Field 2 as a varint, and a number of two bytes: the examples of the encoding's description.
        assert_eq!(Message::default().int(1, 150).bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().field(2, b"testing").bytes(), b"\x12\x07testing");
        let value = scalar("a", 1.0);
        assert_eq!(value.bytes(), [0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f]);
        let event = event(0.0, 3, std::slice::from_ref(&value));
        let start = [0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 3, 0x2a, 10, 0x0a, 8];
        let expected = [&start[..], value.bytes()];
        assert_eq!(event.bytes(), expected.concat());
    }
}
