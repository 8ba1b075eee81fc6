//! What bounds do to policies.

use amago_agent::{
    BetaConfig, CategoricalConfig, Policy, PolicyConfig, PolicyHead, RandomDraws, StdActivation,
};
use amago_env::Space;
use amago_golden::modules::{device, values};
use burn::tensor::Tensor;

use super::policies::{head, pair, policy};
use super::{assert_close, row};

/// Raw outputs of two numbers: small, then large.
#[test]
fn concentrations_stay_within_their_bounds() {
    let outputs = [-50.0, 50.0, 0.0, 50.0];
    let concentrations = |config: BetaConfig| {
        let Policy::Beta(p) = policy(PolicyConfig::Beta(config), &pair(), &outputs) else {
            panic!("another kind")
        };
        [values(&p.alpha), values(&p.beta)].concat()
    };
    let open = BetaConfig { alpha_low: 1.5, beta_low: 2.0, ..BetaConfig::default() };
    assert_close(&concentrations(open.clone()), &[1.5, 51.5, 2.0 + 2f32.ln(), 52.0], 1e-4);
    let cut = BetaConfig { alpha_high: 6.0, beta_high: 8.0, ..open };
    assert_close(&concentrations(cut.clone()), &[1.5, 6.0, 2.0 + 2f32.ln(), 8.0], 1e-4);
    // From one end to the other, in the middle at the geometric mean.
    let laid_out = BetaConfig { std_activation: StdActivation::Tanh, ..cut };
    assert_close(&concentrations(laid_out), &[1.5, 6.0, 4.0, 8.0], 1e-4);
}

/// Options that are as unlikely as can be, choices of nothing, and those of an illegal option.
#[test]
fn without_a_floor_all_is_finite() {
    let space = Space::MultiDiscrete { nvec: vec![3, 2] };
    let config = CategoricalConfig { min_prob: 0.0, max_prob: 1.0, ..CategoricalConfig::default() };
    let head = head(PolicyConfig::Categorical(config), &space);
    let outputs = Tensor::<1>::from_floats([500.0, 0.0, -500.0, 3.0, 3.0], &device().autodiff());
    let outputs = outputs.reshape([1, 1, 1, 5]).require_grad();
    let policy = head.policy(outputs.clone(), None);
    let Policy::Categorical(p) = &policy else { panic!("another kind") };
    assert_close(&values(&p.probs), &[1.0, 0.0, 0.0, 0.5, 0.5], 1e-6);
    let never =
        Tensor::<1>::from_floats([0.0, 0.0, 1.0, 1.0, 0.0], &device().autodiff()).reshape([1, 1, 1, 5]);
    let log_prob = policy.log_prob(never);
    assert_close(&values(&log_prob), &[f32::EPSILON.ln() + 0.5f32.ln()], 1e-3);
    let sample = policy.rsample(1, &mut RandomDraws);
    assert_close(&values(&sample)[..3], &[1.0, 0.0, 0.0], 1e-6);
    let entropy = policy.entropy(&mut RandomDraws);
    assert_close(&values(&entropy), &[2f32.ln()], 1e-4);
    let weights =
        Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0], &device().autodiff()).reshape([1, 1, 1, 1, 5]);
    let grads = (log_prob.sum() + (sample * weights).sum()).backward();
    let grad = values(&outputs.grad(&grads).expect("the outputs take part"));
    assert!(grad.iter().all(|x| x.is_finite()), "{grad:?}");

    let legal = row(&[0.0, 1.0, 1.0, 1.0, 1.0]).reshape([1, 1, 5]);
    for (action, mask, expected) in
        [([0.0; 5], None, [0.0; 5]), ([1.0, 0.0, 0.0, 0.0, 1.0], Some(legal), [0.0, 0.0, 0.0, 0.0, 1.0])]
    {
        let action = row(&action).reshape([1, 1, 1, 5]);
        assert_close(&values(&head.for_critics(action, mask)), &expected, 0.0);
    }
}

/// The largest probability of an option, behind all clamps.
#[test]
fn a_floor_takes_from_the_best_option() {
    let largest = |n, min_prob, max_prob| {
        let config = CategoricalConfig { min_prob, max_prob, ..CategoricalConfig::default() };
        let space = Space::MultiDiscrete { nvec: vec![2, n] };
        let head = head(PolicyConfig::Categorical(config), &space);
        let mut outputs = vec![0.0; n + 2];
        outputs[2] = 1e4;
        let Policy::Categorical(p) = head.policy(row(&outputs).reshape([1, 1, 1, n + 2]), None) else {
            panic!("another kind")
        };
        let (options, prob) = head.largest_prob().expect("choices");
        assert_eq!(options, n);
        assert_close(&[prob], &[values(&p.probs)[2]], 1e-4);
        values(&p.probs)[2]
    };
    assert_close(&[largest(1000, 0.001, 0.99)], &[0.99 / (0.99 + 0.999)], 1e-4);
    assert_close(&[largest(1000, 0.0, 0.99)], &[1.0], 1e-4);
    assert_close(&[largest(4, 0.001, 0.99)], &[0.99 / 0.993], 1e-4);
    assert_eq!(PolicyHead::new(&PolicyConfig::default(), &pair()).expect("numbers").largest_prob(), None);
}
