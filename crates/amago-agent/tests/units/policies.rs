//! Samples, gradients and masks of policies.

use amago_agent::{
    BetaConfig, CategoricalConfig, GmmConfig, Policy, PolicyConfig, PolicyHead, RandomDraws,
    TanhGaussianConfig,
};
use amago_env::Space;
use amago_golden::modules::{device, values};
use burn::tensor::{Distribution, Tensor};

use super::{assert_close, row};

/// Enough draws that a deviation of 0.025 is seven standard deviations of a fair coin.
const DRAWS: usize = 20_000;
const TOLERANCE: f32 = 0.025;

pub fn pair() -> Space {
    Space::box_f32(&[2], -1.0, 1.0)
}

/// One policy from outputs of one state.
pub fn policy(config: PolicyConfig, space: &Space, outputs: &[f32]) -> Policy {
    head(config, space).policy(row(outputs).reshape([1, 1, 1, outputs.len()]), None)
}

pub fn head(config: PolicyConfig, space: &Space) -> PolicyHead {
    PolicyHead::new(&config, space).expect("a policy of this space")
}

/// Probabilities of categorical outputs that the softmax gives back, and no clamp.
fn categorical(probs: &[f32], space: &Space, mask: Option<&[f32]>) -> Policy {
    let config = CategoricalConfig { min_prob: 1e-6, max_prob: 1.0, ..CategoricalConfig::default() };
    let logits = row(probs).clamp_min(1e-6).log().reshape([1, 1, 1, probs.len()]);
    let mask = mask.map(|m| row(m).reshape([1, 1, m.len()]));
    head(PolicyConfig::Categorical(config), space).policy(logits, mask)
}

#[test]
fn choices_follow_their_probabilities() {
    let space = Space::MultiDiscrete { nvec: vec![3, 2] };
    let probs = [0.1, 0.6, 0.3, 0.75, 0.25];
    let policy = categorical(&probs, &space, None);
    let samples = policy.sample(DRAWS, &mut RandomDraws);
    assert_eq!(samples.dims(), [DRAWS, 1, 1, 1, 5]);
    for one in values(&samples).chunks_exact(5) {
        assert!(space.contains(one), "{one:?} is not one-hot per choice");
    }
    assert_close(&values(&samples.clone().mean_dim(0)), &probs, TOLERANCE);
    // Choices are independent: options of different choices meet as often as by chance.
    let both = samples.clone().narrow(4, 1, 1) * samples.narrow(4, 3, 1);
    assert_close(&values(&both.mean_dim(0)), &[0.6 * 0.75], TOLERANCE);
    assert_close(&values(&policy.greedy()), &[0.0, 1.0, 0.0, 1.0, 0.0], 0.0);
    let action = row(&[0.0, 0.0, 1.0, 0.0, 1.0]).reshape([1, 1, 1, 5]);
    let log_prob = values(&policy.log_prob(action));
    assert_close(&log_prob, &[(0.3_f32 * 0.25).ln()], 1e-3);
    let entropy: f32 = probs.iter().map(|p| -p * p.ln()).sum();
    assert_close(&values(&policy.entropy(&mut RandomDraws)), &[entropy], 1e-3);
}

#[test]
fn differentiable_choices_are_one_hot_and_follow_their_probabilities() {
    let probs = [0.1, 0.6, 0.3];
    let space = Space::Discrete { n: 3 };
    let samples = categorical(&probs, &space, None).rsample(DRAWS, &mut RandomDraws);
    let entries = values(&samples);
    assert!(entries.iter().all(|x| x.abs() < 1e-6 || (x - 1.0).abs() < 1e-6), "not one-hot");
    assert_close(&values(&samples.mean_dim(0)), &probs, TOLERANCE);
}

#[test]
fn illegal_options_have_no_part() {
    let space = Space::MultiDiscrete { nvec: vec![3, 2] };
    // The likeliest option of the first choice is illegal; nothing of the second is legal, as after
    // the end of a task, so everything counts as legal.
    let mask = [1.0, 0.0, 1.0, 0.0, 0.0];
    let policy = categorical(&[0.1, 0.6, 0.3, 0.75, 0.25], &space, Some(&mask));
    let expected = [0.25, 0.0, 0.75, 0.75, 0.25];
    let Policy::Categorical(p) = &policy else { panic!("another kind") };
    assert_close(&values(&p.probs), &expected, 1e-4);
    assert_close(&values(&policy.greedy()), &[0.0, 0.0, 1.0, 1.0, 0.0], 0.0);
    for samples in [policy.sample(DRAWS, &mut RandomDraws), policy.rsample(DRAWS, &mut RandomDraws)] {
        let frequencies = values(&samples.mean_dim(0));
        assert_close(&frequencies, &expected, TOLERANCE);
        assert!(frequencies[1].abs() < 1e-9, "an illegal option was drawn");
    }
    let entropy: f32 = expected.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
    assert_close(&values(&policy.entropy(&mut RandomDraws)), &[entropy], 1e-3);
    // The critics see no weight on it either.
    let actions = row(&[1.0, 0.0, 0.0, 0.0, 1.0]).reshape([1, 1, 1, 5]);
    let head = head(PolicyConfig::default(), &space);
    let soft = values(&head.for_critics(actions, Some(row(&mask).reshape([1, 1, 5]))));
    assert!(soft[1] == 0.0 && soft[2] > 0.0 && soft[4] > 0.9, "{soft:?}");
    assert_close(&[soft[..3].iter().sum(), soft[3..].iter().sum()], &[1.0, 1.0], 1e-6);
}

