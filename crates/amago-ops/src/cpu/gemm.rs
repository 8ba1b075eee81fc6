//! Matrix products on slices: panels of the right matrix in the cache, tiles of the result in registers (Goto and
//! van de Geijn 2008). Every entry is summed up in one order, whatever the tiling, so results depend neither on the
//! number of threads nor on how rows are shared out.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pack::{pack_left, pack_right};
use super::simd::{Simd, WithSimd, dispatch};
use super::tile::{Left, Panel, Slice, Step, TERMS};

#[cfg(test)]
mod tests;

/// Terms of a sum before the result is written, about: a panel of the right matrix then fits the first cache.
const DEPTH: usize = 128;
/// Up to so many rows of the left matrix are used against all panels: they fit the second cache.
const ROWS: usize = 288;
/// Distance of the columns of a copy of them, an odd number of lines: others share few sets of the first cache.
pub(super) const COLUMN: usize = ROWS + 16;
/// Up to so many rows it does not pay to copy panels of the right matrix.
const FEW_ROWS: usize = 24;
static FLOPS: AtomicU64 = AtomicU64::new(0);

/// Floating-point operations of all products so far.
pub(crate) fn flops() -> u64 {
    // A count for benches: nothing is ordered by it.
    FLOPS.load(Ordering::Relaxed)
}

/// A matrix in row-major storage, maybe seen transposed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) strides: [usize; 2],
}

impl<'a> Mat<'a> {
    /// `rows × cols` entries of `data`.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert!(holds(data.len(), rows, cols), "a matrix lies within its data");
        Self { data, rows, cols, strides: [cols, 1] }
    }

    /// The transposed matrix, without a copy.
    pub(crate) fn t(self) -> Self {
        let [row, col] = self.strides;
        Self { data: self.data, rows: self.cols, cols: self.rows, strides: [col, row] }
    }

    /// Rows `start..end` of a matrix that may be transposed.
    pub(crate) fn rows(self, start: usize, end: usize) -> Self {
        assert!(start <= end && end <= self.rows, "rows lie within the matrix");
        // A part without rows may begin behind the last number.
        Self { data: &self.data[(start * self.strides[0]).min(self.data.len())..], rows: end - start, ..self }
    }

    /// Where an entry is; somewhere within the data if the matrix has none.
    fn at(&self, row: usize, col: usize) -> *const f32 {
        let place = row * self.strides[0] + col * self.strides[1];
        self.data[place.min(self.data.len())..].as_ptr()
    }
}

/// Where a product goes: row-major numbers, which may hold nothing yet.
pub(crate) struct Out<'a> {
    data: *mut f32,
    len: usize,
    written: bool,
    lifetime: PhantomData<&'a mut [f32]>,
}

impl<'a> From<&'a mut [f32]> for Out<'a> {
    fn from(data: &'a mut [f32]) -> Self {
        Self { data: data.as_mut_ptr(), len: data.len(), written: true, lifetime: PhantomData }
    }
}

impl<'a> From<&'a mut [MaybeUninit<f32>]> for Out<'a> {
    fn from(data: &'a mut [MaybeUninit<f32>]) -> Self {
        Self { data: data.as_mut_ptr().cast(), len: data.len(), written: false, lifetime: PhantomData }
    }
}

/// What the sums begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    Zero,
    /// What the result holds.
    Result,
    /// The same row everywhere.
    Row(&'a [f32]),
}

/// `c ← start + a b` on one thread. All of `c` is written.
pub(crate) fn gemm<'c>(a: Mat, b: Mat, start: Start, c: impl Into<Out<'c>>) {
    gemm_leaky(a, b, start, 1.0, c);
}

/// `c ← f(start + a b)` with `f(x) = max(slope · x, x)`.
pub(crate) fn gemm_leaky<'c>(a: Mat, b: Mat, start: Start, slope: f32, c: impl Into<Out<'c>>) {
    let c = c.into();
    // They live as long as their thread: fresh ones for each product would be cleared and paged in, only to
    // be written over.
    thread_local!(static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers::new()) });
    assert_eq!(a.cols, b.rows, "inner dimensions agree");
    assert!(holds(c.len, a.rows, b.cols), "the result fits");
    assert!(c.written || !matches!(start, Start::Result), "what is added to must be there");
    assert!(slope <= 1.0, "the activation is a maximum");
    if let Start::Row(row) = start {
        assert!(row.len() >= b.cols, "the first row fits");
    }
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    FLOPS.fetch_add(2 * (a.rows * a.cols * b.cols) as u64, Ordering::Relaxed);
    BUFFERS.with_borrow_mut(|buffers| dispatch(Product { a, b, start, slope, c, buffers }));
}

/// Whether so many numbers hold a matrix. The product of its sizes may be more than a number can be.
fn holds(len: usize, rows: usize, cols: usize) -> bool {
    rows.checked_mul(cols).is_some_and(|entries| entries <= len)
}

/// Copies of parts of both matrices.
struct Buffers {
    left: Vec<Line>,
    right: Vec<Line>,
}

