//! Random draws. On the CPU they are functions of a key and their place, so they can be made in parallel and made
//! again; elsewhere they are the backend's.

use std::cell::Cell;

use burn::tensor::{Device, Distribution, Tensor};

use crate::shapes::{entries, require};

/// Increment of the generator SplitMix64 (Steele et al. 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// How this thread draws. A waiting thread of a pool takes up other work, which must not inherit it.
#[derive(Debug, Clone, Copy)]
struct Context {
    /// Where the next key comes from; the device's generator if there is none.
    stream: Option<u64>,
    /// Whether it is a training pass although no gradient is recorded.
    repeatable: bool,
}

impl Context {
    const NONE: Self = Self { stream: None, repeatable: false };
}

thread_local! {
    static CONTEXT: Cell<Context> = const { Cell::new(Context::NONE) };
}

/// Runs `f` in another context of this thread, and puts the outer one back, also when `f` panics.
fn within<R>(context: Context, f: impl FnOnce() -> R) -> R {
    struct Restore(Context);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.set(self.0);
        }
    }
    let _restore = Restore(CONTEXT.replace(context));
    f()
}

/// Runs `f` as if this thread did nothing else.
#[cfg(feature = "flex")]
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    within(Context::NONE, f)
}

/// Runs `f` with random draws of its own: those of [`dropout`], [`uniform`] and [`normal`] on this thread then depend
/// on `key` alone, not on what other threads draw meanwhile. CPU only; other backends have one generator.
pub fn with_stream<R>(key: u64, f: impl FnOnce() -> R) -> R {
    within(Context { stream: Some(key), repeatable: false }, f)
}

/// Runs a training pass that can be run again: dropout takes part although no gradient is recorded, and all draws
/// depend on `key` alone. Where the backend draws, its generator begins anew.
pub fn repeatable<R>(key: u64, device: &Device, f: impl FnOnce() -> R) -> R {
    if !crate::is_fused(device) {
        device.seed(key);
    }
    within(Context { stream: Some(key), repeatable: true }, f)
}

/// Whether a pass on this device is one of training: it is recorded, or [`repeatable`].
pub fn is_training(device: &Device) -> bool {
    device.is_autodiff() || CONTEXT.get().repeatable
}

/// The next key of this thread's stream; where there is none, one from the device's own generator.
pub fn random_key(device: &Device) -> u64 {
    let context = CONTEXT.get();
    if let Some(state) = context.stream {
        CONTEXT.set(Context { stream: Some(state.wrapping_add(GOLDEN)), ..context });
        let x = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        return x ^ (x >> 31);
    }
    /// Bits that a draw holds for certain.
    const BITS: i32 = 22;
    let draws =
        Tensor::<1>::random([3], Distribution::Uniform(0.0, 1.0), &device.clone().inner()).into_data();
    draws.iter::<f32>().fold(0, |key, x| (key << BITS) | (x * 2f32.powi(BITS)) as u64)
}

/// Zero with probability `prob`, else divided by `1 − prob`: each entry on its own.
///
/// # Shapes
/// - input: any
/// - output: the same
///
/// # Panics
/// When `prob` is not in `[0, 1)`, or `x` has more than 2³² entries.
pub fn dropout<const D: usize>(x: Tensor<D>, prob: f64) -> Tensor<D> {
    assert!((0.0..1.0).contains(&prob), "{prob} is no probability to drop something with");
    if prob == 0.0 {
        return x;
    }
    placed("dropout", &x.dims());
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        let key = random_key(&x.device());
        return crate::cpu::apply(crate::cpu::Dropout { key, prob }, [x.into()]);
    }
    let kept = x.random_like(Distribution::Bernoulli(1.0 - prob));
    x * kept * (1.0 - prob).recip()
}

/// Refuses more draws than have a place of their own: beyond it they would come again.
fn placed(function: &str, shape: &[usize]) {
    let draws = entries(shape);
    require!(draws <= 1 << 32, function, "at most 2^32 draws", shape);
}

/// Uniform draws in `[0, 1)`.
///
/// # Shapes
/// - output: `shape`
///
/// # Panics
/// When there are more than 2³².
pub fn uniform<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    placed("uniform", &shape);
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(device) {
        return crate::cpu::uniform(random_key(device), &shape).on(device);
    }
    Tensor::random(shape, Distribution::Uniform(0.0, 1.0), device)
}

/// Draws of zero mean and unit variance.
///
/// # Shapes
/// - output: `shape`
///
/// # Panics
/// When there are more than 2³².
pub fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    placed("normal", &shape);
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(device) {
        return crate::cpu::normal(random_key(device), &shape).on(device);
    }
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn work_taken_up_by_a_waiting_thread_is_no_part_of_its_pass() {
        let device = Device::flex();
        rayon::scope(|_| {
            repeatable(3, &device, || {
                let before = CONTEXT.get().stream;
                assert!(before == Some(3) && is_training(&device));
                crate::on_pool(&device, || {
                    assert!(!is_training(&device));
                    random_key(&device);
                });
                assert_eq!(CONTEXT.get().stream, before);
                with_stream(5, || assert!(!is_training(&device)));
            });
        });
    }
}
