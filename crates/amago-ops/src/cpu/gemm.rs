//! Matrix products on slices.

/// A matrix in row-major storage, maybe seen transposed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    strides: [usize; 2],
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
}

/// `c ← a b + beta c` on one thread; `c` is row-major.
pub(crate) fn gemm(a: Mat, b: Mat, beta: f32, c: &mut [f32]) {
    assert_eq!(a.cols, b.rows, "inner dimensions agree");
    assert!(c.len() >= a.rows * b.cols, "the result fits");
    let stride = |x: usize| x as isize;
    // SAFETY: `Mat` keeps every entry `row · stride + col · stride` within its data, and `c` is as long as asserted.
    unsafe {
        matrixmultiply::sgemm(
            a.rows,
            a.cols,
            b.cols,
            1.0,
            a.data.as_ptr(),
            stride(a.strides[0]),
            stride(a.strides[1]),
            b.data.as_ptr(),
            stride(b.strides[0]),
            stride(b.strides[1]),
            beta,
            c.as_mut_ptr(),
            stride(b.cols),
            1,
        );
    }
}

/// Rows per task of an elementwise or row-wise pass: large enough for a product, small enough for the cache. It
/// does not depend on the number of threads, so results do not either.
pub(crate) const ROW_BLOCK: usize = 256;

/// `dst ← dst + src`.
pub(crate) fn add_into(dst: &mut [f32], src: &[f32]) {
    for (d, s) in dst.iter_mut().zip(src) {
        *d += s;
    }
}