#[test]
fn a_single_legal_option_is_certain() {
    let space = Space::Discrete { n: 4 };
    let device = device().autodiff();
    let outputs = Tensor::<4>::zeros([1, 1, 2, 4], &device).require_grad();
    let mask = Tensor::<1>::from_floats([0.0, 0.0, 0.0, 1.0], &device).reshape([1, 1, 4]);
    let policy = head(PolicyConfig::default(), &space).policy(outputs.clone(), Some(mask));
    let samples = policy.sample(1000, &mut RandomDraws).mean_dim(0);
    assert_close(&values(&samples), &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 0.0);
    assert_close(&values(&policy.entropy(&mut RandomDraws)), &[0.0, 0.0], 1e-5);
    let taken = policy.sample(1, &mut RandomDraws).squeeze_dim(0);
    let loss = policy.log_prob(taken).sum() + policy.rsample(1, &mut RandomDraws).square().sum();
    let grad = outputs.grad(&loss.backward()).expect("it takes part");
    assert!(values(&grad).iter().all(|g| g.is_finite()), "{grad}");
}

#[test]
fn bits_follow_their_probabilities() {
    let space = Space::MultiBinary { n: 3 };
    let policy = policy(PolicyConfig::default(), &space, &[0.0, 3.9, -1.0]);
    let probs = [0.5, 1.0 / (1.0 + (-3.9_f32).exp()), 1.0 / (1.0 + 1.0_f32.exp())];
    let samples = policy.sample(DRAWS, &mut RandomDraws);
    assert!(values(&samples).iter().all(|x| *x == 0.0 || *x == 1.0));
    assert_close(&values(&samples.mean_dim(0)), &probs, TOLERANCE);
    // 0.98 is likelier set than not; one half is not.
    assert_close(&values(&policy.greedy()), &[0.0, 1.0, 0.0], 0.0);
    let entropy: f32 = probs.iter().map(|p| -p * p.ln() - (1.0 - p) * (1.0 - p).ln()).sum();
    assert_close(&values(&policy.entropy(&mut RandomDraws)), &[entropy], 1e-4);
}

/// Kinds of policies over two numbers, with outputs that are not symmetric.
fn continuous() -> Vec<(PolicyConfig, Vec<f32>)> {
    let gmm = GmmConfig { modes: 2, ..GmmConfig::default() };
    vec![
        (PolicyConfig::TanhGaussian(TanhGaussianConfig::default()), vec![0.4, -0.8, 0.1, -0.3]),
        (PolicyConfig::Beta(BetaConfig::default()), vec![1.0, 2.0, -1.0, 3.0]),
        (PolicyConfig::Gmm(gmm), vec![0.4, -0.8, -0.5, 0.9, -1.0, -1.5, -0.5, -1.0, 0.7, -0.2]),
    ]
}

/// The density integrates to the frequency of samples in a box, for each kind.
#[test]
fn samples_have_the_density_that_log_prob_says() {
    const SIDE: usize = 60;
    let (low, high) = (-0.8_f32, 0.7_f32);
    let step = (high - low) / SIDE as f32;
    let at = |i: usize| low + (i as f32 + 0.5) * step;
    let grid: Vec<f32> = (0..SIDE * SIDE).flat_map(|i| [at(i / SIDE), at(i % SIDE)]).collect();
    let grid = row(&grid).reshape([SIDE * SIDE, 1, 1, 2]);
    for (config, outputs) in continuous() {
        let one = policy(config.clone(), &pair(), &outputs);
        let wide = row(&outputs).reshape([1, 1, 1, outputs.len()]);
        let all = head(config.clone(), &pair()).policy(wide.repeat_dim(0, SIDE * SIDE), None);
        let density = values(&all.log_prob(grid.clone()).exp());
        let mass = density.iter().sum::<f32>() * step * step;
        let samples = values(&one.sample(DRAWS, &mut RandomDraws));
        let inside = |a: &[f32]| a.iter().all(|x| (low..high).contains(x));
        assert!(samples.iter().all(|x| (-1.0..=1.0).contains(x)));
        let share = samples.chunks_exact(2).filter(|a| inside(a)).count() as f32 / DRAWS as f32;
        assert!((mass - share).abs() < TOLERANCE, "{}: {mass} and {share}", config.kind());
        assert!(mass > 0.1 && mass < 0.95, "{}: the box tells little: {mass}", config.kind());
    }
}

