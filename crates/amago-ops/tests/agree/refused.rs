//! Shapes that do not fit: every function says its name and what it got.

use std::panic::{AssertUnwindSafe, catch_unwind};

use amago_ops::{
    AdamWStep, AttentionPattern, ClassifierHead, adamw, blend, cached_attention, causal_attention, dropout,
    ensemble_linear, layer_norm, linear, normal, power_iteration, sigma_reparam, split_heads, uniform,
};
use burn::tensor::{Bool, Tensor, TensorData};

use super::heads::{BINS, bins, head};
use super::*;

/// The call panics with the name of the function and one of the shapes.
fn refused<R>(function: &str, shape: &str, call: impl FnOnce() -> R) {
    let Err(cause) = catch_unwind(AssertUnwindSafe(call)) else { panic!("{function} takes {shape}") };
    let message = cause.downcast_ref::<String>().expect("a message with its shapes");
    assert!(message.starts_with(&format!("{function} needs ")) && message.contains(shape), "{message}");
}

#[test]
fn by_rows() {
    let _alone = seeded();
    refused("layer_norm", "[2, 5]", || layer_norm(random([2, 5]), random([4]), random([4]), 1e-5));
    refused("layer_norm", "[3]", || layer_norm(random([2, 4]), random([4]), random([3]), 1e-5));
    refused("layer_norm", "[2, 0]", || layer_norm(random([2, 0]), random([0]), random([0]), 1e-5));
    refused("linear", "[4, 3]", || linear(random([2, 5]), random([4, 3]), None, 1.0));
    refused("linear", "[2]", || linear(random([2, 4]), random([4, 3]), Some(random([2])), 1.0));
    let ensemble = |x, w, b, slope| ensemble_linear(random(x), random(w), random(b), slope);
    refused("ensemble_linear", "[3, 2, 4]", || ensemble([3, 2, 4], [2, 4, 5], [2, 5], 1.0));
    refused("ensemble_linear", "[2, 4]", || ensemble([1, 2, 4], [2, 4, 5], [2, 4], 1.0));
    refused("ensemble_linear", "[0, 4, 5]", || ensemble([1, 2, 4], [0, 4, 5], [0, 5], 1.0));
    refused("ensemble_linear", "[0, 2, 4]", || ensemble([0, 2, 4], [2, 4, 5], [2, 5], 1.0));
    refused("ensemble_linear", "1.5", || ensemble([1, 2, 4], [2, 4, 5], [2, 5], 1.5));
    refused("ensemble_linear", "NaN", || ensemble([1, 2, 4], [2, 4, 5], [2, 5], f64::NAN));
}

#[test]
fn by_heads() {
    let _alone = seeded();
    let pattern = AttentionPattern::default();
    // Three times the last one is two, where numbers wrap.
    for (width, n_heads) in [(7, 2), (0, 2), (6, 0), (2, usize::MAX / 3 + 1)] {
        let qkv = || random([1, 2, width]);
        let shape = format!("n_heads {n_heads}");
        refused("causal_attention", &shape, || causal_attention(qkv(), n_heads, &pattern, 0.0));
        refused("causal_attention", &shape, || causal_attention(qkv(), n_heads, &pattern, 0.5));
        refused("split_heads", &shape, || split_heads(qkv(), n_heads));
    }
    let weights = |query, key| pattern.weights(random(query), random(key));
    refused("AttentionPattern::weights", "[1, 2, 4, 4]", || weights([1, 2, 3, 4], [1, 2, 4, 4]));
    refused("AttentionPattern::weights", "[1, 2, 3, 0]", || weights([1, 2, 3, 0], [1, 2, 3, 0]));
}

#[test]
fn by_caches() {
    let _alone = seeded();
    let plain = Device::flex();
    let zeros = |dims: [usize; 4]| Tensor::<4>::zeros(dims, &plain);
    let call = |query, [keys, values]: [[usize; 4]; 2], used: &[usize], unused: [usize; 4]| {
        let none = vec![false; unused.iter().product()];
        let unused = Tensor::<4, Bool>::from_bool(TensorData::new(none, unused), &plain);
        let cache = [zeros(keys), zeros(values)];
        cached_attention(zeros(query), cache, (used, unused), &AttentionPattern::default())
    };
    let (query, cache, unused) = ([2, 3, 1, 4], [2, 3, 5, 4], [2, 1, 1, 5]);
    assert_eq!(call(query, [cache; 2], &[5, 1], unused).dims(), query);
    let name = "cached_attention";
    refused(name, "[2, 3, 2, 4]", || call([2, 3, 2, 4], [cache; 2], &[5, 1], unused));
    refused(name, "[2, 3, 5, 3]", || call(query, [cache, [2, 3, 5, 3]], &[5, 1], unused));
    refused(name, "[2, 2, 5, 4]", || call(query, [[2, 2, 5, 4], cache], &[5, 1], unused));
    refused(name, "[2, 1, 1, 4]", || call(query, [cache; 2], &[5, 1], [2, 1, 1, 4]));
    refused(name, "used [5]", || call(query, [cache; 2], &[5], unused));
    refused(name, "used [6, 1]", || call(query, [cache; 2], &[6, 1], unused));
    refused(name, "used [5, 0]", || call(query, [cache; 2], &[5, 0], unused));
    refused(name, "[2, 3, 1, 0]", || call([2, 3, 1, 0], [[2, 3, 5, 0]; 2], &[5, 1], unused));
}

