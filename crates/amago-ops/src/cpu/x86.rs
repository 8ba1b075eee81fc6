//! Operations of several instructions on x86-64.
//!
//! # Safety
//! The processor must have the instructions, and pointers must be valid for what is read or written.

use std::arch::x86_64::*;

/// The first `count` bits, fewer than sixteen.
fn bits(count: usize) -> u16 {
    (1 << count) - 1
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn load_some_512(from: *const f32, count: usize) -> __m512 {
    // SAFETY: the caller's.
    unsafe { _mm512_maskz_loadu_ps(bits(count), from) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn store_some_512(to: *mut f32, x: __m512, count: usize) {
    // SAFETY: the caller's.
    unsafe { _mm512_mask_storeu_ps(to, bits(count), x) }
}

/// All bits of the first `count` numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn mask(count: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn load_some_256(from: *const f32, count: usize) -> __m256 {
    // SAFETY: the caller's.
    unsafe { _mm256_maskload_ps(from, mask(count)) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn store_some_256(to: *mut f32, x: __m256, count: usize) {
    // SAFETY: the caller's.
    unsafe { _mm256_maskstore_ps(to, mask(count), x) }
}

/// Eight rows of eight numbers become columns: neighbours are paired, then pairs, then halves.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose(from: *const f32, to: *mut f32, [by_row, stride]: [usize; 2]) {
    let (mut rows, mut pairs, mut fours) =
        ([_mm256_setzero_ps(); 8], [_mm256_setzero_ps(); 8], [_mm256_setzero_ps(); 8]);
    for (i, row) in rows.iter_mut().enumerate() {
        // SAFETY: the caller's.
        *row = unsafe { _mm256_loadu_ps(from.add(i * by_row)) };
    }
    for i in (0..8).step_by(2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    // Of four rows: columns 0, 1, 2, 3 in the lower half and 4, 5, 6, 7 in the upper one.
    for i in [0, 1, 4, 5] {
        let at = i / 4 * 4 + i % 4 * 2;
        fours[at] = _mm256_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
        fours[at + 1] = _mm256_shuffle_ps::<0xEE>(pairs[i], pairs[i + 2]);
    }
    for i in 0..4 {
        let (a, b) = (fours[i], fours[i + 4]);
        // SAFETY: the caller's.
        unsafe {
            _mm256_storeu_ps(to.add(i * stride), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(to.add((i + 4) * stride), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}
