//! The trajectory file, version 1. All numbers are little-endian.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | magic `AMAGOTRJ` |
//! | 8..12 | format version, u32 |
//! | 12..16 | CRC-32 of the body |
//! | 16..24 | bytes of the header, u64 |
//! | 24..32 | bytes of the body, u64 |
//! | 32..36 | CRC-32 of bytes 8..32 and the header |
//! | header | transitions u64, first time index i64, action width u64, number of keys u64; per key: bytes u64, UTF-8, type u8 (0 f32, 1 u8), dimensions u64, each u64 |
//! | body | `first_prev`, observation columns in key order, actions, rewards, terminals (one byte each) |
//!
//! The first 36 bytes keep their meaning in every version, so that a damaged version number is told
//! from a file of a newer program. CRC-32 finds every error of up to 32 neighbouring bits.

use std::sync::Arc;

use amago_env::{Column, Dtype};

use crate::trajectory::start_time_fits;
use crate::{ColumnLayout, Columns, FormatError, Layout, Trajectory};

/// Version of the format that this program writes and reads.
pub const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"AMAGOTRJ";
/// Bytes before the header.
pub(crate) const PREFIX: usize = 36;
/// Most bytes of a header: names and shapes of the columns.
const MAX_HEADER: u64 = 1 << 20;
/// Most bytes of a trajectory. A file that says more is refused before anything is allocated for it, whatever
/// its length: a sparse one takes no room on the disk.
pub(crate) const MAX_BODY: u64 = 4 << 30;

/// Refuses a trajectory whose file [`decode`] would refuse.
pub(crate) fn check_storable(trajectory: &Trajectory) -> Result<(), FormatError> {
    let (bytes, start_time) = (trajectory.bytes(), trajectory.columns().start_time);
    match trajectory.is_empty() {
        true => Err(FormatError::Empty),
        false if bytes > MAX_BODY => Err(FormatError::TooLarge { bytes, limit: MAX_BODY }),
        false if start_time_fits(start_time, trajectory.len()) => Ok(()),
        false => Err(FormatError::BadStartTime(start_time)),
    }
}

/// The bytes of a trajectory file. Those of an empty trajectory are refused by [`decode`].
pub fn encode(trajectory: &Trajectory) -> Vec<u8> {
    let (layout, c) = (trajectory.layout(), trajectory.columns());
    let mut header = Vec::new();
    let put = |out: &mut Vec<u8>, n: usize| out.extend_from_slice(&(n as u64).to_le_bytes());
    put(&mut header, trajectory.len());
    header.extend_from_slice(&c.start_time.to_le_bytes());
    put(&mut header, layout.action_width);
    put(&mut header, layout.columns.len());
    for spec in &layout.columns {
        put(&mut header, spec.key.len());
        header.extend_from_slice(spec.key.as_bytes());
        header.push(u8::from(spec.dtype == Dtype::U8));
        put(&mut header, spec.shape.len());
        spec.shape.iter().for_each(|d| put(&mut header, *d));
    }
    let mut out = vec![0; PREFIX];
    out.reserve_exact(header.len() + trajectory.bytes() as usize);
    out.extend_from_slice(&header);
    let floats = |out: &mut Vec<u8>, v: &[f32]| out.extend(v.iter().flat_map(|x| x.to_le_bytes()));
    floats(&mut out, &c.first_prev);
    for column in &c.obs {
        match column {
            Column::F32(v) => floats(&mut out, v),
            Column::U8(v) => out.extend_from_slice(v),
        }
    }
    floats(&mut out, &c.actions);
    floats(&mut out, &c.rewards);
    out.extend(c.terminals.iter().map(|t| u8::from(*t)));
    let body = &out[PREFIX + header.len()..];
    let (body_crc, body_len) = (crc32fast::hash(body), body.len() as u64);
    out[..8].copy_from_slice(MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&body_crc.to_le_bytes());
    out[16..24].copy_from_slice(&(header.len() as u64).to_le_bytes());
    out[24..32].copy_from_slice(&body_len.to_le_bytes());
    let header_crc = crc_of(&[&out[8..32], &header]);
    out[32..36].copy_from_slice(&header_crc.to_le_bytes());
    out
}