#[test]
fn by_parameters() {
    let _alone = seeded();
    let step = |time| AdamWStep { rate: 0.1, weight_decay: 0.0, betas: [0.9, 0.99], epsilon: 1e-6, time };
    let adam = |[w, g, m, v]: [[usize; 2]; 4], time| {
        let zeros = |dims| Tensor::<2>::zeros(dims, &Device::flex());
        adamw(zeros(w), zeros(g), [zeros(m), zeros(v)], &step(time))
    };
    let (one, other) = ([2, 3], [3, 2]);
    refused("adamw", "[3, 2]", || adam([one, other, one, one], 1));
    refused("adamw", "[3, 2]", || adam([one, one, other, one], 1));
    refused("adamw", "[3, 2]", || adam([one, one, one, other], 1));
    refused("adamw", "time 0", || adam([one; 4], 0));
    refused("blend", "[4]", || blend(random([5]), random([4]), 0.5));
    let norm =
        |w, [gamma, u, v]: [usize; 3]| sigma_reparam(random(w), random([gamma]), random([u]), random([v]));
    for (w, vectors) in [([2, 3], [2, 3, 2]), ([2, 3], [1, 2, 2]), ([2, 3], [1, 3, 3]), ([0, 3], [1, 3, 0])] {
        refused("sigma_reparam", &format!("{w:?}"), || norm(w, vectors));
    }
    for (w, v) in [([2, 3], 3), ([2, 0], 2), ([0, 3], 0)] {
        refused("power_iteration", &format!("{w:?}"), || power_iteration(random(w), random([v])));
    }
}

#[test]
fn by_number_of_draws() {
    let _alone = seeded();
    let plain = Device::flex();
    let many = [1 << 17, 1 << 16];
    refused("uniform", "[131072, 65536]", || uniform(many, &plain));
    refused("normal", "[131072, 65536]", || normal(many, &plain));
    refused("dropout", "[131072, 65536]", || dropout(Tensor::<2>::zeros([1, 1], &plain).expand(many), 0.5));
    // Their number wraps to zero.
    let cause = catch_unwind(AssertUnwindSafe(|| uniform([1 << 32, 1 << 32], &plain))).expect_err("too many");
    assert!(cause.downcast_ref::<String>().expect("a message").contains("no memory holds"));
}

#[test]
fn by_heads_of_critics() {
    let _alone = seeded();
    let good = || head(2, 3, 4, 5, 2);
    let actions = || random([1, 3, 4, 5]);
    let labels = || random([12, BINS]);
    let expect = |head: ClassifierHead<_>| head.expect(actions(), &bins());
    let name = "ClassifierHead::expect";
    refused(name, "[2, 4, 15]", || expect(ClassifierHead { gamma: random([2, 4, 15]), ..good() }));
    refused(name, "[1, 4, 16]", || expect(ClassifierHead { gamma: random([1, 4, 16]), ..good() }));
    refused(name, "[2, 6, 16]", || expect(ClassifierHead { action_weight: random([2, 6, 16]), ..good() }));
    refused(name, "[2, 2, 16]", || expect(ClassifierHead { state: random([2, 2, 16]), ..good() }));
    refused(name, "layers []", || expect(ClassifierHead { layers: Vec::new(), ..good() }));
    let layer = |w, b: [usize; 2]| {
        let mut head = good();
        head.layers[0] = (random(w), random(b));
        head
    };
    refused(name, "[2, 16, 15]", || expect(layer([2, 16, 15], [2, 15])));
    refused(name, "[2, 15]", || expect(layer([2, 16, 16], [2, 15])));
    refused(name, "[1, 16, 16]", || expect(layer([1, 16, 16], [1, 16])));
    refused(name, "bins 10", || good().expect(actions(), &bins()[1..]));
    refused(name, "1.5", || expect(ClassifierHead { slope: Some(1.5), ..good() }));
    let name = "ClassifierHead::classify";
    refused(name, "[1, 4, 3, 5]", || good().classify(random([4, 3, 5]), labels(), &bins()));
    refused(name, "[11, 11]", || good().classify(random([3, 4, 5]), random([11, BINS]), &bins()));
    refused(name, "bins 10", || good().classify(random([3, 4, 5]), labels(), &bins()[1..]));
    refused("ClassifierHead::values", "outputs 11", || good().values(actions()));
    refused("ClassifierHead::logits", "[1, 3, 4, 6]", || good().logits(random([1, 3, 4, 6])));
    let none = || head(2, 3, 4, 0, 2);
    refused("ClassifierHead::logits", "[2, 0, 16]", || none().logits(random([1, 3, 4, 0])));
}