/// As many numbers as one line of the cache, and where one begins: a register that is loaded from two lines takes
/// twice as long.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

impl Buffers {
    const fn new() -> Self {
        Self { left: Vec::new(), right: Vec::new() }
    }
}

struct Product<'a, 'b> {
    a: Mat<'a>,
    b: Mat<'a>,
    start: Start<'a>,
    slope: f32,
    c: Out<'b>,
    buffers: &'b mut Buffers,
}

impl WithSimd for Product<'_, '_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let terms = self.a.cols;
        // Slices of about equal length: a rest of a few terms would read and write the whole result once more
        // for little work. Lengths are whole turns of the loop in a tile, but for the last.
        let slices = ((terms + DEPTH / 2) / DEPTH).max(1);
        let len = terms.div_ceil(slices).next_multiple_of(TERMS);
        let mut from = 0;
        // Also without a single term the result is written once, with what its sums begin with.
        loop {
            let len = len.min(terms - from);
            let last = from + len == terms;
            let start = if from == 0 { self.start } else { Start::Result };
            // The activation belongs to whole sums, so to the last slice.
            let slice = Slice { from, len, start, slope: if last { self.slope } else { 1.0 } };
            // SAFETY: the caller's.
            unsafe { self.slice::<S>(slice) };
            from += len;
            if last {
                return;
            }
        }
    }
}

impl Product<'_, '_> {
    /// Adds one part of the inner dimension to the whole result.
    #[inline(always)]
    unsafe fn slice<S: Simd>(&mut self, slice: Slice) {
        let width = S::TILE[1] * S::LANES;
        // Few rows use each number of the right matrix too seldom for a copy to pay.
        let direct = self.b.strides[1] == 1 && self.a.rows <= FEW_ROWS;
        let panels = self.b.cols.div_ceil(width);
        let packed = grown(&mut self.buffers.right, panels * width * slice.len);
        for panel in 0..panels {
            let full = (panel + 1) * width <= self.b.cols;
            // Tiles load whole registers: beyond the last column only a copy has numbers to read.
            if !(direct && full) && slice.len > 0 {
                let to = &mut packed[panel * width * slice.len..][..width * slice.len];
                // SAFETY: the caller's.
                unsafe { pack_right::<S>(self.b, [slice.from, panel * width], to) };
            }
        }
        let packed = packed.as_ptr();
        let blocks = self.a.rows.div_ceil(ROWS);
        // Blocks of about equal size, too: a last one of few rows would fetch every panel for little work.
        let block = self.a.rows.div_ceil(blocks).next_multiple_of(S::TILE[0]);
        for row in (0..self.a.rows).step_by(block) {
            let rows = block.min(self.a.rows - row);
            // Of a transposed matrix every entry of a row lies in another line, and these share few sets of the cache.
            let copied = self.a.strides[1] != 1 && slice.len > 0;
            let left_copy = grown(&mut self.buffers.left, if copied { slice.len * COLUMN } else { 0 });
            if copied {
                pack_left(self.a.rows(row, row + rows), slice.from, left_copy);
            }
            let left_copy = left_copy.as_ptr();
            // A panel stays in the first cache while all tiles of the block pass over it.
            for panel in 0..panels {
                let right = match direct && (panel + 1) * width <= self.b.cols {
                    true => Panel { data: self.b.at(slice.from, panel * width), stride: self.b.strides[0] },
                    false => Panel { data: packed.wrapping_add(panel * width * slice.len), stride: width },
                };
                for tile in (row..row + rows).step_by(S::TILE[0]) {
                    let left = match copied {
                        true => Left { data: left_copy.wrapping_add(tile - row), strides: [1, COLUMN] },
                        false => Left { data: self.a.at(tile, slice.from), strides: self.a.strides },
                    };
                    let size = [S::TILE[0].min(row + rows - tile), width.min(self.b.cols - panel * width)];
                    // SAFETY: the tile lies within the result, and both parts hold its rows and columns.
                    unsafe { self.tile::<S>(slice, left, right, [tile, panel * width], size) };
                }
            }
        }
    }

    /// Computes one tile.
    #[inline(always)]
    unsafe fn tile<S: Simd>(
        &mut self,
        slice: Slice,
        left: Left,
        right: Panel,
        [row, col]: [usize; 2],
        size: [usize; 2],
    ) {
        let start = match slice.start {
            Start::Row(bias) => Start::Row(&bias[col..]),
            start => start,
        };
        let step = Step { left, right, start, slope: slice.slope, depth: slice.len };
        // SAFETY: all of the tile is within the result.
        unsafe { step.sized::<S>(size, self.c.data.add(row * self.b.cols + col), self.b.cols) };
    }
}

/// The first numbers of a buffer, which grows where it is too short.
fn grown(buffer: &mut Vec<Line>, len: usize) -> &mut [f32] {
    let lines = len.div_ceil(16);
    if buffer.len() < lines {
        buffer.resize(lines, Line([0.0; 16]));
    }
    // SAFETY: lines are arrays of numbers without gaps between them, and there are enough.
    unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), len) }
}