/// Reads the bytes of a trajectory file.
///
/// # Errors
/// One variant of [`FormatError`] for each way the bytes can be broken. Nothing is allocated that
/// is larger than the bytes themselves.
pub fn decode(bytes: &[u8]) -> Result<Trajectory, FormatError> {
    let prefix = Prefix::read(bytes, bytes.len() as u64)?;
    let (header, body) = bytes[PREFIX..].split_at(prefix.header_len);
    let header = Header::read(&prefix, header)?;
    check_crc("body", prefix.body_crc, crc32fast::hash(body))?;
    let Header { layout, transitions: steps, start_time } = header;
    // The header's check made sure that these sizes add up to the body's length.
    let mut body = Reader { rest: body };
    let first_prev = body.floats(layout.rl2_width())?;
    let mut obs = Vec::with_capacity(layout.columns.len());
    for spec in &layout.columns {
        let len = (steps + 1) * spec.width;
        obs.push(match spec.dtype {
            Dtype::F32 => Column::F32(body.floats(len)?),
            Dtype::U8 => Column::U8(body.take(len)?.to_vec()),
        });
    }
    let actions = body.floats(steps * layout.action_width)?;
    let rewards = body.floats(steps)?;
    let flags = body.take(steps)?;
    if let Some(index) = flags.iter().position(|b| *b > 1) {
        return Err(FormatError::BadTerminal { index, value: flags[index] });
    }
    let terminals = flags.iter().map(|b| *b == 1).collect();
    let columns = Columns { obs, actions, rewards, terminals, start_time, first_prev };
    let trajectory = Trajectory::from_checked(Arc::new(layout), columns);
    trajectory.check_finite()?;
    Ok(trajectory)
}

/// The fixed part at the start of a file.
pub(crate) struct Prefix {
    covered: [u8; 24],
    version: u32,
    body_crc: u32,
    header_crc: u32,
    /// Bytes of the header; not more than the file has.
    pub header_len: usize,
    body_len: u64,
}

impl Prefix {
    /// Reads the first bytes of a file of `file_len` bytes.
    pub fn read(start: &[u8], file_len: u64) -> Result<Self, FormatError> {
        let Some(fixed) = start.first_chunk::<PREFIX>() else {
            return Err(FormatError::TooShort { needed: PREFIX as u64, got: start.len() as u64 });
        };
        if &fixed[..8] != MAGIC {
            return Err(FormatError::BadMagic);
        }
        let u32_at = |i: usize| u32::from_le_bytes([fixed[i], fixed[i + 1], fixed[i + 2], fixed[i + 3]]);
        let u64_at = |i: usize| u64::from(u32_at(i)) | u64::from(u32_at(i + 4)) << 32;
        let (header_len, body_len) = (u64_at(16), u64_at(24));
        let needed = (PREFIX as u64).saturating_add(header_len).saturating_add(body_len);
        if needed > file_len {
            return Err(FormatError::TooShort { needed, got: file_len });
        }
        if needed < file_len {
            return Err(FormatError::TrailingBytes { expected: needed, got: file_len });
        }
        let mut covered = [0; 24];
        covered.copy_from_slice(&fixed[8..32]);
        let header_len = usize::try_from(header_len).ok().filter(|_| header_len <= MAX_HEADER);
        let header_len = header_len.ok_or(FormatError::Lengths("the header is too long"))?;
        Ok(Self {
            covered,
            version: u32_at(8),
            body_crc: u32_at(12),
            header_crc: u32_at(32),
            header_len,
            body_len,
        })
    }
}

/// What a file holds, known without reading its body.
pub(crate) struct Header {
    /// Layout of the columns.
    pub layout: Layout,
    /// Number of transitions, at least one.
    pub transitions: usize,
    /// Time index of row 0.
    pub start_time: i64,
}

