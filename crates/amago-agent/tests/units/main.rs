//! What the recorded cases leave open.

mod bins;
mod config;
mod draws;
mod dropout;
mod inspect;
mod learner;
mod optim;
mod policies;
mod policy_bounds;
mod policy_config;
mod popart;
#[path = "../support/mod.rs"]
mod support;

use amago_golden::modules::device;
use burn::tensor::Tensor;

/// Equal within `tolerance`, which is relative for numbers above one: there an absolute one would soon be less
/// than the rounding of a sum.
pub fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "entry {i}: got {a}, expected {b}");
    }
}

/// A row of numbers on the test device.
pub fn row(values: &[f32]) -> Tensor<1> {
    Tensor::from_floats(values, &device())
}
