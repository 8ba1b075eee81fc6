//! Every fused kernel against the composition it stands for: values and gradients.
#![cfg(feature = "flex")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use amago_ops::{
    AdamWStep, adamw, blend, dropout, ensemble_linear, flops, layer_norm, linear, normal, power_iteration,
    random_key, sigma_reparam, square_sum, uniform, with_stream,
};
use burn::optim::{AdamWConfig, Optimizer};
use burn::tensor::{Device, Distribution, Tensor, activation, module};

mod attention;
mod heads;
mod odd;
mod refused;

/// The CPU backend has one generator for all threads: one test at a time draws from it.
fn seeded() -> MutexGuard<'static, ()> {
    static ONE_TEST: Mutex<()> = Mutex::new(());
    let alone = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    device_of().seed(7);
    alone
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
    let _alone = seeded();
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
    let _alone = seeded();
    let x = Tensor::<2>::zeros([1, 3], &device_of()).require_grad();
    let weight = Tensor::<2>::eye(3, &device_of());
    let grads = linear(x.clone(), weight, None, 0.01).sum().backward();
    x.grad(&grads).unwrap().into_data().assert_eq(&[[0.01f32; 3]].into(), false);
}

#[test]
fn inputs_without_gradient_get_none_and_plain_devices_work() {
    let _alone = seeded();
    let (x, w) = (random([7, 3]), random([3, 2]));
    let grads = linear(x.clone().detach(), w.clone(), None, 1.0).sum().backward();
    assert!(x.grad(&grads).is_none() && w.grad(&grads).is_some());
    let plain = linear(x.clone().inner(), w.clone().inner(), None, 1.0);
    close("plain", plain, x.inner().matmul(w.inner()));
}

#[test]
fn layer_norms() {
    let _alone = seeded();
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
fn products_of_every_shape() {
    let _alone = seeded();
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
fn dropout_keeps_the_mean_and_its_gradient_drops_the_same() {
    let _alone = seeded();
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
    let _alone = seeded();
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
    let _alone = seeded();
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
    let _alone = seeded();
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
    let _alone = seeded();
    let plain = Device::flex();
    let (old, new) = (normal([40_003], &plain), normal([40_003], &plain));
    close("blend", blend(old.clone(), new.clone(), 0.3), old.clone() * 0.7 + new * 0.3);
    close("square sum", square_sum(old.clone()), old.square().sum());
}

#[test]
fn products_are_counted() {
    let _alone = seeded();
    let before = flops();
    let _ = linear(random([6, 5]), random([5, 4]), None, 1.0);
    assert!(flops() - before >= 2 * 6 * 5 * 4, "other tests may count, too");
}

#[test]
fn spectral_norms() {
    let _alone = seeded();
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