impl Header {
    /// Reads the header's bytes and checks every length against the body's.
    pub fn read(prefix: &Prefix, bytes: &[u8]) -> Result<Self, FormatError> {
        check_crc("header", prefix.header_crc, crc_of(&[&prefix.covered, bytes]))?;
        if prefix.version != VERSION {
            return Err(FormatError::UnsupportedVersion { found: prefix.version, supported: VERSION });
        }
        if prefix.body_len > MAX_BODY {
            return Err(FormatError::TooLarge { bytes: prefix.body_len, limit: MAX_BODY });
        }
        let mut r = Reader { rest: bytes };
        let transitions = r.length()?;
        let start_time = r.u64()?.cast_signed();
        let action_width = r.length()?;
        let mut columns: Vec<ColumnLayout> = Vec::new();
        for i in 0..r.u64()? {
            let column = r.column(i)?;
            if columns.last().is_some_and(|last| last.key >= column.key) {
                return Err(FormatError::KeyOrder(i));
            }
            columns.push(column);
        }
        if !r.rest.is_empty() {
            return Err(FormatError::Lengths("the header is longer than its contents"));
        }
        if transitions == 0 {
            return Err(FormatError::Empty);
        }
        let layout = Layout { columns, action_width };
        if body_len(&layout, transitions) != Some(prefix.body_len) {
            return Err(FormatError::Lengths("the body is not as long as its columns"));
        }
        if !start_time_fits(start_time, transitions) {
            return Err(FormatError::BadStartTime(start_time));
        }
        Ok(Self { layout, transitions, start_time })
    }
}

/// Bytes of the body, or `None` when the number does not fit.
fn body_len(layout: &Layout, steps: usize) -> Option<u64> {
    let (steps, a) = (steps as u64, layout.action_width as u64);
    let rows = steps.checked_add(1)?;
    let mut sum = a.checked_add(1)?.checked_mul(4)?;
    for spec in &layout.columns {
        let size = if spec.dtype == Dtype::F32 { 4 } else { 1 };
        sum = sum.checked_add(rows.checked_mul(spec.width as u64)?.checked_mul(size)?)?;
    }
    let per_step = a.checked_mul(4)?.checked_add(5)?;
    sum.checked_add(steps.checked_mul(per_step)?)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], FormatError> {
        let (head, tail) = self
            .rest
            .split_at_checked(n)
            .ok_or(FormatError::Lengths("a part is longer than what holds it"))?;
        self.rest = tail;
        Ok(head)
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn length(&mut self) -> Result<usize, FormatError> {
        usize::try_from(self.u64()?).map_err(|_| FormatError::Lengths("a length exceeds the address space"))
    }

    fn floats(&mut self, n: usize) -> Result<Vec<f32>, FormatError> {
        let n = n.checked_mul(4).ok_or(FormatError::Lengths("a column is too long"))?;
        Ok(self.take(n)?.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    fn column(&mut self, i: u64) -> Result<ColumnLayout, FormatError> {
        let key_len = self.length()?;
        let key = str::from_utf8(self.take(key_len)?).map_err(|_| FormatError::BadKey(i))?.to_owned();
        let dtype = match self.take(1)?[0] {
            0 => Dtype::F32,
            1 => Dtype::U8,
            code => return Err(FormatError::BadDtype { column: i, code }),
        };
        let mut shape = Vec::new();
        for _ in 0..self.u64()? {
            shape.push(self.length()?);
        }
        let width = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        let width = width.ok_or(FormatError::Lengths("a shape has too many entries"))?;
        Ok(ColumnLayout { key, shape, width, dtype })
    }
}

fn crc_of(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|p| hasher.update(p));
    hasher.finalize()
}

fn check_crc(part: &'static str, stored: u32, computed: u32) -> Result<(), FormatError> {
    if stored == computed { Ok(()) } else { Err(FormatError::Checksum { part, stored, computed }) }
}
