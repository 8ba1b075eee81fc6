use amago_agent::{
    Actor, ActorConfig, OptimConfig, clip_gradients, copy_into, gradient_norm, soft_update, warmup,
};
use amago_golden::modules::{device, values, weights};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Distribution, Tensor};

use super::assert_close;

fn actor() -> Actor {
    let config = ActorConfig { d_hidden: 6, ..ActorConfig::default() };
    config.init(4, 2, 3, &device().autodiff())
}

#[test]
fn soft_update_moves_by_its_share() {
    let (target, source) = (actor().no_grad(), actor());
    let (old, new) = (weights(&target), weights(&source));
    let moved = soft_update(target, &source, 0.25);
    for ((moved, old), new) in weights(&moved).iter().zip(&old).zip(&new) {
        let expected: Vec<f32> = old.iter().zip(new).map(|(a, b)| 0.75 * a + 0.25 * b).collect();
        assert_close(moved, &expected, 1e-6);
    }
    assert_eq!(weights(&source), new, "the source stays");
    assert_eq!(weights(&copy_into(moved, &source)), new);
}

#[test]
fn copies_get_no_gradient() {
    struct Trained(usize);
    impl ModuleVisitor for Trained {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += usize::from(param.val().is_require_grad());
        }
    }
    let source = actor();
    for copy in [soft_update(actor(), &source, 0.5), copy_into(actor(), &source)] {
        let mut trained = Trained(0);
        copy.visit(&mut trained);
        assert_eq!(trained.0, 0);
    }
}

#[test]
fn the_rate_rises_from_zero() {
    let at = |k| warmup(0.5, 4, k);
    assert_eq!([at(0), at(1), at(2), at(4), at(5), at(1000)], [0.0, 0.125, 0.25, 0.5, 0.5, 0.5]);
    assert_eq!(warmup(0.5, 0, 0), 0.5);
}

/// Gradients of a random loss, and the entries of all of them.
fn gradients(actor: &Actor, max_norm: f32) -> (f32, Vec<f32>) {
    let states = Tensor::<3>::random([2, 3, 4], Distribution::Normal(0.0, 1.0), &device().autodiff());
    let grads = (actor.forward(states).square().sum() * 10.0).backward();
    let mut grads = GradientsParams::from_grads(grads, actor);
    let norm = gradient_norm(actor, &grads).expect("there are gradients");
    clip_gradients(actor, &mut grads, norm.clone(), max_norm);
    struct Entries<'a>(&'a GradientsParams, Vec<f32>);
    impl ModuleVisitor for Entries<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.extend(self.0.get::<D>(param.id).map(|g| values(&g)).unwrap_or_default());
        }
    }
    let mut entries = Entries(&grads, Vec::new());
    actor.visit(&mut entries);
    (values(&norm)[0], entries.1)
}

fn length(entries: &[f32]) -> f32 {
    entries.iter().map(|x| x * x).sum::<f32>().sqrt()
}

#[test]
fn clipping_bounds_the_joint_norm() {
    let actor = actor();
    let (norm, entries) = gradients(&actor, 0.5);
    assert!(norm > 0.5, "the test needs a long gradient");
    assert!((length(&entries) - 0.5).abs() < 1e-4, "clipped to {}", length(&entries));
    let (norm, entries) = gradients(&actor, 1e9);
    assert!((length(&entries) / norm - 1.0).abs() < 1e-4, "short gradients stay");
}

#[test]
fn frozen_networks_have_no_gradient() {
    let frozen = actor().no_grad();
    assert!(gradient_norm(&frozen, &GradientsParams::new()).is_none());
}

#[derive(Module, Debug)]
struct Scalar {
    w: Param<Tensor<1>>,
}

/// AdamW of one number by its formula; the step count starts again after `interval` steps.
fn adamw(config: &OptimConfig, w: f64, grads: &[f64]) -> f64 {
    let [b1, b2] = config.betas.map(f64::from);
    let (mut w, mut m, mut v) = (w, 0.0, 0.0);
    for (k, g) in grads.iter().enumerate() {
        let t = if config.reset_interval == 0 { k } else { k % config.reset_interval } as i32 + 1;
        (m, v) = (b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g);
        let (m, v) = (m / (1.0 - b1.powi(t)), v / (1.0 - b2.powi(t)));
        w -= config.learning_rate
            * (f64::from(config.weight_decay) * w + m / (v.sqrt() + f64::from(config.epsilon)));
    }
    w
}

#[test]
fn adamw_counts_its_steps_again() {
    let grads = [0.5, -1.0, 2.0, 0.25, -0.5, 1.5, 3.0];
    let run = |reset_interval| {
        let config = OptimConfig { learning_rate: 0.1, reset_interval, ..OptimConfig::default() };
        let device = device().autodiff();
        let mut scalar = Scalar { w: Param::from_tensor(Tensor::from_floats([2.0], &device)) };
        let mut optimizer = config.init();
        for g in grads {
            let loss = scalar.w.val() * g;
            let gradient = GradientsParams::from_grads(loss.backward(), &scalar);
            scalar = optimizer.step(config.learning_rate, scalar, gradient);
        }
        let got = f64::from(values(&scalar.w.val())[0]);
        let expected = adamw(&config, 2.0, &grads);
        assert!((got - expected).abs() < 1e-5, "every {reset_interval}: {got} and {expected}");
        got
    };
    assert!((run(0) - run(3)).abs() > 0.01, "the reset must matter");
}
