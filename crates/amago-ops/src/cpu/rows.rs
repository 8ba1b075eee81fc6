//! How rows are shared out.

use super::simd::vectorized;

/// Rows per task of an elementwise or row-wise pass: large enough for a task, small enough for the cache. It does not
/// depend on the number of threads, so results do not either.
pub(crate) const ROW_BLOCK: usize = 256;

/// Rows of a product per task, where each row takes `flops` operations. Results do not depend on it.
pub(crate) fn rows_per_task(rows: usize, flops: usize) -> usize {
    // Two tasks per thread: one that is held up by something else leaves less to wait for.
    rows.div_ceil(2 * rayon::current_num_threads()).max(least_per_task(flops))
}

/// Items per task below which a second thread does not pay, where each item takes `flops` operations.
pub(crate) fn least_per_task(flops: usize) -> usize {
    /// About 30 microseconds.
    const LEAST: usize = 1 << 21;
    LEAST.div_ceil(flops.max(1))
}

vectorized! {
    /// `sum ← sum + Σ rows`, where `rows` are as wide as `sum`.
    pub(crate) fn add_rows(sum: &mut [f32], rows: &[f32]) {
        rows.chunks_exact(sum.len()).for_each(|row| add_into(sum, row));
    }
}

/// `dst ← dst + src`.
#[inline(always)]
pub(crate) fn add_into(dst: &mut [f32], src: &[f32]) {
    for (d, s) in dst.iter_mut().zip(src) {
        *d += s;
    }
}

/// `dst ← dst + factor · src`.
#[inline(always)]
pub(crate) fn add_scaled(dst: &mut [f32], src: &[f32], factor: f32) {
    for (d, s) in dst.iter_mut().zip(src) {
        *d += factor * s;
    }
}
