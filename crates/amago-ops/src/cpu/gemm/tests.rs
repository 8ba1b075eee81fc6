//! Products of every kind of register against sums of their terms.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Buffers, Mat, Product, Start};
use crate::cpu::simd::{Portable, Simd, WithSimd};

/// Rows, terms, columns: single entries, whole tiles, remainders of tiles, registers and slices, several blocks, no terms.
const SIZES: [[usize; 3]; 11] = [
    [1, 1, 1],
    [6, 128, 64],
    [7, 13, 21],
    [13, 9, 70],
    [100, 3, 67],
    [1, 300, 129],
    [24, 130, 64],
    [300, 260, 35],
    [600, 133, 65],
    [289, 8, 16],
    [20, 0, 70],
];

/// A matrix that is seen transposed or not.
fn seen(data: &[f32], rows: usize, cols: usize, transposed: bool) -> Mat<'_> {
    if transposed { Mat::new(data, cols, rows).t() } else { Mat::new(data, rows, cols) }
}

fn entry(mat: &Mat, row: usize, col: usize) -> f64 {
    f64::from(mat.data[row * mat.strides[0] + col * mat.strides[1]])
}

/// The product with registers `S` is the sum of its terms, also where it is added to, and leaves what is not its own.
///
/// # Safety
/// The processor must have the registers.
unsafe fn agrees<S: Simd>() {
    let mut rng = StdRng::seed_from_u64(0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    for [rows, terms, cols] in SIZES {
        let (a, b, before) = (draw(rows * terms), draw(terms * cols), draw(rows * cols + 20));
        for case in 0..12 {
            let a = seen(&a, rows, terms, case % 2 == 1);
            let b = seen(&b, terms, cols, case / 2 % 2 == 1);
            let row = &before[..cols];
            let start = [Start::Zero, Start::Result, Start::Row(row)][case / 4];
            let slope = [1.0, 0.25][case % 2];
            let mut c = before.clone();
            let mut buffers = Buffers::new();
            let out = c.as_mut_slice().into();
            // SAFETY: the caller's.
            unsafe { Product { a, b, start, slope, c: out, buffers: &mut buffers }.run::<S>() };
            assert_eq!(c[rows * cols..], before[rows * cols..], "{rows} x {terms} x {cols} leaves the rest");
            for (i, found) in c[..rows * cols].iter().enumerate() {
                let first = match start {
                    Start::Zero => 0.0,
                    Start::Result => before[i],
                    Start::Row(row) => row[i % cols],
                };
                let terms = (0..terms).map(|k| entry(&a, i / cols, k) * entry(&b, k, i % cols));
                let sum = f64::from(first) + terms.sum::<f64>();
                let wanted = sum.max(f64::from(slope) * sum);
                let off = (f64::from(*found) - wanted).abs();
                assert!(off < 1e-4, "case {case} of {rows} x {cols}: entry {i} is {found}, not {wanted}");
            }
        }
    }
}

#[test]
fn on_any_processor() {
    // SAFETY: every processor has these registers.
    unsafe { agrees::<Portable>() };
}

/// With those that this processor has.
#[cfg(target_arch = "x86_64")]
#[test]
fn with_vector_instructions() {
    use crate::cpu::simd::{Avx2, Avx512, has_avx2, has_avx512};
    if has_avx2() {
        // SAFETY: just asked for.
        unsafe { agrees::<Avx2>() };
    }
    if has_avx512() {
        // SAFETY: just asked for.
        unsafe { agrees::<Avx512>() };
    }
}
