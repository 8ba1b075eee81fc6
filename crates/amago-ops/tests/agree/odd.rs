//! Every function with sizes of zero and one, primes, and around the registers' 8 and 16 numbers. Small enough for
//! `valgrind`, which sees what is read before it is written, or beyond its end.

use amago_ops::{
    AdamWStep, AttentionPattern, ClassifierHead, adamw, blend, cached_attention, causal_attention, dropout,
    ensemble_linear, gelu, layer_norm, linear, normal, power_iteration, side_by_side, sigma_reparam,
    split_heads, square_sum, uniform,
};
use burn::tensor::{Bool, Tensor, TensorData};

use super::heads::{bins, expected, head};
use super::*;

/// Sizes around those of registers and tiles.
const SIZES: [usize; 9] = [1, 2, 3, 7, 8, 13, 16, 17, 31];

/// Holds the gradients of some tensors by two ways of computing the same against each other.
macro_rules! same_gradients {
    ($a:expr, $b:expr; $($x:expr),+) => {
        let grads = [$a, $b].map(|y| probe(y.clone()).backward());
        $({
            let [a, b] = grads.each_ref().map(|grads| $x.grad(grads).expect("it has a gradient"));
            close(stringify!($x), a, b);
        })+
    };
}

fn shape_is<const D: usize>(x: &Tensor<D>, dims: [usize; D]) {
    assert_eq!(x.dims(), dims);
    let values: Vec<f32> = x.clone().into_data().iter().collect();
    assert_eq!(values.len(), dims.iter().product::<usize>());
    assert!(values.iter().all(|x| x.is_finite()));
}

#[test]
fn linear_layers_of_every_size() {
    let _alone = seeded();
    for (turn, n) in SIZES.into_iter().enumerate() {
        for (i, o) in [(n, SIZES[8 - turn]), (13, n), (n, 17)] {
            let (x, w, b) = (random([2, n, i]), random([2, i, o]), random([2, o]));
            let fused = ensemble_linear(x.clone(), w.clone(), b.clone(), 0.1);
            let plain = leaky(x.clone().matmul(w.clone()) + b.clone().unsqueeze_dim(1), 0.1);
            close("output", fused.clone().inner(), plain.clone().inner());
            same_gradients!(&fused, &plain; x, w, b);
        }
    }
}

#[test]
fn linear_layers_without_rows_inputs_or_outputs() {
    let _alone = seeded();
    for [n, i, o] in [[0, 3, 5], [3, 0, 5], [3, 5, 0], [0, 0, 0], [0, 0, 3], [3, 0, 0]] {
        for e in [1, 2] {
            let (x, w, b) = (random([e, n, i]), random([2, i, o]), random([2, o]));
            let y = ensemble_linear(x.clone(), w.clone(), b.clone(), 0.1);
            shape_is(&y.clone().inner(), [2, n, o]);
            let grads = y.clone().sum().backward();
            shape_is(&x.grad(&grads).unwrap(), [e, n, i]);
            shape_is(&w.grad(&grads).unwrap(), [2, i, o]);
            let db = b.grad(&grads).unwrap();
            shape_is(&db, [2, o]);
            if n * o == 0 {
                assert!(db.into_data().iter::<f32>().all(|x| x == 0.0), "nothing depends on the bias");
            } else {
                let bias = leaky(b.unsqueeze_dim::<3>(1).expand([2, n, o]), 0.1);
                close("biases alone", y.inner(), bias.inner());
            }
        }
        shape_is(&linear(random([2, n, i]), random([i, o]), None, 1.0).inner(), [2, n, o]);
    }
    shape_is(&linear(random([3]), random([3, 2]), None, 1.0).inner(), [2]);
}

#[test]
fn norms_of_rows_of_every_width() {
    let _alone = seeded();
    for d in SIZES.into_iter().chain([33, 64, 67]) {
        let (x, w, b) = (random([3, d]), random([d]), random([d]));
        let fused = layer_norm(x.clone(), w.clone(), b.clone(), 0.1);
        let centred = x.clone() - x.clone().mean_dim(1);
        let deviation = (centred.clone().square().mean_dim(1) + 0.1).sqrt();
        let plain = centred / deviation * w.clone().unsqueeze() + b.clone().unsqueeze();
        close("output", fused.clone().inner(), plain.clone().inner());
        same_gradients!(&fused, &plain; x, w, b);
    }
    shape_is(&layer_norm(random([0, 5]), random([5]), random([5]), 1e-5).inner(), [0, 5]);
    shape_is(&layer_norm(random([2, 0, 5]), random([5]), random([5]), 1e-5).inner(), [2, 0, 5]);
}

