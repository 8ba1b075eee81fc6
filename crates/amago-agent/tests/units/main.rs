//! What the recorded cases leave open.

mod accumulate;
mod bins;
mod config;
mod draws;
mod inspect;
mod learner;
mod optim;
mod policies;

use amago_golden::modules::{device, values};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The values of all parameters, in visiting order.
pub fn weights<M: Module>(module: &M) -> Vec<Vec<f32>> {
    struct Collect(Vec<Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(values(&param.val()));
        }
    }
    let mut collect = Collect(Vec::new());
    module.visit(&mut collect);
    collect.0
}

pub fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "entry {i}: got {a}, expected {b}");
    }
}

/// A row of numbers on the test device.
pub fn row(values: &[f32]) -> Tensor<1> {
    Tensor::from_floats(values, &device())
}
