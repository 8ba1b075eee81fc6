//! Features that hardly vary, or seem to vary less than nothing.

use amago_golden::modules::{device, values};
use amago_seqmodel::{InputNorm, set_buffer};
use burn::tensor::Tensor;

/// Variances of 4, of almost nothing, and, by rounding, below zero.
fn norm() -> InputNorm {
    let mut norm = InputNorm::new(3, &device());
    let row = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device());
    set_buffer(&mut norm.mu, row([1.0, 2.0, 3.0]));
    set_buffer(&mut norm.nu, row([5.0, 4.00001, 8.9]));
    norm
}

#[test]
fn features_that_hardly_vary_are_only_centred() {
    let norm = norm();
    let sigma = values(&norm.sigma());
    assert!((sigma[0] - 2.0).abs() < 1e-3 && sigma[1] < 0.01, "{sigma:?}");
    assert_eq!(sigma[2], 1e-3, "the smallest, not NaN");
    let far = norm.forward(Tensor::<2>::from_floats([[1e6, 3e4, 3e4]], &device()));
    assert_eq!(values(&far), [1e4, 29998.0, 29997.0], "no bound where nothing is divided");
    let x = Tensor::<2>::from_floats([[5.0, 2.5, 1.0]], &device());
    let normal = norm.forward(x.clone());
    let got = values(&normal);
    assert!((got[0] - 2.0).abs() < 1e-3, "{got:?}");
    assert_eq!(got[1..], [0.5, -2.0]);
    assert_eq!(values(&norm.denormalize(normal)), values(&x), "the inverse");
}
