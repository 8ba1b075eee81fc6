//! Copies of parts of the factors of a matrix product, in the order in which tiles read them.

use super::gemm::{COLUMN, Mat};
use super::simd::Simd;

/// Rows and columns of the blocks that are transposed at once.
const BLOCK: usize = 8;

/// Rows from `row` on of the columns of one panel from `col` on, row by row. What a row of the copy holds beyond the
/// last column may be anything; tiles compute with it and store nothing of it.
///
/// # Safety
/// The processor must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn pack_right<S: Simd>(b: Mat, [row, col]: [usize; 2], to: &mut [f32]) {
    let width = S::TILE[1] * S::LANES;
    let cols = width.min(b.cols - col);
    let [by_row, by_col] = b.strides;
    let from = &b.data[row * by_row + col * by_col..];
    if by_col == 1 {
        // By register rather than by number; the last one by a mask, because what lies behind it is not ours
        // to read. A detour over a buffer cost a quarter (52 and 69 GFLOP/s: docs/LOG.md, 2026-11-22,
        // evening).
        let (whole, some) = (cols - cols % S::LANES, cols % S::LANES);
        for (k, to) in to.chunks_exact_mut(width).enumerate() {
            let (from, to) = (from[k * by_row..][..cols].as_ptr(), to.as_mut_ptr());
            // SAFETY: `cols` numbers are there, and room for `width`.
            unsafe {
                for lane in (0..whole).step_by(S::LANES) {
                    S::store(to.add(lane), S::load(from.add(lane)));
                }
                if some > 0 {
                    S::store(to.add(whole), S::load_some(from.add(whole), some));
                }
            }
        }
        return;
    }
    // Rows of a transposed matrix lie side by side.
    let len = to.len() / width;
    let [blocks, whole] = [cols, len].map(|n| n - n % BLOCK);
    // Number by number each would be stored to another line of the cache. Blocks are turned around in
    // registers (83 and 95 GFLOP/s: docs/LOG.md, 2026-11-22, evening).
    for j in (0..blocks).step_by(BLOCK) {
        for k in (0..whole).step_by(BLOCK) {
            let from = &from[j * by_col + k..(j + BLOCK - 1) * by_col + k + BLOCK];
            let to = &mut to[k * width + j..(k + BLOCK - 1) * width + j + BLOCK];
            // SAFETY: both hold eight rows of eight numbers.
            unsafe { S::transpose(from.as_ptr(), to.as_mut_ptr(), [by_col, width]) };
        }
    }
    for j in 0..cols {
        let start = if j < blocks { whole } else { 0 };
        for (k, to) in to.chunks_exact_mut(width).enumerate().skip(start) {
            to[j] = from[j * by_col + k];
        }
    }
}

/// Columns from `col` on of all rows of a transposed matrix, [`COLUMN`] numbers for each.
pub(super) fn pack_left(a: Mat, col: usize, to: &mut [f32]) {
    // Whole columns as they lie: 66 → 88 GFLOP/s (docs/LOG.md, 2026-11-22, evening). Copying groups of as
    // many rows as a tile has was slower than no copy: one access per line of memory.
    for (k, to) in to.chunks_exact_mut(COLUMN).enumerate() {
        to[..a.rows].copy_from_slice(&a.data[(col + k) * a.strides[1]..][..a.rows]);
    }
}
