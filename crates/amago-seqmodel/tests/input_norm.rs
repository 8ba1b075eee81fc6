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

fn column(values: &[f32]) -> Tensor<3> {
    Tensor::<1>::from_floats(values, &device()).reshape([1, values.len(), 1])
}

/// A wave of some size, with other values in some of its places.
fn wave(len: usize, size: f32, others: &[(usize, f32)]) -> Tensor<3> {
    let mut values: Vec<f32> = (0..len).map(|i| size * (i as f32 * 1.7).sin()).collect();
    others.iter().for_each(|(i, x)| values[*i] = *x);
    column(&values)
}

fn updated(norm: &mut InputNorm, x: Tensor<3>) -> f32 {
    let [b, l, _] = x.dims();
    values(&norm.update(x, Tensor::ones([b, l, 1], &device())))[0]
}

/// The statistics are those of a batch in which the outliers are padding.
#[test]
fn an_absurd_value_takes_no_part_in_the_statistics() {
    for absurd in [1e4, -1e4, 1e20, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        for len in [10, 1000] {
            let [mut with, mut without] = [(); 2].map(|()| InputNormConfig::default().init(1, &device()));
            for _ in 0..5 {
                assert_eq!(updated(&mut with, wave(len, 1.0, &[(3, absurd)])), 1.0, "{absurd}");
                let mask = Tensor::<3>::ones([1, len, 1], &device()).slice_fill([0..1, 3..4, 0..1], 0.0);
                assert_eq!(values(&without.update(wave(len, 1.0, &[]), mask)), [0.0]);
            }
            for (a, b) in [(&with.mu, &without.mu), (&with.nu, &without.nu), (&with.t, &without.t)] {
                assert_eq!(values(&a.val()), values(&b.val()), "{absurd} among {len}");
            }
            let seen = values(&with.forward(wave(len, 1.0, &[])));
            assert!(seen.iter().any(|x| x.abs() > 1.0), "the input is alive: {seen:?}");
        }
    }
}

#[test]
fn an_undivided_feature_holds_an_absurd_value_that_a_norm_can_square() {
    let mut norm = InputNormConfig::default().init(1, &device());
    for _ in 0..200 {
        updated(&mut norm, column(&[0.5; 40]));
    }
    assert!(values(&norm.sigma())[0] < 0.1);
    set_buffer(&mut norm.nu, norm.mu.val().square());
    let far = values(&norm.forward(column(&[0.5, f32::MAX, -1e20, f32::INFINITY])));
    assert_eq!(far[1..3], [1e15, -1e15]);
    assert!(far[3].is_nan(), "the loss shall see it");
    assert!((0..10).all(|_| updated(&mut norm, column(&[1e20; 40])) == 40.0), "all of them");
    assert!(values(&norm.sigma())[0].is_finite() && values(&norm.mu.val())[0] < 1.0, "it stays as it is");
}

/// What an ordinary feature is, the original decides: its formulas, written down again.
#[test]
fn ordinary_features_move_the_statistics_as_in_the_original() {
    let sparse = |every: usize, x: f32| {
        let values: Vec<f32> = (0..400).map(|i| if i % every == 0 { x } else { 0.0 }).collect();
        column(&values)
    };
    for (what, x) in [
        ("large", wave(400, 1e6, &[])),
        ("tiny", wave(400, 1e-6, &[])),
        ("constant", column(&[1e4; 400])),
        ("heavy-tailed", wave(400, 1.0, &[(3, 250.0), (50, -299.0)])),
        ("a rare byte", wave(400, 0.0, &[(7, 255.0)])),
        ("alone", column(&[1e6])),
        ("two", column(&[1e4, -3e3])),
        ("one in ten", sparse(10, 1e6)),
        ("half", sparse(2, 1e5)),
    ] {
        let mut norm = InputNormConfig::default().init(1, &device());
        let [mut mu, mut nu] = [0.0, 1.0].map(|x| Tensor::<1>::full([1], x, &device()));
        for step in 0..4 {
            assert_eq!(updated(&mut norm, x.clone()), 0.0, "{what}");
            let count = Tensor::<3>::ones(x.dims(), &device()).sum();
            let beta = amago_seqmodel::adaptive_rate(1e-4, Tensor::<1>::full([1], step + 2, &device()));
            let keep = beta.clone().neg() + 1.0;
            let mean = |x: Tensor<3>| x.sum_dims_squeeze::<1, _>(&[0, 1]) / count.clone() * beta.clone();
            (mu, nu) = (mu * keep.clone() + mean(x.clone()), nu * keep + mean(x.clone().square()));
        }
        assert_eq!(values(&norm.mu.val()), values(&mu), "{what}");
        assert_eq!(values(&norm.nu.val()), values(&nu), "{what}");
        let (normal, large) = (norm.forward(x.clone()).abs().max(), x.abs().max().into_scalar::<f32>());
        assert!(large < 0.01 || normal.into_scalar::<f32>() < 25.0, "{what} is normalised at once");
    }
}

/// Statistics that an outlier has spoilt, in a checkpoint of before, come back.
#[test]
fn spoilt_statistics_recover() {
    let mut norm = InputNormConfig::default().init(1, &device());
    set_buffer(&mut norm.nu, Tensor::from_floats([3e4], &device()));
    for _ in 0..300 {
        updated(&mut norm, wave(1000, 1.0, &[(3, 1e4)]));
    }
    let sigma = values(&norm.sigma())[0];
    assert!(sigma < 12.0, "{sigma}, from 173");
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
