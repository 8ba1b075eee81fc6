//! Damages bytes at random.

use amago_env::Rng;
use rand::RngExt;

/// Between one and eight changes: bits, bytes, cuts, repeats, and numbers at the ends of their range where
/// lengths may be.
pub fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..rng.random_range(1..=8) {
        if out.is_empty() {
            return out;
        }
        let at = rng.random_range(0..out.len());
        match rng.random_range(0..7) {
            0 => out[at] ^= 1 << rng.random_range(0..8),
            1 => out[at] = rng.random(),
            2 => out.truncate(at),
            3 => {
                let end = rng.random_range(at..=out.len());
                drop(out.drain(at..end));
            }
            4 => {
                let end = rng.random_range(at..=out.len().min(at + 64));
                let copy = out[at..end].to_vec();
                out.splice(at..at, copy);
            }
            5 => {
                let edges = [0, 1, 0x7f, 0x80, u64::from(u32::MAX), i64::MAX as u64, u64::MAX - 1, u64::MAX];
                let edge = edges[rng.random_range(0..edges.len())].to_le_bytes();
                let width = [1, 2, 4, 8][rng.random_range(0..4)];
                out.iter_mut().skip(at).zip(&edge[..width]).for_each(|(to, from)| *to = *from);
            }
            _ => out.insert(at, rng.random()),
        }
    }
    out
}
