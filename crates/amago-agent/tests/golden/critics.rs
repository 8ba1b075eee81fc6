//! Critics.

use amago_agent::{BinConfig, Critic, CriticConfig, CriticKind, Labels, gamma_features};
use amago_env::Space;
use amago_golden::modules::{self, What};
use amago_golden::{Case, Report};
use burn::tensor::{Gradients, Tensor, activation};

use super::{FORWARD, GRADIENT, close, device, recorded};

/// `[C, K, B, L, G] → [K, B, L, C, G]`, the recorded order.
pub fn values_as_recorded(ours: Tensor<5>) -> Tensor<5> {
    ours.permute([1, 2, 3, 0, 4])
}

/// `[C, K, B, L·G, bins] → [K, B, L, C, G, bins]`, the recorded order.
pub fn logits_as_recorded(ours: Tensor<5>, len: usize) -> Tensor<6> {
    let [c, k, b, lg, bins] = ours.dims();
    let ours = activation::log_softmax(ours, 4);
    ours.reshape([c, k, b, len, lg / len, bins]).permute([1, 2, 3, 0, 4, 5])
}

fn critic(case: &Case, kind: CriticKind, action: fn(usize) -> Space) -> Critic {
    let bins = BinConfig::default();
    let config = CriticConfig {
        kind,
        n_layers: case.need("n_layers"),
        d_hidden: case.need("d_hidden"),
        activation: case.hyper("activation").unwrap_or_default(),
        dropout: 0.0,
        bins: BinConfig {
            count: case.hyper("output_bins").unwrap_or(bins.count),
            min: case.hyper("min_return").unwrap_or(bins.min),
            max: case.hyper("max_return").unwrap_or(bins.max),
            symlog: case.hyper("use_symlog").unwrap_or(bins.symlog),
            labels: labels(case.hyper("label_type")),
            sigma: case.hyper("sigma").unwrap_or(bins.sigma),
            init_value: case.hyper("init_value"),
        },
    };
    let gammas: Vec<f32> = case.need("gammas");
    let [n, d, a] = ["num_critics", "state_dim", "action_dim"].map(|key| case.need(key));
    modules::load(config.init(n, d, &gammas, &action(a), &device()), case, &["param."])
}

/// Kind of labels by its recorded name.
pub fn labels(name: Option<String>) -> Labels {
    match name.as_deref() {
        None | Some("twohot") => Labels::TwoHot,
        Some("hlgauss") => Labels::HlGauss,
        Some(other) => panic!("unknown labels {other}"),
    }
}

fn compare_gradients(
    (case, report): (&Case, &mut Report),
    critic: &Critic,
    state: &Tensor<3>,
    action: &Tensor<5>,
    grads: &Gradients,
) {
    close((case, report), "grad.in.state", &state.grad(grads).expect("the state takes part"), GRADIENT);
    close((case, report), "grad.in.action", &action.grad(grads).expect("the action takes part"), GRADIENT);
    modules::compare(critic, case, "grad.param.", What::Gradients(grads), GRADIENT, report);
}

fn numbers(a: usize) -> Space {
    Space::box_f32(&[a], -1.0, 1.0)
}

pub fn critics_of_options(case: &Case, report: &mut Report) {
    check_regression(&critic(case, CriticKind::Regression, |n| Space::Discrete { n }), (case, report));
}

pub fn critics_of_actions(case: &Case, report: &mut Report) {
    check_regression(&critic(case, CriticKind::Regression, numbers), (case, report));
}

fn check_regression(critic: &Critic, (case, report): (&Case, &mut Report)) {
    let state = recorded::<3>(case, "in.state").require_grad();
    let action = recorded::<5>(case, "in.action").require_grad();
    let out = values_as_recorded(critic.values(state.clone(), action.clone()));
    close((case, report), "out.y", &out, FORWARD);
    let grads = (out.unsqueeze_dim::<6>(5) * recorded(case, "in.grad_out")).sum().backward();
    compare_gradients((case, report), critic, &state, &action, &grads);
    if case.has("mid.gamma_feature") {
        let gammas: Vec<f32> = case.need("gammas");
        let expected = case.get("mid.gamma_feature").f32();
        report.close("mid.gamma_feature", &gamma_features(&gammas), &expected, FORWARD);
    }
}

pub fn critics_classification(case: &Case, report: &mut Report) {
    let critic = critic(case, CriticKind::Classification, numbers);
    let bins = critic.bins().expect("a classification critic has bins");
    report.close("out.bin_vals", bins.values(), &case.get("out.bin_vals").f32(), FORWARD);
    let state = recorded::<3>(case, "in.state").require_grad();
    let action = recorded::<5>(case, "in.action").require_grad();
    let out = critic.evaluate(state.clone(), action.clone());
    let logits = out.logits.expect("a classification critic has logits");
    let [c, k, b, lg, n_bins] = logits.dims();
    let len = state.dims()[1];
    close((case, report), "out.logits", &logits_as_recorded(logits.clone(), len), FORWARD);
    let value = values_as_recorded(out.values).unsqueeze_dim::<6>(5);
    close((case, report), "out.value", &value, FORWARD);

    // Recorded with a target for every critic and action: `[K, B, L, C, G, 1]`.
    let targets = recorded::<6>(case, "in.td_target");
    let labels = bins.encode(targets);
    close((case, report), "out.labels", &labels, FORWARD);
    // To [C, K, B, L·G, bins], as the logits.
    let labels = labels.permute([3, 0, 1, 2, 4, 5]).reshape([c, k, b, lg, n_bins]);
    let part = |x: &Tensor<5>, i: usize, j: usize| x.clone().narrow(0, i, 1).narrow(1, j, 1);
    let one = |i, j| cross_entropy(part(&logits, i, j), part(&labels, i, j).squeeze_dims(&[0, 1]));
    let by_critic = (0..c).map(|i| Tensor::stack::<4>((0..k).map(|j| one(i, j)).collect(), 1));
    let entropy = Tensor::cat(by_critic.collect(), 0);
    let entropy = values_as_recorded(entropy.reshape([c, k, b, len, lg / len]));
    close((case, report), "out.cross_entropy", &entropy, FORWARD);
    // The recorded gradient is of this sum.
    let loss = entropy.sum() + (value * recorded(case, "in.grad_value")).sum() * 1e-3;
    compare_gradients((case, report), &critic, &state, &action, &loss.backward());
}

/// Cross-entropy of logits `[C, K, B, L·G, bins]` to labels `[B, L·G, bins]`; `K` is one. Gives `[C, B, L·G]`.
fn cross_entropy(logits: Tensor<5>, labels: Tensor<3>) -> Tensor<3> {
    let log_probs = activation::log_softmax(logits.squeeze_dim::<4>(1), 3);
    (log_probs * labels.unsqueeze_dim(0)).sum_dim(3).neg().squeeze_dim(3)
}
