//! Every fused kernel against the composition it stands for: values and gradients.
#![cfg(feature = "flex")]

use amago_ops::{
    AdamWStep, AttentionPattern, ClassifierHead, adamw, blend, cached_attention, causal_attention, dropout,
    ensemble_linear, flops, layer_norm, linear, normal, power_iteration, random_key, sigma_reparam,
    square_sum, uniform, with_stream,
};
use burn::optim::{AdamWConfig, Optimizer};
use burn::tensor::{Bool, Device, Distribution, Tensor, TensorData, activation, module};

fn device() -> Device {
    let device = Device::flex().autodiff();
    device.seed(7);
    device
}

fn random<const D: usize>(dims: [usize; D]) -> Tensor<D> {
    Tensor::random(dims, Distribution::Normal(0.0, 1.0), &device_of()).require_grad()
}

fn device_of() -> Device {
    Device::flex().autodiff()
}

/// Largest difference relative to the largest entry.
fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    let scale: f32 = b.clone().abs().max().into_scalar::<f32>().max(1e-3);
    let worst: f32 = (a - b).abs().max().into_scalar();
    worst / scale
}

fn close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>) {
    let worst = difference(a, b);
    assert!(worst < 2e-5, "{what} differs by {worst}");
}

/// A loss that weighs all entries differently.
fn probe<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let dims = x.dims();
    let n = dims.iter().product::<usize>() as i64;
    let weights = Tensor::<1, burn::tensor::Int>::arange(0..n, &x.device()).float();
    let weights = (weights * 0.37).sin().reshape(dims);
    (x * weights).sum()
}

fn leaky(x: Tensor<3>, slope: f64) -> Tensor<3> {
    x.clone() * slope + activation::relu(x) * (1.0 - slope)
}

#[test]
fn linear_layers() {
    device();
    for (e, c, n, slope) in [(1, 4, 300, 0.01), (4, 4, 5, 0.0), (1, 1, 1, 1.0), (3, 3, 257, 0.01)] {
        let (x, w, b) = (random([e, n, 24]), random([c, 24, 40]), random([c, 40]));
        let fused = ensemble_linear(x.clone(), w.clone(), b.clone(), slope);
        let plain = leaky(x.clone().matmul(w.clone()) + b.clone().unsqueeze_dim(1), slope);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dx", x.grad(&fused).unwrap(), x.grad(&plain).unwrap());
        close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
        close("db", b.grad(&fused).unwrap(), b.grad(&plain).unwrap());
    }
}

#[test]
fn the_activation_has_its_small_slope_at_zero() {
    device();
    let x = Tensor::<2>::zeros([1, 3], &device_of()).require_grad();
    let weight = Tensor::<2>::eye(3, &device_of());
    let grads = linear(x.clone(), weight, None, 0.01).sum().backward();
    x.grad(&grads).unwrap().into_data().assert_eq(&[[0.01f32; 3]].into(), false);
}

#[test]
fn inputs_without_gradient_get_none_and_plain_devices_work() {
    device();
    let (x, w) = (random([7, 3]), random([3, 2]));
    let grads = linear(x.clone().detach(), w.clone(), None, 1.0).sum().backward();
    assert!(x.grad(&grads).is_none() && w.grad(&grads).is_some());
    let plain = linear(x.clone().inner(), w.clone().inner(), None, 1.0);
    close("plain", plain, x.inner().matmul(w.inner()));
}

#[test]
fn layer_norms() {
    device();
    for (rows, d) in [(300, 24), (1, 8), (129, 13)] {
        let (x, w, b) = (random([rows, d]), random([d]), random([d]));
        let fused = layer_norm(x.clone(), w.clone(), b.clone(), 1e-5);
        let plain = module::layer_norm(x.clone(), w.clone(), Some(b.clone()), 1e-5);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dx", x.grad(&fused).unwrap(), x.grad(&plain).unwrap());
        close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
        close("db", b.grad(&fused).unwrap(), b.grad(&plain).unwrap());
    }
}

#[test]
fn causal_attentions() {
    device();
    for (batch, len, size, heads) in [(3, 130, 8, 4), (1, 1, 4, 2), (2, 64, 16, 1), (2, 65, 5, 3)] {
        let qkv = random([batch, len, 3 * size * heads]);
        let fused = causal_attention(qkv.clone(), heads, &AttentionPattern::default(), 0.0);
        let parts = qkv.clone().reshape([batch, len, 3, size, heads]).permute([2, 0, 4, 1, 3]);
        let part = |i: usize| parts.clone().narrow(0, i, 1).squeeze_dim::<4>(0);
        let scores = part(0).matmul(part(1).transpose()) * (size as f64).powf(-0.5);
        let future = Tensor::<2, Bool>::tril_mask([len, len], 0, &device_of()).unsqueeze::<4>();
        let weights = activation::softmax(scores.mask_fill(future, f32::NEG_INFINITY), 3);
        let plain = weights.matmul(part(2)).swap_dims(1, 2);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dqkv", qkv.grad(&fused).unwrap(), qkv.grad(&plain).unwrap());
    }
}

