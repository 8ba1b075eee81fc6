//! A tile of a matrix product in registers.

use super::gemm::{COLUMN, Start};
use super::simd::Simd;

/// Terms that are added per turn of the loop, so that counting takes few instructions.
pub(super) const TERMS: usize = 4;

/// Columns of the right matrix for one column of tiles, `k` rows of them.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) data: *const f32,
    pub(super) stride: usize,
}

/// Rows of the left matrix for one row of tiles.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub(super) data: *const f32,
    pub(super) strides: [usize; 2],
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
    pub(super) left: Left,
    pub(super) right: Panel,
    pub(super) start: Start<'a>,
    pub(super) slope: f32,
    pub(super) depth: usize,
}

impl Step<'_> {
    /// A tile of a size that is known at run time only, in registers: some rows, and columns of the result `c`.
    ///
    /// # Safety
    /// The processor must have the instructions of `S`, and `c`, `left` and `right` must hold the tile, its rows and
    /// its columns.
    #[inline(always)]
    pub(super) unsafe fn sized<S: Simd>(&self, [rows, cols]: [usize; 2], c: *mut f32, stride: usize) {
        // Sizes are constants in each arm: registers have no index, so sums of a size that is known at run
        // time only would lie in memory.
        macro_rules! each {
            ($($m:literal $n:literal,)*) => {
                // Tiles that this kind of register has no room for are compiled away.
                match (rows, cols.div_ceil(S::LANES)) {
                    // SAFETY: the caller's.
                    $(($m, $n) if $m <= S::TILE[0] && $n <= S::TILE[1] => unsafe {
                        self.run::<S, $m, $n>(c, stride, cols % S::LANES);
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

    /// `M × N` registers of the result; of the last ones of each row, `some` numbers belong to it, or all if zero.
    // Loops over indices are what the compiler unrolls, so that the sums stay in registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn run<S: Simd, const M: usize, const N: usize>(&self, c: *mut f32, stride: usize, some: usize) {
        // SAFETY: the caller's: `c` holds the tile, `left` its rows and `right` its columns.
        unsafe {
            let mut sums = [[S::zero(); N]; M];
            for i in 0..M {
                for j in 0..N {
                    let from = match self.start {
                        // Memory that nothing was written to yet must not be read.
                        Start::Zero => continue,
                        Start::Result => c.add(i * stride + j * S::LANES).cast_const(),
                        Start::Row(bias) => bias.as_ptr().add(j * S::LANES),
                    };
                    sums[i][j] = match j + 1 == N && some > 0 {
                        true => S::load_some(from, some),
                        false => S::load(from),
                    };
                }
            }
            // The tile below is next: its lines of the result come while this one is computed. With copies that begin
            // at lines that gained 7 % (docs/LOG.md, 2026-11-22, afternoon, updates beside PyTorch).
            for i in 0..M {
                for j in 0..N {
                    S::prefetch(c.wrapping_add((M + i) * stride + j * S::LANES));
                }
            }
            self.add_all::<S, M, N>(&mut sums);
            let slope = S::splat(self.slope);
            for i in 0..M {
                for j in 0..N {
                    let sum = if self.slope == 1.0 { sums[i][j] } else { S::leaky(slope, sums[i][j]) };
                    let to = c.add(i * stride + j * S::LANES);
                    match j + 1 == N && some > 0 {
                        true => S::store_some(to, sum, some),
                        false => S::store(to, sum),
                    }
                }
            }
        }
    }

    /// Adds all terms to the sums.
    #[inline(always)]
    unsafe fn add_all<S: Simd, const M: usize, const N: usize>(&self, sums: &mut [[S::V; N]; M]) {
        let Self { left, right, depth, .. } = *self;
        let (turns, width) = (depth / TERMS, S::TILE[1] * S::LANES);
        // SAFETY: the caller's.
        unsafe {
            // Distances that are known make for short instructions: with four terms per turn 36 instead of 42 per 24
            // multiply-adds, 5 to 9 % (docs/LOG.md, 2026-11-22, evening). Only whole tiles are worth it.
            let added = match left.strides {
                _ if M < S::TILE[0] => 0,
                [1, COLUMN] if right.stride == width => {
                    add::<S, M, N, TERMS>(sums, turns, left.data, [1, COLUMN], right.data, width);
                    turns * TERMS
                }
                [by_row, 1] => {
                    add::<S, M, N, TERMS>(sums, turns, left.data, [by_row, 1], right.data, right.stride);
                    turns * TERMS
                }
                _ => 0,
            };
            let a = left.data.wrapping_add(added * left.strides[1]);
            let b = right.data.wrapping_add(added * right.stride);
            add::<S, M, N, 1>(sums, depth - added, a, left.strides, b, right.stride);
        }
    }
}

/// Adds `turns · T` terms to all sums.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn add<S: Simd, const M: usize, const N: usize, const T: usize>(
    sums: &mut [[S::V; N]; M],
    turns: usize,
    mut a: *const f32,
    [by_row, by_col]: [usize; 2],
    mut b: *const f32,
    stride: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        // Terms come one after the other for every sum, whatever M, N and T are. That is why results do not
        // depend on how rows are shared out over tiles and threads.
        for _ in 0..turns {
            for t in 0..T {
                let mut right = [S::zero(); N];
                for j in 0..N {
                    right[j] = S::load(b.add(t * stride + j * S::LANES));
                }
                // Registers of the right matrix are used by all rows; a number of the left one by its row
                // alone, so it is loaded last.
                for i in 0..M {
                    let left = S::splat(*a.add(i * by_row + t * by_col));
                    for j in 0..N {
                        sums[i][j] = S::mul_add(left, right[j], sums[i][j]);
                    }
                }
            }
            (a, b) = (a.wrapping_add(T * by_col), b.wrapping_add(T * stride));
        }
    }
}
