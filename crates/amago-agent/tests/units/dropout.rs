//! Dropout of the heads: in training alone, unbiased, and repeatable.

use amago_agent::{ActorConfig, ActorKind, AgentConfig, Critic, CriticConfig, CriticKind};
use amago_env::Space;
use amago_golden::modules::{device, values};
use burn::module::Module;
use burn::tensor::{Distribution, Tensor};

use super::assert_close;

/// The same state so often that a mean over them has a small error.
const N: usize = 4000;
const D: usize = 6;

fn states(device: &burn::tensor::Device) -> Tensor<3> {
    let one = Tensor::<3>::random([1, 1, D], Distribution::Normal(0.0, 1.0), device);
    one.expand([1, N, D])
}

/// Mean over the repeated states, `[1, N, ·]`, and whether they differ.
fn mean(x: &Tensor<3>) -> (Vec<f32>, bool) {
    let spread = values(&(x.clone().max_dim(1) - x.clone().min_dim(1)));
    (values(&x.clone().mean_dim(1)), spread.iter().any(|x| *x > 1e-3))
}

#[test]
fn actors_drop_while_they_are_trained() {
    let device = device().autodiff();
    for kind in [ActorKind::Mlp, ActorKind::Residual] {
        // One layer before a linear output; without blocks the residual head is linear behind it, too.
        let (n_layers, d_hidden) = (usize::from(kind == ActorKind::Mlp), 16);
        let config = ActorConfig { kind, n_layers, d_hidden, dropout: 0.4, ..ActorConfig::default() };
        let actor = config.init(D, 1, 3, &device);
        let states = states(&device);
        let flat = |x: Tensor<4>| x.squeeze_dim::<3>(2);
        let (dropped, differ) = mean(&flat(actor.forward(states.clone())));
        assert!(differ, "{kind:?}: nothing was dropped");
        let (plain, differ) = mean(&flat(actor.valid().forward(states.inner())));
        assert!(!differ, "{kind:?}: acting drops something");
        assert_close(&dropped, &plain, 0.05);
    }
}

fn critic(kind: CriticKind, action: &Space, n_layers: usize) -> Critic {
    let config = CriticConfig { kind, n_layers, d_hidden: 16, dropout: 0.4, ..CriticConfig::default() };
    config.init(2, D, &[0.9], action, &device().autodiff())
}

/// Critics of options, of actions, and classifiers: what they say, and what they say without gradient.
#[test]
fn critics_drop_while_they_are_trained() {
    let device = device().autodiff();
    let numbers = Space::box_f32(&[2], -1.0, 1.0);
    for (kind, action) in [
        (CriticKind::Regression, Space::Discrete { n: 2 }),
        (CriticKind::Regression, numbers.clone()),
        (CriticKind::Classification, numbers),
    ] {
        let critic = critic(kind, &action, 1);
        let (states, actions) = (states(&device), Tensor::<5>::full([1, 1, N, 1, 2], 0.5, &device));
        // [C, K, B, L, G] by state: two critics side by side.
        let by_state = |x: Tensor<5>| x.reshape([2, N]).swap_dims(0, 1).unsqueeze::<3>();
        let (plain_states, plain_actions) = (states.clone().inner(), actions.clone().inner());
        let (plain, differ) = mean(&by_state(critic.valid().values(plain_states, plain_actions)));
        assert!(!differ, "{kind:?}: acting drops something");
        for values in
            [critic.values(states.clone(), actions.clone()), critic.expect(states.clone(), actions.clone())]
        {
            let (dropped, differ) = mean(&by_state(values));
            assert!(differ, "{kind:?}: nothing was dropped");
            // The value of a classifier is not linear in its logits.
            if kind == CriticKind::Regression {
                assert_close(&dropped, &plain, 0.05);
            }
        }
    }
}

#[test]
fn the_loss_of_a_classifier_is_that_of_the_dropped_logits() {
    let device = device().autodiff();
    let critic = critic(CriticKind::Classification, &Space::box_f32(&[2], -1.0, 1.0), 2);
    let (states, actions) = (states(&device), Tensor::<4>::full([1, N, 1, 2], 0.5, &device));
    let target = Tensor::<3>::full([1, N, 1], 3.0, &device);
    let [loss, value] = critic.classify(states.clone(), actions.clone(), target.clone());
    let by_state = |x: Tensor<4>| x.reshape([2, N]).swap_dims(0, 1).unsqueeze::<3>();
    assert!(mean(&by_state(loss)).1 && mean(&by_state(value)).1, "nothing was dropped");
    let [loss, _] = critic.valid().classify(states.inner(), actions.inner(), target.inner());
    assert!(!mean(&by_state(loss)).1, "acting drops something");
}

/// Defaults have none: what follows from a seed is as before.
#[test]
fn there_is_none_by_default() {
    for config in [AgentConfig::amago(), AgentConfig::amago2()] {
        assert_eq!((config.actor.dropout, config.critic.dropout), (0.0, 0.0));
    }
}
