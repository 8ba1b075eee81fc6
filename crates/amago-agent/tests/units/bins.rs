use amago_agent::{AgentConfig, BinConfig, Bins, CriticConfig, CriticKind, Labels};
use amago_env::Space;
use amago_golden::modules::{device, values};
use burn::tensor::Tensor;

use super::learner::{ACTIONS, L, batch};
use super::{assert_close, row};
use crate::support::{FirstOnly, agent_in, small};

fn bins(labels: Labels) -> Bins {
    Bins::new(&BinConfig { count: 5, min: -2.0, max: 2.0, symlog: false, labels, ..BinConfig::default() })
}

fn label(bins: &Bins, target: f32) -> Vec<f32> {
    values(&bins.encode(row(&[target]).unsqueeze::<2>()))
}

#[test]
fn two_hot_labels_split_between_neighbours() {
    let bins = bins(Labels::TwoHot);
    assert_close(bins.values(), &[-2.0, -1.0, 0.0, 1.0, 2.0], 1e-6);
    assert_close(&label(&bins, -1.0), &[0.0, 1.0, 0.0, 0.0, 0.0], 1e-6);
    assert_close(&label(&bins, 0.25), &[0.0, 0.0, 0.75, 0.25, 0.0], 1e-6);
    assert_close(&label(&bins, 2.0), &[0.0, 0.0, 0.0, 0.0, 1.0], 1e-6);
    assert_close(&label(&bins, 1e6), &[0.0, 0.0, 0.0, 0.0, 1.0], 1e-6);
    assert_close(&label(&bins, -1e6), &[1.0, 0.0, 0.0, 0.0, 0.0], 1e-6);
}

#[test]
fn hl_gauss_labels_are_distributions_for_every_target() {
    let bins = bins(Labels::HlGauss);
    // On both sides of where single precision loses the mass of the Gaussian.
    for target in [-1e6, -7.0, -6.1, -5.0, -2.0, -0.3, 0.0, 1.5, 2.0, 3.0, 5.9, 6.2, 9.0, 1e6] {
        let label = label(&bins, target);
        let sum: f32 = label.iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "target {target}: sum {sum}");
        assert!(label.iter().all(|p| (0.0..=1.0001).contains(p)), "target {target}: {label:?}");
    }
    let centre = label(&bins, 0.0);
    assert_close(&centre, &centre.iter().rev().copied().collect::<Vec<_>>(), 1e-6);
    assert_close(&label(&bins, 1e6), &[0.0, 0.0, 0.0, 0.0, 1.0], 1e-6);
    assert!(label(&bins, 5.5)[4] > 0.99);
}

/// The middle bin has what lies within half a bin of the target: `erf(1 / (2 √2 σ))`.
#[test]
fn sigma_is_the_width_of_hl_gauss_labels() {
    for (sigma, expected) in [(0.3, 0.904419), (0.75, 0.495015), (0.9, 0.421478), (2.0, 0.197413)] {
        let (labels, symlog) = (Labels::HlGauss, false);
        let config =
            BinConfig { count: 41, min: -20.0, max: 20.0, symlog, labels, sigma, ..BinConfig::default() };
        assert_close(&[label(&Bins::new(&config), 3.0)[23]], &[expected], 1e-4);
        // Two-hot labels have no width.
        let two_hot = Bins::new(&BinConfig { labels: Labels::TwoHot, ..config });
        assert_close(&[label(&two_hot, 3.0)[23]], &[1.0], 1e-6);
    }
}

#[test]
fn decoding_inverts_the_label() {
    for symlog in [false, true] {
        let bins = Bins::new(&BinConfig { count: 41, min: -50.0, max: 80.0, symlog, ..BinConfig::default() });
        for target in [-50.0, -3.3, 0.0, 0.7, 12.0, 80.0_f32] {
            // Logits of a label: zero probabilities become very small ones.
            let logits = bins.encode(row(&[target]).unsqueeze::<2>()).clamp_min(1e-30).log();
            let decoded = values(&bins.decode(logits))[0];
            assert!((decoded - target).abs() < 1e-3 * (1.0 + target.abs()), "{decoded} for {target}");
        }
    }
}

#[test]
fn fresh_critics_predict_the_chosen_value() {
    let device = device();
    for (symlog, value, tolerance) in [(false, 30.0, 0.1), (true, 30.0, 1.0), (true, 0.0, 0.1)] {
        let bins =
            BinConfig { min: -200.0, max: 1000.0, symlog, init_value: Some(value), ..BinConfig::default() };
        let config = CriticConfig { kind: CriticKind::Classification, bins, ..CriticConfig::default() };
        let critic = config.init(3, 4, &[0.9], &Space::Discrete { n: 2 }, &device);
        // Without input only the biases are left; the weights of the last layer add some noise.
        let states = Tensor::zeros([1, 1, 4], &device);
        let bins = critic.bins().expect("a classification critic");
        let logits = row(&bins.logits_around(value)).unsqueeze::<2>();
        assert_close(&values(&bins.decode(logits)), &[value], tolerance);
        let predicted = values(&critic.values(states, Tensor::zeros([1, 1, 1, 1, 2], &device)));
        let width = if symlog { 0.5 * (1.0 + value) } else { 20.0 };
        assert_close(&predicted, &[value; 3], width);
    }
}

/// Rewards of one, ten times as large in the loss, and a bootstrap of nearly nothing.
#[test]
fn targets_outside_the_bins_are_counted() {
    let device = device();
    let mut batch = batch(&device);
    // The padding counts neither here nor there.
    batch.mask = batch.mask.slice_fill([1..2, L..L + 1], 0.0);
    let real = (2 * L - 1) as f32;
    batch.rewards = batch.rewards.slice_fill([0..1, 0..2], 100.0).slice_fill([0..1, 2..3], -100.0);
    batch.rewards = batch.rewards.slice_fill([1..2, L - 1..L], 100.0);
    batch.terminals = batch.terminals.ones_like();
    for (preset, max, expected) in [
        (AgentConfig::amago2(), 500.0, 3.0 / real),
        (AgentConfig::amago2(), 2000.0, 1.0 / real),
        (AgentConfig::amago(), 500.0, 0.0),
    ] {
        let mut config = small(preset);
        (config.critic.bins.min, config.critic.bins.max) = (-500.0, max);
        let agent = agent_in(&config, Space::Discrete { n: ACTIONS }, &device);
        let loss = amago_agent::loss(&agent, &config, &batch, &mut FirstOnly);
        assert_close(&[loss.report.read().bins_left], &[expected], 1e-5);
    }
}
