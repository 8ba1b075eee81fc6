//! Features that hardly vary, or seem to vary less than nothing.

use amago_golden::modules::{device, values};
use amago_seqmodel::{CnnTstepConfig, FfTstepConfig, InputNorm, InputNormConfig, ModelError, set_buffer};
use burn::tensor::Tensor;

/// Variances of 4, of almost nothing, and, by rounding, below zero.
fn norm() -> InputNorm {
    let mut norm = InputNormConfig::default().init(3, &device());
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

/// After one update with step size `β/(1 − (1−β)²) = 1/(2 − β)`, from a start value to the mean square of the batch.
#[test]
fn step_size_and_start_are_settings() {
    for (beta, init_nu) in [(1e-4, 1.0), (0.5, 9.0)] {
        let mut norm = InputNormConfig { beta, init_nu }.init(1, &device());
        assert_eq!(values(&norm.nu.val()), [init_nu as f32]);
        norm.update(Tensor::full([1, 2, 1], 2.0, &device()), Tensor::ones([1, 2, 1], &device()));
        let rate = 1.0 / (2.0 - beta);
        let expected = [(norm.mu.val(), rate * 2.0), (norm.nu.val(), (1.0 - rate) * init_nu + rate * 4.0)];
        for (got, expected) in expected.map(|(got, expected)| (values(&got)[0], expected)) {
            assert!((f64::from(got) - expected).abs() < 1e-3, "{got}, not {expected}, with β = {beta}");
        }
    }
}

#[test]
fn statistics_must_move_and_begin_somewhere() {
    let refused = |input_norm: InputNormConfig, error: ModelError| {
        let plain = FfTstepConfig { input_norm, ..FfTstepConfig::default() };
        let cnn = CnnTstepConfig { input_norm, ..CnnTstepConfig::default() };
        assert_eq!((plain.validate(), cnn.validate()), (Err(error.clone()), Err(error)));
    };
    let error = |name, value: f64, range| ModelError::Range { name, value: value.to_string(), range };
    let default = InputNormConfig::default();
    for beta in [0.0, 1.0, -1e-4, f64::NAN] {
        let expected = error("input_norm.beta", beta, "above 0 and below 1");
        refused(InputNormConfig { beta, ..default }, expected);
    }
    for init_nu in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let expected = error("input_norm.init_nu", init_nu, "above 0 and at most 1e12");
        refused(InputNormConfig { init_nu, ..default }, expected);
    }
}
