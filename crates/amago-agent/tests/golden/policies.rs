//! Policies and actor heads.

use amago_agent::{Actor, ActorConfig, ActorKind, Noise, NoiseSource, Policy, PolicyConfig, PolicyHead};
use amago_env::Space;
use amago_golden::modules::{self, What, values};
use amago_golden::{Case, Report};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};

use super::{FORWARD, GRADIENT, close, device, recorded};

/// Draws that a case recorded, as one sample.
struct Injected<'a>(&'a Case, &'a str);

impl NoiseSource for Injected<'_> {
    fn noise(&mut self, _kind: Noise, shape: [usize; 5], _device: &Device) -> Tensor<5> {
        recorded::<4>(self.0, self.1).reshape(shape)
    }
}

/// One-hot vectors of class indices.
fn one_hot<const D: usize>(indices: &[i64], shape: [usize; D]) -> Tensor<D> {
    let classes = shape[D - 1];
    let entries = indices.iter().flat_map(|i| (0..classes).map(move |c| f32::from(c as i64 == *i)));
    Tensor::from_data(TensorData::new(entries.collect::<Vec<_>>(), shape), &device())
}

fn argmax(rows: &[f32], classes: usize) -> Vec<i64> {
    let best = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i);
    rows.chunks_exact(classes).map(|row| best(row) as i64).collect()
}

/// A policy of our kind with the recorded settings, by the original's names for them.
pub fn config(kind: &str, options: &[(&str, Value)]) -> PolicyConfig {
    let mut ours = json!({ "kind": kind });
    for (key, value) in options {
        let key = match *key {
            "clip_prob_low" => "min_prob",
            "clip_prob_high" => "max_prob",
            "gumbel_softmax_temperature" => "temperature",
            "gmm_modes" => "modes",
            "clip" | "clip_actions_on_log_prob" => "clip_actions",
            other => other,
        };
        ours[key] = match value {
            // An open end is recorded as null; ours is the largest number.
            Value::Null => json!(f32::MAX),
            // A name, or that of the function.
            Value::String(name) if key == "std_activation" => {
                json!(if name.contains("softplus") { "softplus" } else { "tanh" })
            }
            other => other.clone(),
        };
    }
    serde_json::from_value(ours).unwrap_or_else(|e| panic!("{kind} with {options:?}: {e}"))
}

/// The policy of the case's input with the case's settings.
fn policy(case: &Case, kind: &str, space: Space) -> (Tensor<4>, PolicyHead, Policy) {
    let options = case.meta["hyperparameters"].as_object().expect("settings by name");
    let own = options.iter().filter(|(key, _)| *key != "d_action");
    let own: Vec<(&str, Value)> = own.map(|(key, value)| (key.as_str(), value.clone())).collect();
    let head = PolicyHead::new(&config(kind, &own), &space).expect("a policy of this space");
    let vec = recorded::<4>(case, "in.vec").require_grad();
    assert_eq!(vec.dims()[3], head.n_outputs());
    let policy = head.policy(vec.clone(), None);
    (vec, head, policy)
}

fn numbers(case: &Case) -> Space {
    Space::box_f32(&[case.need("d_action")], -1.0, 1.0)
}

fn grad(case: &Case, name: &str) -> Tensor<4> {
    recorded::<4>(case, &format!("in.grad_{name}"))
}

pub fn discrete(case: &Case, report: &mut Report) {
    let (vec, head, policy) = policy(case, "categorical", Space::Discrete { n: case.need("d_action") });
    let Policy::Categorical(categorical) = &policy else { panic!("another kind") };
    let taken = one_hot(&case.get("in.action_idx").i64(), vec.dims());
    let log_prob = policy.log_prob(taken);
    let entropy = (categorical.probs.clone() * categorical.log_probs.clone()).sum_dim(3).neg();
    close((case, report), "out.probs", &categorical.probs, FORWARD);
    close((case, report), "out.logits", &categorical.log_probs, FORWARD);
    close((case, report), "out.log_prob", &log_prob, FORWARD);
    close((case, report), "out.entropy", &policy.entropy(&mut amago_agent::RandomDraws), FORWARD);
    let classes = vec.dims()[3];
    let greedy = argmax(&values(&policy.greedy()), classes);
    report.equal("out.argmax", &greedy, &case.get("out.argmax").i64());

    let buffer_action = recorded::<4>(case, "in.buffer_action");
    let likeliest = one_hot(&argmax(&values(&buffer_action), classes), vec.dims());
    close((case, report), "out.dlc_log_prob_soft_buffer", &policy.log_prob(likeliest), FORWARD);
    close((case, report), "out.buffer_action_soft", &head.for_critics(buffer_action, None), FORWARD);

    let loss = (categorical.probs.clone() * grad(case, "probs")).sum()
        + (log_prob * recorded(case, "in.grad_logp")).sum()
        + (entropy.squeeze_dim::<3>(3) * recorded(case, "in.grad_entropy")).sum();
    let grad = vec.grad(&loss.backward()).expect("the input takes part");
    close((case, report), "grad.in.vec", &grad, GRADIENT);
    discrete_sample(case, report);
}

