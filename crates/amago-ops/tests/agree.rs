//! Every fused kernel against the composition it stands for: values and gradients.
#![cfg(feature = "flex")]

use amago_ops::{ClassifierHead, causal_attention, ensemble_linear, layer_norm, linear};
use burn::tensor::{Bool, Device, Distribution, Tensor, activation, module};

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
        let fused = causal_attention(qkv.clone(), heads);
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