/// Windows and sinks below, at and above the size of a block, and longer than the sequence.
#[test]
fn windowed_attentions() {
    device();
    for (window_size, sink_size) in [(1, 0), (7, 0), (7, 3), (64, 1), (65, 70), (100, 150), (200, 2), (0, 9)]
    {
        let pattern = AttentionPattern { window_size, sink_size, ..AttentionPattern::default() };
        let qkv = random([2, 150, 3 * 4 * 2]);
        let fused = causal_attention(qkv.clone(), 2, &pattern, 0.0);
        // A bound out of reach changes nothing but the way it is computed.
        let bounded = AttentionPattern { logit_clip: 1e9, ..pattern };
        let plain = causal_attention(qkv.clone(), 2, &bounded, 0.0);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dqkv", qkv.grad(&fused).unwrap(), qkv.grad(&plain).unwrap());
    }
}

const BINS: usize = 11;

fn head(
    c: usize,
    n: usize,
    g: usize,
    a: usize,
    depth: usize,
) -> ClassifierHead<impl Fn(Tensor<3>) -> Tensor<3> + Clone> {
    let h = 16;
    let layer = |i: usize| {
        let out = if i + 1 == depth { BINS } else { h };
        (random([c, h, out]), random([c, out]))
    };
    ClassifierHead {
        state: random([c, n, h]),
        gamma: random([c, g, h]),
        action_weight: random([c, a, h]),
        layers: (0..depth).map(layer).collect(),
        activation: |x| leaky(x, 0.01),
        slope: Some(0.01),
    }
}

fn bins() -> Vec<f32> {
    (0..BINS).map(|i| i as f32 - 4.0).collect()
}

fn expected(logits: Tensor<3>) -> Tensor<3> {
    let bins = Tensor::<1>::from_floats(bins().as_slice(), &logits.device()).unsqueeze::<3>();
    (activation::softmax(logits, 2) * bins).sum_dim(2)
}

#[test]
fn expectations_of_a_classifier_head() {
    device();
    for (c, n, g, k, depth) in [(4, 300, 3, 2, 2), (1, 1, 1, 1, 1), (2, 40, 7, 3, 3)] {
        let head = head(c, n, g, 5, depth);
        let actions = activation::softmax(random([k, n, g, 5]) * 3.0, 3);
        let fused = head.clone().expect(actions.clone(), &bins());
        let plain = expected(head.logits(actions)).reshape([c, k, n * g]);
        close("expectation", fused.inner(), plain.inner());
    }
}

/// Some rows have no gradient, as behind a minimum; some tensors want none.
#[test]
fn values_of_a_head() {
    device();
    for (c, n, g, k, depth, frozen) in
        [(4, 1100, 2, 1, 2, false), (1, 1, 1, 2, 1, false), (2, 40, 7, 3, 3, true)]
    {
        let mut head = head(c, n, g, 5, depth);
        let last = depth - 1;
        head.layers[last] = (random([c, 16, 1]), random([c, 1]));
        if frozen {
            let constant = |x: Tensor<3>| Tensor::from_inner(x.inner());
            let of_layer = |(w, b): (_, Tensor<2>)| (constant(w), Tensor::from_inner(b.inner()));
            head.layers = head.layers.into_iter().map(of_layer).collect();
            (head.state, head.gamma) = (constant(head.state), constant(head.gamma));
        }
        let actions = random([k, n, g, 5]);
        let fused = head.clone().values(actions.clone());
        let plain = head.clone().logits(actions.clone()).squeeze_dim::<2>(2);
        close("value", fused.clone().inner(), plain.clone().inner());
        let lowest = |values: Tensor<2>| probe(values.min_dim(0));
        let (fused, plain) = (lowest(fused).backward(), lowest(plain).backward());
        close("dactions", actions.grad(&fused).unwrap(), actions.grad(&plain).unwrap());
        let of_action = |grads| head.action_weight.grad(grads).unwrap();
        close("dweight", of_action(&fused), of_action(&plain));
        if frozen {
            assert!(head.state.grad(&fused).is_none() && head.layers[0].0.grad(&fused).is_none());
            continue;
        }
        close("dstate", head.state.grad(&fused).unwrap(), head.state.grad(&plain).unwrap());
        close("dgamma", head.gamma.grad(&fused).unwrap(), head.gamma.grad(&plain).unwrap());
        for (w, b) in &head.layers {
            close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
            close("db", b.grad(&fused).unwrap(), b.grad(&plain).unwrap());
        }
    }
}

