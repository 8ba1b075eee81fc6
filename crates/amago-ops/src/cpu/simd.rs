//! Vector registers of the processor at hand, found at run time: the program is compiled for the oldest one.

/// Operations on one register of numbers.
///
/// # Safety
/// The processor must have the instructions, and pointers must be valid for as many numbers as are read or written.
pub(super) trait Simd {
    /// The register.
    type V: Copy;
    /// Numbers in it.
    const LANES: usize;
    /// Rows of a tile of a matrix product, and registers per row: together nearly all of them.
    const TILE: [usize; 2];

    unsafe fn zero() -> Self::V;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, x: Self::V);
    /// `a · b + c`.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `max(slope · x, x)`.
    unsafe fn leaky(slope: Self::V, x: Self::V) -> Self::V;
    /// The first `count` numbers, fewer than a register holds; the others are zero.
    unsafe fn load_some(from: *const f32, count: usize) -> Self::V;
    /// Stores the first `count` numbers.
    unsafe fn store_some(to: *mut f32, x: Self::V, count: usize);
    /// Eight rows of eight numbers become columns; `strides` are the distances of rows on both sides.
    unsafe fn transpose(from: *const f32, to: *mut f32, strides: [usize; 2]);
    /// Brings an address near, valid or not.
    fn prefetch(_: *const f32) {}
}

/// Any processor: the compiler makes of it what it can.
pub(super) struct Portable;

/// Fused where that is one instruction; elsewhere it would be a call of a function.
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
}

// SAFETY of the bodies below: each method asks of its caller exactly what it does.
impl Simd for Portable {
    type V = [f32; 8];
    const LANES: usize = 8;
    const TILE: [usize; 2] = [4, 2];

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Self::V) {
        // SAFETY: the caller's.
        unsafe { to.cast::<Self::V>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| mul_add(a[i], b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn leaky(slope: Self::V, x: Self::V) -> Self::V {
        std::array::from_fn(|i| (slope[i] * x[i]).max(x[i]))
    }
    #[inline(always)]
    unsafe fn load_some(from: *const f32, count: usize) -> Self::V {
        // SAFETY: the caller's.
        std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_some(to: *mut f32, x: Self::V, count: usize) {
        // SAFETY: the caller's.
        x.iter().take(count).enumerate().for_each(|(i, x)| unsafe { *to.add(i) = *x });
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, to: *mut f32, [by_row, stride]: [usize; 2]) {
        for i in 0..8 {
            for j in 0..8 {
                // SAFETY: the caller's.
                unsafe { *to.add(j * stride + i) = *from.add(i * by_row + j) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($name:ident, $v:ident, $lanes:literal, $tile:expr, $doc:literal,
     $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident, $mul:ident, $max:ident,
     $load_some:path, $store_some:path) => {
        #[doc = $doc]
        pub(super) struct $name;

        impl Simd for $name {
            type V = std::arch::x86_64::$v;
            const LANES: usize = $lanes;
            const TILE: [usize; 2] = $tile;

            #[inline(always)]
            unsafe fn zero() -> Self::V {
                // SAFETY: the caller's.
                unsafe { std::arch::x86_64::$zero() }
            }
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self::V {
                // SAFETY: the caller's.
                unsafe { std::arch::x86_64::$splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self::V {
                // SAFETY: the caller's.
                unsafe { std::arch::x86_64::$load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, x: Self::V) {
                // SAFETY: the caller's.
                unsafe { std::arch::x86_64::$store(to, x) }
            }
            #[inline(always)]
            unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // SAFETY: the caller's.
                unsafe { std::arch::x86_64::$fma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn leaky(slope: Self::V, x: Self::V) -> Self::V {
                // SAFETY: the caller's.
                unsafe { std::arch::x86_64::$max(std::arch::x86_64::$mul(slope, x), x) }
            }
            #[inline(always)]
            unsafe fn load_some(from: *const f32, count: usize) -> Self::V {
                // SAFETY: the caller's.
                unsafe { $load_some(from, count) }
            }
            #[inline(always)]
            unsafe fn store_some(to: *mut f32, x: Self::V, count: usize) {
                // SAFETY: the caller's.
                unsafe { $store_some(to, x, count) }
            }
            #[inline(always)]
            unsafe fn transpose(from: *const f32, to: *mut f32, strides: [usize; 2]) {
                // SAFETY: the caller's; both kinds of registers come with AVX.
                unsafe { super::x86::transpose(from, to, strides) }
            }
            #[inline(always)]
            fn prefetch(at: *const f32) {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                // SAFETY: x86-64 has this instruction, and it does nothing where it cannot.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86!(
    Avx512,
    __m512,
    16,
    // 24 sums, four registers of the right matrix and one of the left: 29 of 32. 14 × 2 was slower on most
    // shapes (docs/LOG.md, 2026-11-22, morning, shapes of tiles).
    [6, 4],
    "AVX-512: 32 registers of 16 numbers.",
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_mul_ps,
    _mm512_max_ps,
    super::x86::load_some_512,
    super::x86::store_some_512
);

#[cfg(target_arch = "x86_64")]
x86!(
    Avx2,
    __m256,
    8,
    // 12 sums, two of the right matrix and one of the left: 15 of 16.
    [6, 2],
    "AVX2 with fused multiply-add: 16 registers of 8 numbers.",
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_mul_ps,
    _mm256_max_ps,
    super::x86::load_some_256,
    super::x86::store_some_256
);

/// What can be run with any registers.
pub(super) trait WithSimd {
    /// # Safety
    /// The processor must have the instructions of `S`.
    unsafe fn run<S: Simd>(self);
}

/// Runs with the widest registers that the processor has. `run` must be inlined, so that it is compiled for them.
pub(super) fn dispatch<W: WithSimd>(work: W) {
    #[cfg(target_arch = "x86_64")]
    {
        /// # Safety
        /// The processor must have these instructions.
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        unsafe fn avx512<W: WithSimd>(work: W) {
            // SAFETY: they are enabled here.
            unsafe { work.run::<Avx512>() }
        }
        /// # Safety
        /// The processor must have these instructions.
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2<W: WithSimd>(work: W) {
            // SAFETY: they are enabled here.
            unsafe { work.run::<Avx2>() }
        }
        if has_avx512() {
            // SAFETY: just asked for.
            return unsafe { avx512(work) };
        }
        if has_avx2() {
            // SAFETY: just asked for.
            return unsafe { avx2(work) };
        }
    }
    // SAFETY: every processor has these.
    unsafe { work.run::<Portable>() }
}

/// A function that is compiled once for each kind of register, and picks its own when called. It does not change
/// results: the order of operations is that of the source, and nothing is fused.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                if $crate::cpu::simd::has_avx512() {
                    // SAFETY: just asked for.
                    return unsafe { avx512($($arg),*) };
                }
                if $crate::cpu::simd::has_avx2() {
                    // SAFETY: just asked for.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(super) use vectorized;

#[cfg(target_arch = "x86_64")]
pub(super) fn has_avx512() -> bool {
    // All that `vectorized!` compiles for, also where a product needs the first alone. The standard library
    // remembers the answer, so asking before every call is cheap.
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && has_avx2()
}

#[cfg(target_arch = "x86_64")]
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}