#[test]
fn attention_of_every_size() {
    let _alone = seeded();
    for (turn, len) in SIZES.into_iter().enumerate() {
        for (size, heads, window_size) in [(SIZES[8 - turn], 3, 0), (1, 1, 1), (5, 4, 2), (3, 8, usize::MAX)]
        {
            let qkv = random([2, len, 3 * size * heads]);
            let pattern = AttentionPattern { window_size, sink_size: 1, ..AttentionPattern::default() };
            let fused = causal_attention(qkv.clone(), heads, &pattern, 0.0);
            let bounded = AttentionPattern { logit_clip: 1e9, ..pattern };
            let plain = causal_attention(qkv.clone(), heads, &bounded, 0.0);
            close("output", fused.clone().inner(), plain.clone().inner());
            same_gradients!(&fused, &plain; qkv);
            let [query, key, value] = split_heads(qkv, heads);
            let weighed = pattern.weights(query, key).matmul(value).swap_dims(1, 2);
            close("by its weights", fused.inner(), weighed.inner());
        }
    }
    let pattern = AttentionPattern::default();
    for [b, l] in [[0, 3], [3, 0], [0, 0]] {
        for dropout in [0.0, 0.5] {
            shape_is(&causal_attention(random([b, l, 24]), 2, &pattern, dropout).inner(), [b, l, 2, 4]);
        }
        let [query, key, _] = split_heads(random([b, l, 24]), 2);
        shape_is(&pattern.weights(query, key).inner(), [b, 2, l, l]);
    }
    // As wide as a window can be said to be.
    let all = AttentionPattern { window_size: usize::MAX, sink_size: usize::MAX, ..pattern };
    assert_eq!(all.keys_kept(5), 5);
}

#[test]
fn cached_attention_of_every_size() {
    let _alone = seeded();
    let plain = Device::flex();
    for (turn, size) in SIZES.into_iter().enumerate() {
        let (b, h, slots) = (1 + turn % 3, 1 + turn % 2, SIZES[8 - turn]);
        let query = normal([b, h, 1, size], &plain);
        let cache = [normal([b, h, slots, size], &plain), normal([b, h, slots, size], &plain)];
        let used: Vec<usize> = (0..b).map(|row| (slots - row.min(slots - 1)).max(1)).collect();
        let unused =
            used.iter().flat_map(|used| (0..slots).map(move |slot| slot >= *used)).collect::<Vec<_>>();
        let unused = Tensor::<4, Bool>::from_bool(TensorData::new(unused, [b, 1, 1, slots]), &plain);
        let attended =
            |pattern| cached_attention(query.clone(), cache.clone(), (&used, unused.clone()), &pattern);
        let bounded = AttentionPattern { logit_clip: 1e9, ..AttentionPattern::default() };
        close("output", attended(AttentionPattern::default()), attended(bounded));
    }
    let none = || Tensor::<4>::zeros([0, 2, 3, 4], &plain);
    let unused = Tensor::<4, Bool>::from_bool(TensorData::new(Vec::<bool>::new(), [0, 1, 1, 3]), &plain);
    let query = Tensor::zeros([0, 2, 1, 4], &plain);
    let found = cached_attention(query, [none(), none()], (&[], unused), &AttentionPattern::default());
    shape_is(&found, [0, 2, 1, 4]);
}

#[test]
fn elementwise_functions_of_every_length() {
    let _alone = seeded();
    let plain = Device::flex();
    for n in SIZES.into_iter().chain([0, 33, 16_385]) {
        let (old, new) = (normal::<1>([n], &plain), normal::<1>([n], &plain));
        shape_is(&gelu(random([n])).inner(), [n]);
        shape_is(&dropout(random([n]), 0.5).inner(), [n]);
        shape_is(&uniform([n], &plain), [n]);
        let step = AdamWStep { rate: 0.1, weight_decay: 0.2, betas: [0.9, 0.99], epsilon: 1e-6, time: 1 };
        let moments = [old.zeros_like(), old.zeros_like()];
        let (weight, [first, second]) = adamw(old.clone(), new.clone(), moments, &step);
        let blended = blend(old.clone(), new.clone(), 0.3);
        let sum: f32 = square_sum(old.clone()).into_scalar();
        if n == 0 {
            assert_eq!(
                (weight.dims(), first.dims(), second.dims(), blended.dims(), sum),
                ([0], [0], [0], [0], 0.0)
            );
            continue;
        }
        // The first step of Adam is a step of the rate, in the direction of the gradient.
        let moved = old.clone() * 0.98 - new.clone() / (new.clone().abs() + 1e-6) * 0.1;
        close("weight", weight, moved);
        close("first moment", first, new.clone() * 0.1);
        close("second moment", second, new.clone().square() * 0.01);
        close("blend", blended, old.clone() * 0.7 + new * 0.3);
        let exact = old.into_data().iter::<f32>().map(|x| f64::from(x).powi(2)).sum::<f64>();
        assert!((f64::from(sum) / exact - 1.0).abs() < 1e-5, "square sum {sum}, exact {exact}");
    }
    shape_is(&uniform([3, 0, 2], &plain), [3, 0, 2]);
    assert_eq!(side_by_side(Vec::<usize>::new(), |n| n).len(), 0);
    assert_eq!(side_by_side(vec![4, 5, 6], |n| n + 1), [5, 6, 7]);
}