#[test]
fn losses_of_a_classifier_head() {
    device();
    for (c, n, g, depth) in [(4, 1100, 2, 2), (1, 1, 1, 1), (2, 40, 7, 3)] {
        let head = head(c, n, g, 5, depth);
        let actions = activation::softmax(random([n, g, 5]) * 3.0, 2).detach();
        let labels = activation::softmax(random([n * g, BINS]) * 4.0, 1).detach();
        let found = head.clone().classify(actions.clone(), labels.clone(), &bins());
        let logits = head.clone().logits(actions.unsqueeze());
        let plain = (activation::log_softmax(logits.clone(), 2) * labels.unsqueeze()).sum_dim(2).neg();
        close("loss", found.loss.clone().inner(), plain.clone().squeeze_dim(2).inner());
        close("value", found.value.inner(), expected(logits).squeeze_dim(2).inner());
        let (fused, plain) = (probe(found.loss).backward(), probe(plain.squeeze_dim::<2>(2)).backward());
        close("dstate", head.state.grad(&fused).unwrap(), head.state.grad(&plain).unwrap());
        close("dgamma", head.gamma.grad(&fused).unwrap(), head.gamma.grad(&plain).unwrap());
        let of_action = |grads| head.action_weight.grad(grads).unwrap();
        close("daction", of_action(&fused), of_action(&plain));
        for (w, b) in &head.layers {
            close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
            close("db", b.grad(&fused).unwrap(), b.grad(&plain).unwrap());
        }
    }
}

#[test]
fn products_of_every_shape() {
    device();
    // Around the sizes of tiles, panels and slices; `n` below and above what is copied.
    for (n, k, m) in [(1, 1, 1), (13, 5, 31), (14, 256, 32), (15, 257, 33), (29, 300, 70), (300, 513, 17)] {
        let (x, w, b) = (random([1, n, k]), random([1, k, m]), random([1, m]));
        let fused = ensemble_linear(x.clone(), w.clone(), b.clone(), 0.2);
        let plain = leaky(x.clone().matmul(w.clone()) + b.clone().unsqueeze_dim(1), 0.2);
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dx", x.grad(&fused).unwrap(), x.grad(&plain).unwrap());
        close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
    }
}

#[test]
fn repeated_actions_have_equal_expectations() {
    device();
    let (n, g, k) = (5, 2, 4);
    let head = head(2, n, g, 3, 2);
    let index = Tensor::<1>::from_floats([0.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0, 1.0], &device_of()).int();
    let few = index.one_hot::<2>(3).float().reshape([k, 1, 2, 3]).expand([k, n, g, 3]);
    let fused = head.clone().expect(few.clone(), &bins());
    close("expectation", fused.inner(), expected(head.logits(few)).reshape([2, k, n * g]).inner());
}

#[test]
fn dropout_keeps_the_mean_and_its_gradient_drops_the_same() {
    device();
    let x = Tensor::<2>::ones([1000, 300], &device_of()).require_grad();
    let y = dropout(x.clone(), 0.2);
    let grads = y.clone().sum().backward();
    let (values, gradient) = (y.into_data(), x.grad(&grads).unwrap().into_data());
    values.assert_eq(&gradient, true);
    let zeros = values.iter::<f32>().filter(|y| *y == 0.0).count() as f64 / 300_000.0;
    assert!((zeros - 0.2).abs() < 0.004, "{zeros} of the entries are dropped");
    assert!(values.iter::<f32>().all(|y| y == 0.0 || (y - 1.25).abs() < 1e-6));
}

#[test]
fn draws_have_their_moments_and_differ() {
    device();
    let device = device_of();
    for (draws, mean, variance) in
        [(uniform([500, 400], &device), 0.5, 1.0 / 12.0), (normal([500, 400], &device), 0.0, 1.0)]
    {
        let found: f32 = draws.clone().mean().into_scalar();
        let spread: f32 = (draws.clone() - mean).square().mean().into_scalar();
        assert!((found - mean).abs() < 0.01 && (spread / variance - 1.0).abs() < 0.02, "{found} {spread}");
        // Neighbours in both directions are independent.
        for dim in [0, 1] {
            let n = draws.dims()[dim] - 1;
            let (a, b) = (draws.clone().narrow(dim, 0, n), draws.clone().narrow(dim, 1, n));
            let product: f32 = ((a - mean) * (b - mean)).mean().into_scalar();
            assert!((product / variance).abs() < 0.015, "correlation {product}");
        }
    }
}

