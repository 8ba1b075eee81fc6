//! The goal encoders against their formulas, written out with plain numbers.

mod support;

use std::collections::BTreeMap;

use amago_golden::modules::{device, values};
use amago_seqmodel::*;
use burn::tensor::{Tensor, TensorData};
use support::{fixed, layout, vectors, weights};

/// A goal of two parts with three numbers, behind another key and before one.
fn observation() -> ObsLayout {
    layout(&[
        ("arm", ObsKind::Vector(vec![1])),
        ("goal", ObsKind::Vector(vec![2, 3])),
        ("place", ObsKind::Vector(vec![2])),
    ])
}

/// One observation whose goal is given.
fn with_goal(goal: [f32; 6]) -> ObsTensors {
    let values = [&[9.0], &goal[..], &[8.0, 7.0]].concat();
    Tensor::<3>::from_data(TensorData::new(values, [1, 1, 9]), &device()).into()
}

fn ends_with<'a>(weights: &'a BTreeMap<String, Vec<f32>>, name: &str) -> &'a [f32] {
    let mut found = weights.iter().filter(|(path, _)| path.ends_with(name));
    let (_, values) = found.next().unwrap_or_else(|| panic!("no {name} in {:?}", weights.keys()));
    assert!(found.next().is_none(), "more than one {name}");
    values
}

/// `x W + b` with `W` stored by input.
fn linear(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let column = |j: usize| x.iter().enumerate().map(|(i, x)| x * weight[i * bias.len() + j]).sum::<f32>();
    bias.iter().enumerate().map(|(j, b)| b + column(j)).collect()
}

fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let n = x.len() as f32;
    let mean = x.iter().sum::<f32>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n;
    let normal = x.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt());
    normal.zip(weight.iter().zip(bias)).map(|(x, (w, b))| x * w + b).collect()
}

fn assert_close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    let apart = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-5, "{got:?} is not {expected:?}");
}

#[test]
fn feed_forward() {
    let config = GoalConfig::FeedForward(FfGoalConfig { d_output: 4, ..FfGoalConfig::default() });
    let encoder = fixed(config.init(&observation(), &device()));
    let goal = [0.3, -1.2, 2.0, 0.0, 0.5, -0.1];
    let w = weights(&encoder);
    let part =
        |name: &str| (ends_with(&w, &format!("{name}.weight")), ends_with(&w, &format!("{name}.bias")));
    let ((w1, b1), (w2, b2), (scale, shift)) = (part("ff1"), part("ff2"), part("goal_norm"));
    assert_eq!((b1.len(), w1.len()), (6, 36), "twice as wide as one part of the goal");
    let leaky = |x: f32| if x > 0.0 { x } else { 0.01 * x };
    let hidden: Vec<f32> = linear(&goal, w1, b1).into_iter().map(leaky).collect();
    let expected = layer_norm(&linear(&hidden, w2, b2), scale, shift);
    assert_close(&values(&encoder.forward(&with_goal(goal))), &expected);
}

fn token_config() -> TokenGoalConfig {
    TokenGoalConfig {
        min_token: -2,
        max_token: 5,
        d_embedding: 3,
        d_hidden: 4,
        d_output: 5,
        ..TokenGoalConfig::default()
    }
}

#[test]
fn tokens() {
    let encoder = fixed(GoalConfig::Token(token_config()).init(&observation(), &device()));
    let w = weights(&encoder);
    let table = ends_with(&w, "goal_emb.weight");
    assert_eq!(table.len(), 8 * 3, "a row for every token from -2 to 5");
    let (w_ih, w_hh) = (ends_with(&w, "weight_ih_l0"), ends_with(&w, "weight_hh_l0"));
    let (b_ih, b_hh) = (ends_with(&w, "bias_ih_l0"), ends_with(&w, "bias_hh_l0"));
    let mut h = vec![0.0f32; 4];
    for token in [-2i32, 5, 0, 3, 3, -1] {
        let x = &table[3 * (token + 2) as usize..][..3];
        let row = |j: usize| {
            let input: f32 = (0..3).map(|i| w_ih[3 * j + i] * x[i]).sum();
            let memory: f32 = (0..4).map(|i| w_hh[4 * j + i] * h[i]).sum();
            (input + b_ih[j] + memory + b_hh[j]).tanh()
        };
        h = (0..4).map(row).collect();
    }
    let out = linear(&h, ends_with(&w, "goal_ff.weight"), ends_with(&w, "goal_ff.bias"));
    let expected = layer_norm(&out, ends_with(&w, "goal_norm.weight"), ends_with(&w, "goal_norm.bias"));
    let run = |goal| values(&encoder.forward(&with_goal(goal)));
    let got = run([-2.0, 5.0, 0.0, 3.0, 3.0, -1.0]);
    assert_close(&got, &expected);
    // Unknown tokens are read as the nearest known one, never beyond the table.
    assert_eq!(run([-9.0, 6.0, 0.0, 3.0, 3.0, -1.0]), got);
    assert_eq!(run([-2.0, 1e6, 0.0, 3.0, 3.0, -1.0]), got);
}

#[test]
fn a_zero_embedding_keeps_the_width_and_sees_nothing() {
    let feed_forward = FfGoalConfig { zero_embedding: true, d_output: 3, ..FfGoalConfig::default() };
    let token = TokenGoalConfig { zero_embedding: true, ..token_config() };
    for (config, width) in [(GoalConfig::FeedForward(feed_forward), 3), (GoalConfig::Token(token), 5)] {
        let encoder = config.init(&observation(), &device());
        let out = encoder.forward(&vectors([2, 3, 9]).into());
        assert_eq!((out.dims(), encoder.d_output()), ([2, 3, width], width));
        assert!(values(&out).iter().all(|x| *x == 0.0));
    }
}

/// A plain encoder reads the goal once, and not with its other vectors.
#[test]
fn the_goal_is_not_normalised_with_the_vectors() {
    let config = FfTstepConfig {
        d_hidden: 8,
        d_output: 8,
        goal: Some(GoalConfig::Token(token_config())),
        ..FfTstepConfig::default()
    };
    let encoder = config.init(&observation(), 3, &device());
    let w = weights(&encoder);
    assert_eq!(w["in_norm.mu"].len(), 1 + 2 + 3, "arm, place and rl2s");
    assert_eq!(w["base.in_layer.weight"].len(), (6 + 5) * 8, "and the encoded goal");
    let widened = FfTstepConfig { auto_scale: true, ..config }.init(&observation(), 3, &device());
    assert_eq!(widened.d_output(), 11);
    let rl2s = vectors([1, 1, 3]);
    let run = |goal| values(&encoder.forward(&with_goal(goal), rl2s.clone()));
    assert_ne!(run([0.0; 6]), run([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]));
    assert_eq!(run([-2.0; 6]), run([-3.0; 6]), "read as tokens only");
}
