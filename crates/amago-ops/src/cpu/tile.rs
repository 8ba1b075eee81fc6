//! A tile of a matrix product in registers, and copies of what it reads.

use super::gemm::{Mat, Start};
use super::simd::Simd;

/// Entries of a row of the largest tile.
pub(super) const WIDEST: usize = 4 * 16;
/// Rows of the highest tile.
pub(super) const HIGHEST: usize = 6;

/// Columns of the right matrix for one column of tiles, `k` rows of them.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) data: *const f32,
    pub(super) stride: usize,
}

/// One part of the inner dimension.
#[derive(Clone, Copy)]
pub(super) struct Slice<'a> {
    pub(super) from: usize,
    pub(super) len: usize,
    pub(super) start: Start<'a>,
    pub(super) slope: f32,
}

/// All that a tile needs but its place.
pub(super) struct Step<'a> {
    pub(super) left: (*const f32, [usize; 2]),
    pub(super) right: Panel,
    pub(super) start: Start<'a>,
    pub(super) slope: f32,
    pub(super) depth: usize,
}

impl Step<'_> {
    /// A tile of a size that is known at run time only, in registers.
    ///
    /// # Safety
    /// The processor must have the instructions of `S`, and `c`, `left` and `right` must hold the tile, its rows and
    /// its columns.
    #[inline(always)]
    pub(super) unsafe fn sized<S: Simd>(&self, [rows, width]: [usize; 2], c: *mut f32, stride: usize) {
        macro_rules! each {
            ($($m:literal $n:literal,)*) => {
                match (rows, width) {
                    // SAFETY: the caller's.
                    $(($m, $n) if $m <= S::TILE[0] && $n <= S::TILE[1] => unsafe {
                        self.run::<S, $m, $n>(c, stride);
                    },)*
                    _ => unreachable!("no tile is larger than {:?}", S::TILE),
                }
            };
        }
        each!(
            1 1, 2 1, 3 1, 4 1, 5 1, 6 1, 1 2, 2 2, 3 2, 4 2, 5 2, 6 2,
            1 3, 2 3, 3 3, 4 3, 5 3, 6 3, 1 4, 2 4, 3 4, 4 4, 5 4, 6 4,
        );
    }

    /// `M × N` registers of the result.
    // Loops over indices are what the compiler unrolls, so that the sums stay in registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn run<S: Simd, const M: usize, const N: usize>(&self, c: *mut f32, stride: usize) {
        // SAFETY: the caller's: `c` holds the tile, `left` its rows and `right` its columns.
        unsafe {
            let mut sums = [[S::zero(); N]; M];
            for i in 0..M {
                for j in 0..N {
                    match self.start {
                        Start::Zero => {}
                        Start::Result => sums[i][j] = S::load(c.add(i * stride + j * S::LANES)),
                        Start::Row(bias) => sums[i][j] = S::load(bias.as_ptr().add(j * S::LANES)),
                    }
                }
            }
            // The tile below is next.
            for i in 0..M {
                for j in 0..N {
                    S::prefetch(c.wrapping_add((M + i) * stride + j * S::LANES));
                }
            }
            let (mut a, [by_row, by_col]) = self.left;
            let mut b = self.right.data;
            for _ in 0..self.depth {
                let mut right = [S::zero(); N];
                for j in 0..N {
                    right[j] = S::load(b.add(j * S::LANES));
                }
                for i in 0..M {
                    let left = S::splat(*a.add(i * by_row));
                    for j in 0..N {
                        sums[i][j] = S::mul_add(left, right[j], sums[i][j]);
                    }
                }
                (a, b) = (a.wrapping_add(by_col), b.wrapping_add(self.right.stride));
            }
            let slope = S::splat(self.slope);
            for i in 0..M {
                for j in 0..N {
                    let sum = if self.slope == 1.0 { sums[i][j] } else { S::leaky(slope, sums[i][j]) };
                    S::store(c.add(i * stride + j * S::LANES), sum);
                }
            }
        }
    }
}

/// The columns of one panel from `col` on, of a slice of `b`, row by row, padded with zeros.
///
/// # Safety
/// The processor must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn pack_right<S: Simd>(b: Mat, slice: Slice, col: usize, to: &mut [f32]) {
    let width = S::TILE[1] * S::LANES;
    let cols = width.min(b.cols - col);
    let [by_row, by_col] = b.strides;
    let from = &b.data[slice.from * by_row + col * by_col..];
    if by_col == 1 && cols == width {
        for (k, to) in to.chunks_exact_mut(width).enumerate() {
            let from = &from[k * by_row..k * by_row + width];
            for lane in 0..S::TILE[1] {
                // SAFETY: both hold `width` numbers.
                unsafe {
                    S::store(
                        to.as_mut_ptr().add(lane * S::LANES),
                        S::load(from.as_ptr().add(lane * S::LANES)),
                    )
                };
            }
        }
        return;
    }
    to.fill(0.0);
    if by_col == 1 {
        for (k, to) in to.chunks_exact_mut(width).enumerate() {
            to.iter_mut().zip(&from[k * by_row..k * by_row + cols]).for_each(|(to, x)| *to = *x);
        }
        return;
    }
    for j in 0..cols {
        // Rows of a transposed matrix lie side by side.
        for (to, x) in to.chunks_exact_mut(width).zip(&from[j * by_col..]) {
            to[j] = *x;
        }
    }
}

/// A slice of all rows of a transposed matrix, in groups as high as a tile, column by column.
#[inline(always)]
pub(super) fn pack_left<S: Simd>(a: Mat, slice: Slice, to: &mut [f32]) {
    let height = S::TILE[0];
    for (tile, to) in to.chunks_exact_mut(height * slice.len).enumerate().take(a.rows.div_ceil(height)) {
        let rows = height.min(a.rows - tile * height);
        for (k, to) in to.chunks_exact_mut(height).enumerate() {
            let from = &a.data[tile * height + (slice.from + k) * a.strides[1]..][..rows];
            match <&[f32; HIGHEST]>::try_from(from) {
                // The length is known: no call is made for so few numbers.
                Ok(from) => to[..HIGHEST].copy_from_slice(from),
                Err(_) => to.iter_mut().zip(from).for_each(|(to, x)| *to = *x),
            }
        }
    }
}