#[test]
fn a_stream_depends_on_its_key_alone() {
    device();
    let device = device_of();
    let draw = || uniform([9], &device).into_data();
    let in_stream = |key| with_stream(key, || [draw(), draw()]);
    let [first, second] = in_stream(5);
    assert_ne!(first, second);
    assert_ne!(draw(), draw());
    assert_eq!(in_stream(5), [first.clone(), second], "draws outside do not disturb it");
    assert_ne!(in_stream(6)[0], first);
    device.seed(3);
    let (key, outside) = (random_key(&device), draw());
    device.seed(3);
    assert_eq!((random_key(&device), draw()), (key, outside), "the device's seed decides");
}

#[test]
fn optimiser_steps_are_those_of_burn() {
    device();
    let plain = Device::flex();
    let config = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-6).with_weight_decay(0.3);
    let burn = config.build();
    for n in [7, 40_000] {
        let draw = || normal([n], &plain);
        let (mut ours, mut state) = (draw(), None);
        let (mut theirs, mut moments) = (ours.clone(), [ours.zeros_like(), ours.zeros_like()]);
        for time in 1..4 {
            let grad = draw();
            (theirs, state) = burn.step(0.05, theirs, grad.clone(), state);
            let step = AdamWStep { rate: 0.05, weight_decay: 0.3, betas: [0.9, 0.99], epsilon: 1e-6, time };
            (ours, moments) = adamw(ours, grad, moments, &step);
            close("weight", ours.clone(), theirs.clone());
        }
        let state = state.expect("steps were made").momentum;
        let [first, second] = moments;
        close("first moment", first, state.moment_1);
        close("second moment", second, state.moment_2);
    }
}

#[test]
fn blends_and_norms() {
    device();
    let plain = Device::flex();
    let (old, new) = (normal([40_003], &plain), normal([40_003], &plain));
    close("blend", blend(old.clone(), new.clone(), 0.3), old.clone() * 0.7 + new * 0.3);
    close("square sum", square_sum(old.clone()), old.square().sum());
}

#[test]
fn products_are_counted() {
    device();
    let before = flops();
    let _ = linear(random([6, 5]), random([5, 4]), None, 1.0);
    assert!(flops() - before >= 2 * 6 * 5 * 4, "other tests may count, too");
}

#[test]
fn spectral_norms() {
    device();
    for (i, o) in [(24, 40), (1, 9), (37, 5)] {
        let (w, gamma) = (random([i, o]), random([1]));
        let (u, v) = (random([o]).detach(), random([i]).detach());
        let fused = sigma_reparam(w.clone(), gamma.clone(), u.clone(), v.clone());
        let sigma = (v.clone().unsqueeze::<2>().matmul(w.clone()) * u.unsqueeze::<2>()).sum();
        let plain = w.clone() * (gamma.clone() / sigma).unsqueeze::<2>();
        close("output", fused.clone().inner(), plain.clone().inner());
        let (fused, plain) = (probe(fused).backward(), probe(plain).backward());
        close("dw", w.grad(&fused).unwrap(), w.grad(&plain).unwrap());
        close("dgamma", gamma.grad(&fused).unwrap(), gamma.grad(&plain).unwrap());
        let [new_u, new_v] = power_iteration(w.clone(), v.clone());
        let unit = |x: Tensor<2>| x.clone() / x.square().sum().sqrt().unsqueeze::<2>();
        let plain_u = unit(v.unsqueeze::<2>().matmul(w.clone().detach()));
        close("u", new_u.clone().unsqueeze::<2>(), plain_u);
        close("v", new_v.unsqueeze_dim(1), unit(w.detach().matmul(new_u.unsqueeze_dim::<2>(1))));
    }
}

#[test]
fn attention_over_a_cache() {
    device();
    let plain = Device::flex();
    for (b, h, slots, size) in [(3, 2, 9, 8), (1, 1, 1, 5), (24, 4, 60, 16)] {
        let query = normal([b, h, 1, size], &plain);
        let cache = [normal([b, h, slots, size], &plain), normal([b, h, slots, size], &plain)];
        let used: Vec<usize> = (0..b).map(|row| 1 + row % slots).collect();
        let hidden: Vec<bool> =
            used.iter().flat_map(|used| (0..slots).map(move |slot| slot >= *used)).collect();
        let unused =
            || Tensor::<4, Bool>::from_bool(TensorData::new(hidden.clone(), [b, 1, 1, slots]), &plain);
        let fused = cached_attention(query.clone(), cache.clone(), &used, unused());
        let [keys, values] = cache;
        let scores = query.matmul(keys.transpose()) * (size as f64).powf(-0.5);
        let weights = activation::softmax(scores.mask_fill(unused(), f32::NEG_INFINITY), 3);
        close("output", fused, weights.matmul(values));
    }
}
