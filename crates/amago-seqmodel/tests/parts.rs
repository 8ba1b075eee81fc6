//! Attention patterns, positions and scans against plain loops over numbers.

use amago_golden::modules::{device, values};
use amago_ops::causal_attention;
use amago_seqmodel::{
    Activation, AttentionPattern, PositionKind, PositionTable, SequenceEncoder, TransformerConfig, scan,
};
use burn::tensor::{Distribution, Int, Tensor};

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() <= 1e-5, "{what}: {a} is not {b} at {i}");
    }
}

/// Attention of one sequence by its definition. `qkv` is `[L, 3, E, H]`; gives `[L, H, E]`.
fn attention_by_hand(qkv: &[f32], [len, size, heads]: [usize; 3], p: &AttentionPattern) -> Vec<f64> {
    let at =
        |t: usize, part: usize, e: usize, h: usize| f64::from(qkv[((t * 3 + part) * size + e) * heads + h]);
    let mut out = Vec::new();
    for (q, h) in (0..len).flat_map(|q| (0..heads).map(move |h| (q, h))) {
        let visible = |k: usize| p.window_size == 0 || q - k <= p.window_size || k < p.sink_size;
        let keys: Vec<usize> = (0..=q).filter(|k| visible(*k)).collect();
        let weight = |k: &usize| {
            let dot: f64 = (0..size).map(|e| at(q, 0, e, h) * at(*k, 1, e, h)).sum();
            let biased = dot / (size as f64).sqrt() + if *k < p.sink_size { p.sink_bias } else { 0.0 };
            let clip = if p.logit_clip > 0.0 { p.logit_clip } else { f64::INFINITY };
            biased.clamp(-clip, clip).exp()
        };
        let weights: Vec<f64> = keys.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        for e in 0..size {
            out.push(keys.iter().zip(&weights).map(|(k, w)| w / total * at(*k, 2, e, h)).sum());
        }
    }
    out
}

#[test]
fn attention_patterns_follow_their_definition() {
    let [len, size, heads] = [11, 4, 2];
    let p = AttentionPattern::default();
    let patterns = [
        p,
        AttentionPattern { window_size: 1, ..p },
        AttentionPattern { window_size: 3, ..p },
        AttentionPattern { window_size: 3, sink_size: 2, ..p },
        AttentionPattern { window_size: 2, sink_size: 5, sink_bias: -1.5, ..p },
        AttentionPattern { window_size: 2, sink_size: 1, sink_bias: 0.8, logit_clip: 0.6 },
        AttentionPattern { logit_clip: 0.3, ..p },
    ];
    for pattern in patterns {
        let qkv = random([1, len, 3 * size * heads]);
        let got = values(&causal_attention(qkv.clone(), heads, &pattern, 0.0));
        let expected = attention_by_hand(&values(&qkv), [len, size, heads], &pattern);
        assert_close(&got, &expected, &format!("{pattern:?}"));
        // A bound out of reach changes nothing but the way it is computed.
        let composed = match pattern.logit_clip {
            0.0 => AttentionPattern { logit_clip: 1e9, ..pattern },
            _ => pattern,
        };
        let got = values(&causal_attention(qkv, heads, &composed, 0.0));
        assert_close(&got, &expected, &format!("{pattern:?}, composed"));
    }
}

/// Only differences of timesteps count where queries and keys are rotated.
/// `Φ(x) + x φ(x)`, not the gradient of an approximation of the function.
#[test]
fn the_gradient_of_gelu_is_exact() {
    let x = Tensor::<1>::from_floats([1.0, -0.5, 2.0, 0.0], &device().autodiff()).require_grad();
    let grads = Activation::Gelu.init(&device().autodiff()).forward(x.clone()).sum().backward();
    let got = values(&x.grad(&grads).expect("it takes part"));
    assert_close(&got, &[1.0833155, 0.1325049, 1.0852319, 0.5], "gradient");
}

#[test]
fn rotary_positions_do_not_see_a_shift() {
    let config =
        |pos_emb| TransformerConfig { d_model: 16, n_heads: 2, pos_emb, ..TransformerConfig::default() };
    let apart = |pos_emb| {
        let encoder = config(pos_emb).init(5, &device());
        let x = random([2, 9, 5]);
        let times = Tensor::<1, Int>::arange(0..9, &device()).unsqueeze::<2>().expand([2, 9]);
        let here = values(&encoder.forward_seq(x.clone(), times.clone()));
        let there = values(&encoder.forward_seq(x, times + 50));
        here.iter().zip(&there).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert!(apart(PositionKind::Rope) < 1e-4, "{}", apart(PositionKind::Rope));
    assert!(apart(PositionKind::Fixed) > 1e-2, "{}", apart(PositionKind::Fixed));
}

#[test]
fn timesteps_beyond_the_table_share_its_last_vector() {
    let table = PositionTable::new(3, 4, &device());
    let at = |times: [i64; 6]| values(&table.forward(Tensor::<2, Int>::from_ints([times], &device())));
    assert_eq!(at([0, 1, 2, 3, 4, 1_000_000]), at([0, 1, 2, 2, 2, 2]));
    assert_ne!(at([2; 6])[..4], at([1; 6])[..4]);
}

#[test]
fn a_scan_equals_the_recurrence() {
    for len in (1..20).chain([64, 100, 129]) {
        let (a, b) = (random([2, len, 3]), random([2, len, 3]));
        // Decays, as where it is used: products of larger numbers would run away.
        let a = a.tanh();
        let got = values(&scan(a.clone(), b.clone()));
        let (a, b) = (values(&a), values(&b));
        let mut expected = vec![0.0; got.len()];
        for (row, t, m) in (0..2).flat_map(|r| (0..len).flat_map(move |t| (0..3).map(move |m| (r, t, m)))) {
            let at = |t: usize| (row * len + t) * 3 + m;
            let before = if t > 0 { expected[at(t - 1)] } else { 0.0 };
            expected[at(t)] = f64::from(a[at(t)]) * before + f64::from(b[at(t)]);
        }
        assert_close(&got, &expected, &format!("length {len}"));
    }
}
