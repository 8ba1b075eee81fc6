//! Matrix products on slices: panels of the right matrix in the cache, tiles of the result in registers (Goto and
//! van de Geijn 2008). Every entry is summed up in one order, whatever the tiling, so results depend neither on the
//! number of threads nor on how rows are shared out.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use super::simd::{Simd, WithSimd, dispatch};
use super::tile::{HIGHEST, Panel, Slice, Step, WIDEST, pack_left, pack_right};

/// Terms of a sum before the result is written: a panel of the right matrix then fits the first cache.
const DEPTH: usize = 128;
/// Rows of the left matrix that are used against all panels: they fit the second cache.
const ROWS: usize = 252;
/// Up to so many rows it does not pay to copy panels of the right matrix.
const FEW_ROWS: usize = 24;
static FLOPS: AtomicU64 = AtomicU64::new(0);

/// Floating-point operations of all products so far.
pub(crate) fn flops() -> u64 {
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
        assert!(data.len() >= rows * cols, "a matrix lies within its data");
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
        Self { data: &self.data[(start * self.strides[0]).min(self.data.len())..], rows: end - start, ..self }
    }

    fn at(&self, row: usize, col: usize) -> *const f32 {
        self.data[row * self.strides[0] + col * self.strides[1]..].as_ptr()
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
    thread_local!(static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers::new()) });
    assert_eq!(a.cols, b.rows, "inner dimensions agree");
    assert!(c.len >= a.rows * b.cols, "the result fits");
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
        let mut from = 0;
        loop {
            let len = DEPTH.min(self.a.cols - from);
            let last = from + len == self.a.cols;
            let start = if from == 0 { self.start } else { Start::Result };
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
        let direct = self.b.strides[1] == 1 && self.a.rows <= FEW_ROWS;
        let panels = self.b.cols.div_ceil(width);
        let packed = grown(&mut self.buffers.right, panels * width * slice.len);
        for panel in 0..panels {
            let full = (panel + 1) * width <= self.b.cols;
            if !(direct && full) {
                let to = &mut packed[panel * width * slice.len..][..width * slice.len];
                // SAFETY: the caller's.
                unsafe { pack_right::<S>(self.b, slice, panel * width, to) };
            }
        }
        let packed = packed.as_ptr();
        for row in (0..self.a.rows).step_by(ROWS) {
            let rows = ROWS.min(self.a.rows - row);
            // A transposed matrix would be read with a large stride, and so are its copies not.
            let copied = self.a.strides[1] != 1 && slice.len > 0;
            let len = if copied { rows.div_ceil(S::TILE[0]) * S::TILE[0] * slice.len } else { 0 };
            let left_copy = grown(&mut self.buffers.left, len);
            if copied {
                pack_left::<S>(self.a.rows(row, row + rows), slice, left_copy);
            }
            let left_copy = left_copy.as_ptr();
            for panel in 0..panels {
                let right = match direct && (panel + 1) * width <= self.b.cols {
                    true => Panel { data: self.b.at(slice.from, panel * width), stride: self.b.strides[0] },
                    false => Panel { data: packed.wrapping_add(panel * width * slice.len), stride: width },
                };
                for tile in (row..row + rows).step_by(S::TILE[0]) {
                    let left = match copied {
                        true => (left_copy.wrapping_add((tile - row) * slice.len), [1, S::TILE[0]]),
                        false => (self.a.at(tile, slice.from), self.a.strides),
                    };
                    let size = [S::TILE[0].min(row + rows - tile), width.min(self.b.cols - panel * width)];
                    // SAFETY: the tile lies within the result, and both parts hold its rows and columns.
                    unsafe { self.tile::<S>(slice, left, right, [tile, panel * width], size) };
                }
            }
        }
    }

    /// Computes one tile; one that does not fill its registers takes a detour.
    #[inline(always)]
    unsafe fn tile<S: Simd>(
        &mut self,
        slice: Slice,
        left: (*const f32, [usize; 2]),
        right: Panel,
        [row, col]: [usize; 2],
        [rows, cols]: [usize; 2],
    ) {
        let (width, stride) = (S::TILE[1] * S::LANES, self.b.cols);
        let mut first = [0.0; WIDEST];
        let start = match slice.start {
            Start::Row(bias) if !cols.is_multiple_of(S::LANES) => {
                first[..cols].copy_from_slice(&bias[col..col + cols]);
                Start::Row(&first)
            }
            Start::Row(bias) => Start::Row(&bias[col..]),
            start => start,
        };
        let step = Step { left, right, start, slope: slice.slope, depth: slice.len };
        // SAFETY: the tile begins within the result.
        let c = unsafe { self.c.data.add(row * stride + col) };
        if cols.is_multiple_of(S::LANES) {
            // SAFETY: all of the tile is within the result.
            return unsafe { step.sized::<S>([rows, cols / S::LANES], c, stride) };
        }
        let mut whole = [0.0; HIGHEST * WIDEST];
        for (i, whole) in whole.chunks_exact_mut(width).enumerate().take(rows) {
            if let Start::Result = slice.start {
                // SAFETY: `cols` numbers of each row are within the result, and there is something to add to.
                unsafe { c.add(i * stride).copy_to_nonoverlapping(whole.as_mut_ptr(), cols) };
            }
        }
        // SAFETY: `whole` holds a tile, whose registers beyond `cols` are left out.
        unsafe { step.sized::<S>([rows, cols.div_ceil(S::LANES)], whole.as_mut_ptr(), width) };
        for (i, whole) in whole.chunks_exact(width).enumerate().take(rows) {
            // SAFETY: as above.
            unsafe { c.add(i * stride).copy_from_nonoverlapping(whole.as_ptr(), cols) };
        }
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