#[test]
fn spectral_norms_of_every_size() {
    let _alone = seeded();
    for (turn, i) in SIZES.into_iter().enumerate() {
        let o = SIZES[8 - turn];
        let (w, gamma) = (random([i, o]), random([1]));
        let (u, v) = (random([o]).detach(), random([i]).detach());
        let fused = sigma_reparam(w.clone(), gamma.clone(), u.clone(), v.clone());
        let sigma = (v.clone().unsqueeze::<2>().matmul(w.clone()) * u.unsqueeze::<2>()).sum();
        let plain = w.clone() * (gamma.clone() / sigma).unsqueeze::<2>();
        close("output", fused.clone().inner(), plain.clone().inner());
        same_gradients!(&fused, &plain; w, gamma);
        let [u, v] = power_iteration(w, v);
        assert_eq!((u.dims(), v.dims()), ([o], [i]));
        for norm in [u, v].map(|x| x.square().sum().into_scalar::<f32>()) {
            assert!((norm - 1.0).abs() < 1e-5, "norm {norm}");
        }
    }
}

/// A head whose widths are all odd: `A` actions, `H` hidden, two layers.
fn narrow(
    c: usize,
    n: usize,
    g: usize,
    a: usize,
    h: usize,
) -> ClassifierHead<impl Fn(Tensor<3>) -> Tensor<3> + Clone> {
    let outputs = bins().len();
    ClassifierHead {
        dropout: 0.0,
        state: random([c, n, h]),
        gamma: random([c, g, h]),
        action_weight: random([c, a, h]),
        layers: vec![(random([c, h, h]), random([c, h])), (random([c, h, outputs]), random([c, outputs]))],
        activation: |x| leaky(x, 0.01),
        slope: Some(0.01),
    }
}

#[test]
fn heads_of_every_size() {
    let _alone = seeded();
    for (turn, h) in SIZES.into_iter().enumerate() {
        let (c, n, g, a, k) = (1 + turn % 3, SIZES[8 - turn], 1 + turn % 2, 1 + turn % 5, 1 + turn % 2);
        let head = narrow(c, n, g, a, h);
        let actions = random([k, n, g, a]);
        let logits = head.clone().logits(actions.clone());
        let found = head.clone().expect(actions, &bins());
        close("expectation", found.inner(), expected(logits).reshape([c, k, n * g]).inner());
        let (actions, labels) = (random([n, g, a]), random([n * g, bins().len()]).abs());
        let found = head.clone().classify(actions.clone(), labels.clone(), &bins()).loss;
        let logits = head.clone().logits(actions.unsqueeze());
        let log_probs = activation::log_softmax(logits, 2);
        let plain = (log_probs * labels.unsqueeze()).sum_dim(2).neg().squeeze_dim::<2>(2);
        close("loss", found.clone().inner(), plain.clone().inner());
        let [(w0, b0), (w1, b1)] = &head.layers[..] else { unreachable!("two layers") };
        same_gradients!(&found, &plain; head.state, head.gamma, head.action_weight, w0, b0, w1, b1);
    }
}

#[test]
fn heads_without_states_discounts_or_samples() {
    let _alone = seeded();
    for (k, n, g) in [(0, 3, 2), (1, 0, 2), (1, 3, 0)] {
        let empty = || head(2, n, g, 5, 2);
        let actions = || random([k, n, g, 5]);
        shape_is(&empty().expect(actions(), &bins()).inner(), [2, k, n * g]);
        shape_is(&empty().logits(actions()).inner(), [2, 0, bins().len()]);
        let mut one = empty();
        one.layers[1] = (random([2, 16, 1]), random([2, 1]));
        shape_is(&one.values(actions()).inner(), [2, 0]);
        if k > 0 {
            let found = empty().classify(random([n, g, 5]), random([n * g, bins().len()]), &bins());
            shape_is(&found.loss.inner(), [2, 0]);
            shape_is(&found.value.inner(), [2, 0]);
        }
    }
}