/// The straight-through sample, whose gradient was recorded on its own.
fn discrete_sample(case: &Case, report: &mut Report) {
    let (vec, _, policy) = policy(case, "categorical", Space::Discrete { n: case.need("d_action") });
    let sample = policy.rsample(1, &mut Injected(case, "rand.gumbel")).squeeze_dim::<4>(0);
    close((case, report), "out.dlc_rsample", &sample, FORWARD);
    let grads = (sample * grad(case, "rsample")).sum().backward();
    let of_sample = vec.grad(&grads).expect("the input takes part");
    close((case, report), "grad.in.vec_from_rsample", &of_sample, GRADIENT);
}

/// Compares the density, the greedy action and the gradient of both together with what else the loss
/// of the case holds.
fn check_density(
    (case, report): (&Case, &mut Report),
    (vec, policy): (&Tensor<4>, &Policy),
    more: Option<Tensor<1>>,
) {
    let action = recorded::<4>(case, "in.action").require_grad();
    let terms = policy.log_prob_terms(action.clone());
    close((case, report), "out.log_prob", &terms, FORWARD);
    let name = if case.has("out.mean") { "out.mean" } else { "out.probs" };
    let greedy = match policy {
        Policy::Bernoulli(bits) => bits.probs(),
        _ => policy.greedy(),
    };
    close((case, report), name, &greedy, FORWARD);
    let loss = (terms * grad(case, "logp")).sum();
    let grads = more.map_or(loss.clone(), |more| loss + more).backward();
    close((case, report), "grad.in.vec", &vec.grad(&grads).expect("the input takes part"), GRADIENT);
    if case.has("grad.in.action") {
        let of_action = action.grad(&grads).expect("the action takes part");
        close((case, report), "grad.in.action", &of_action, GRADIENT);
    }
}

pub fn tanh_gaussian(case: &Case, report: &mut Report) {
    let (vec, _, policy) = policy(case, "tanh_gaussian", numbers(case));
    let Policy::TanhGaussian(gaussian) = &policy else { panic!("another kind") };
    close((case, report), "out.mu", &gaussian.mean, FORWARD);
    close((case, report), "out.std", &gaussian.std, FORWARD);
    let sample = policy.rsample(1, &mut Injected(case, "rand.eps")).squeeze_dim::<4>(0);
    close((case, report), "out.rsample", &sample, FORWARD);
    let of_sample = (sample * grad(case, "rsample")).sum();
    check_density((case, report), (&vec, &policy), Some(of_sample));
}

pub fn beta(case: &Case, report: &mut Report) {
    let (vec, _, policy) = policy(case, "beta", numbers(case));
    check_density((case, report), (&vec, &policy), None);
}

pub fn gmm(case: &Case, report: &mut Report) {
    let (vec, _, policy) = policy(case, "gmm", numbers(case));
    check_density((case, report), (&vec, &policy), None);
}

pub fn multibinary(case: &Case, report: &mut Report) {
    let (vec, _, policy) = policy(case, "bernoulli", Space::MultiBinary { n: case.need("d_action") });
    check_density((case, report), (&vec, &policy), None);
}

pub fn mlp_actor(case: &Case, report: &mut Report) {
    check_actor(
        (case, report),
        &ActorConfig {
            n_layers: case.need("n_layers"),
            d_hidden: case.need("d_hidden"),
            activation: case.hyper("activation").unwrap_or_default(),
            ..ActorConfig::default()
        },
    );
}

pub fn residual_actor(case: &Case, report: &mut Report) {
    check_actor(
        (case, report),
        &ActorConfig {
            kind: ActorKind::Residual,
            n_layers: case.need("residual_blocks"),
            d_hidden: case.need("feature_dim"),
            d_ff: case.need("residual_ff_dim"),
            norm: case.need("normalization"),
            activation: case.hyper("activation").unwrap_or_default(),
            ..ActorConfig::default()
        },
    );
}

fn check_actor((case, report): (&Case, &mut Report), config: &ActorConfig) {
    let gammas: Vec<f32> = case.need("gammas");
    let grad_out = recorded::<4>(case, "in.grad_out");
    let [_, _, _, n_outputs] = grad_out.dims();
    let actor = config.init(case.need("state_dim"), gammas.len(), n_outputs, &device());
    let actor: Actor = modules::load(actor, case, &["param."]);
    let state = recorded::<3>(case, "in.state").require_grad();
    let out = actor.forward(state.clone());
    close((case, report), "out.y", &out, FORWARD);
    let grads = (out * grad_out).sum().backward();
    close((case, report), "grad.in.state", &state.grad(&grads).expect("the input takes part"), GRADIENT);
    let recorded = case.names().filter(|name| name.starts_with("grad.param.")).count();
    let what = What::Gradients(&grads);
    let compared = modules::compare(&actor, case, "grad.param.", what, GRADIENT, report);
    report.equal("compared gradients", &compared, &recorded);
}
