//! Random numbers that are a function of their place: every task, and the way back, finds them again.

use std::f32::consts::TAU;

use rayon::prelude::*;

use super::kernel::{Array, Kernel};
use super::rows::ROW_BLOCK;
use super::simd::vectorized;
use crate::shapes::entries;

/// Numbers per task.
const BLOCK: usize = 64 * ROW_BLOCK;

/// 32 random bits for a place. Two rounds of a hash whose bias is small (Wellons 2018, "lowbias32"), each with half
/// of the key.
#[inline(always)]
fn bits(key: u64, place: u32) -> u32 {
    let mix = |x: u32| {
        let x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
        let x = (x ^ (x >> 15)).wrapping_mul(0xd35a_2d97);
        x ^ (x >> 15)
    };
    mix(mix(place ^ key as u32).wrapping_add((key >> 32) as u32))
}

/// Uniform in `[0, 1)`.
#[inline(always)]
fn uniform_at(key: u64, place: u32) -> f32 {
    (bits(key, place) >> 8) as f32 * 2f32.powi(-24)
}

/// Uniform draws in `[0, 1)`.
pub(crate) fn uniform(key: u64, dims: &[usize]) -> Array {
    filled(dims, |place| uniform_at(key, place))
}

/// Draws of zero mean and unit variance (Box and Muller 1958).
pub(crate) fn normal(key: u64, dims: &[usize]) -> Array {
    filled(dims, |place| {
        // One minus the draw is never zero, so its logarithm is finite. The second draw has another key, not
        // another place: all places are taken.
        let (radius, angle) = (1.0 - uniform_at(key, place), uniform_at(!key, place));
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    })
}

fn filled(dims: &[usize], value: impl Fn(u32) -> f32 + Sync) -> Array {
    let mut out = vec![0.0; entries(dims)];
    out.par_chunks_mut(BLOCK).enumerate().for_each(|(block, out)| fill((block * BLOCK) as u32, out, &value));
    Array::new(out, dims)
}

vectorized! {
    fn fill(start: u32, out: &mut [f32], value: &impl Fn(u32) -> f32) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = value(start + i as u32);
        }
    }
}

vectorized! {
    fn drop_some(x: &mut [f32], start: u32, key: u64, dropped: u32, scale: f32) {
        for (i, x) in x.iter_mut().enumerate() {
            *x = if bits(key, start + i as u32) >= dropped { *x * scale } else { 0.0 };
        }
    }
}

/// Input and output of any one shape: zero with a probability, else scaled up.
#[derive(Debug)]
pub(crate) struct Dropout {
    pub(crate) key: u64,
    /// Probability of a zero.
    pub(crate) prob: f64,
}

impl Dropout {
    fn apply(&self, x: &mut [f32]) {
        let scale = (1.0 - self.prob).recip() as f32;
        let dropped = (self.prob * 2f64.powi(32)) as u32;
        let blocks = x.par_chunks_mut(BLOCK).enumerate();
        blocks.for_each(|(block, x)| drop_some(x, (block * BLOCK) as u32, self.key, dropped, scale));
    }
}

impl Kernel<1> for Dropout {
    type Saved = ();

    fn forward(&self, [x]: [&Array; 1]) -> (Array, ()) {
        let mut out = x.data().to_vec();
        self.apply(&mut out);
        (Array::new(out, &x.dims()), ())
    }

    fn backward(&self, _: [&Array; 1], (): (), mut grad: Array, _: [bool; 1]) -> [Option<Array>; 1] {
        // The same draws again, instead of a mask that was kept.
        self.apply(grad.data_mut());
        [Some(grad)]
    }
}