/// For smooth functions the mean gradient of samples is the gradient of the mean, which central
/// differences of the density give.
#[test]
fn gradients_of_samples_are_those_of_the_mean() {
    const SIDE: usize = 4000;
    let space = Space::box_f32(&[1], -1.0, 1.0);
    let f = |a: Tensor<5>| (a.clone() * 1.7).sin() + a.square() * 0.5;
    let expected = |config: &PolicyConfig, outputs: &[f32]| -> f64 {
        let at: Vec<f32> = (0..SIDE).map(|i| -1.0 + (i as f32 + 0.5) * 2.0 / SIDE as f32).collect();
        let wide = row(outputs).reshape([1, 1, 1, 2]).repeat_dim(0, SIDE);
        let policy = head(config.clone(), &space).policy(wide, None);
        let density = values(&policy.log_prob(row(&at).reshape([SIDE, 1, 1, 1])).exp());
        let f = values(&f(row(&at).reshape([SIDE, 1, 1, 1, 1])));
        density.iter().zip(f).map(|(p, f)| f64::from(*p) * f64::from(f)).sum::<f64>() * 2.0 / SIDE as f64
    };
    // Densities without clipped actions, which the mean of samples does not know.
    let beta = BetaConfig { clip_actions: [-0.9999, 0.9999], ..BetaConfig::default() };
    let gaussian = TanhGaussianConfig { clip_actions: [-0.9999, 0.9999], ..TanhGaussianConfig::default() };
    for (config, outputs) in [
        (PolicyConfig::TanhGaussian(gaussian), [0.4, -0.5]),
        (PolicyConfig::Beta(beta.clone()), [0.5, 1.5]),
        (PolicyConfig::Beta(beta), [3.0, -2.0]),
    ] {
        let device = device().autodiff();
        let at = Tensor::<1>::from_floats(outputs, &device).reshape([1, 1, 1, 2]).require_grad();
        let policy = head(config.clone(), &space).policy(at.clone(), None);
        let mean = f(policy.rsample(2 * DRAWS, &mut RandomDraws)).mean();
        let grad = values(&at.grad(&mean.backward()).expect("it takes part"));
        for i in 0..2 {
            let h = 0.05;
            let moved = |by: f32| {
                let mut outputs = outputs;
                outputs[i] += by;
                expected(&config, &outputs)
            };
            let slope = ((moved(h) - moved(-h)) / f64::from(2.0 * h)) as f32;
            assert!((grad[i] - slope).abs() < 0.02, "{} {i}: {} and {slope}", config.kind(), grad[i]);
        }
    }
}

#[test]
fn samples_without_gradient_have_none() {
    let device = device().autodiff();
    for (config, outputs) in continuous() {
        let at = Tensor::<1>::from_floats(outputs.as_slice(), &device);
        let at = at.reshape([1, 1, 1, outputs.len()]).require_grad();
        let policy = head(config, &pair()).policy(at.clone(), None);
        let loss = policy.sample(3, &mut RandomDraws).sum() + at.clone().sum();
        let grad = values(&at.grad(&loss.backward()).expect("the second term takes part"));
        assert_close(&grad, &vec![1.0; outputs.len()], 0.0);
    }
}

#[test]
fn extreme_outputs_stay_finite() {
    let device = device().autodiff();
    for (config, outputs) in continuous() {
        for scale in [-300.0, 300.0] {
            let shape = [2, 1, 1, outputs.len()];
            let at = Tensor::<4>::random(shape, Distribution::Uniform(0.5, 1.0), &device) * scale;
            let at = at.require_grad();
            let policy = head(config.clone(), &pair()).policy(at.clone(), None);
            let sample = policy.sample(4, &mut RandomDraws);
            assert!(values(&sample).iter().all(|x| (-1.0..=1.0).contains(x)), "{}", config.kind());
            let log_prob = policy.log_prob(sample.narrow(0, 0, 1).squeeze_dim(0));
            let grad = values(&at.grad(&log_prob.clone().sum().backward()).expect("it takes part"));
            assert!(values(&log_prob).iter().chain(&grad).all(|x| x.is_finite()), "{}", config.kind());
        }
    }
}
