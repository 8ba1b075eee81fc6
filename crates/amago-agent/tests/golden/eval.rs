//! Acting and judging with the last weights, which go through a file as a user's would.

use amago_agent::{Agent, Policy, StepInput, load_state};
use amago_env::Space;
use amago_golden::{Case, Report, modules, torch};
use amago_seqmodel::ObsTensors;
use burn::tensor::Tensor;

use super::inputs::{agent, batch, steps};
use super::options::Setup;
use super::update::AFTER_THREE;
use super::{FORWARD, close, device};

/// Compares what is recorded under `eval.`.
pub fn last_weights(setup: &Setup, case: &Case, report: &mut Report) {
    let last = *steps(case).end();
    let agent = reloaded(setup, case, last);
    greedy_action(&agent, setup, case, report);
    values(&agent, setup, case, report);
}

/// An agent with the weights after an update, written as PyTorch does and read by the importer.
fn reloaded(setup: &Setup, case: &Case, step: usize) -> Agent {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.pt");
    let prefixes = ["param.", "buffer."].map(|kind| format!("after{step}.{kind}"));
    let weights = case.names().filter_map(|full| {
        let name = prefixes.iter().find_map(|prefix| full.strip_prefix(prefix.as_str()))?;
        Some((name, case.get(full)))
    });
    torch::save(&path, weights);
    let state = amago_trainer::read_state_dict(&path).expect("just written");
    let fresh = agent(setup, case, &["param.", "buffer."]);
    load_state(fresh, |name| state.get(name).cloned()).unwrap_or_else(|e| panic!("{}: {e:?}", case.name))
}

/// On the first timestep of the last batch.
fn greedy_action(agent: &Agent, setup: &Setup, case: &Case, report: &mut Report) {
    let name = "eval.get_actions_greedy_first_step";
    if !case.has(name) {
        return;
    }
    let batch = batch(case, setup, *steps(case).end());
    let input = StepInput {
        obs: ObsTensors {
            vectors: batch.obs.vectors.map(|x| x.narrow(1, 0, 1)),
            images: batch.obs.images.into_iter().map(|(key, x)| (key, x.narrow(1, 0, 1))).collect(),
        },
        rl2s: batch.rl2s.narrow(1, 0, 1),
        times: batch.times.narrow(1, 0, 1),
        legal: None,
    };
    let rows = input.rl2s.dims()[0];
    let mut state = agent.rollout_state(rows, case.need("max_seq_len"), &device());
    let greedy = agent.act(input, &mut state).greedy();
    match setup.spec.action {
        Space::Box(_) => close((case, report), name, &greedy, AFTER_THREE),
        // The original casts probabilities below one to zero.
        Space::MultiBinary { .. } => {}
        _ => {
            let greedy: Vec<i64> = greedy.argmax(3).into_data().iter::<i64>().collect();
            report.equal(name, &greedy, &case.get(name).i64());
        }
    }
}

/// The original's report on the last batch, where actions are one discrete choice: values in return units
/// of the multiplied rewards. Its filter looks at the advantage in PopArt's normalised units, the one of the
/// loss at that of the bare networks.
fn values(agent: &Agent, setup: &Setup, case: &Case, report: &mut Report) {
    let name = |what: &str| format!("eval.get_values.{what}");
    if !case.has(&name("q_sa")) {
        return;
    }
    let batch = batch(case, setup, *steps(case).end());
    let mask: Vec<i64> = modules::values(&batch.transition_mask()).iter().map(|x| *x as i64).collect();
    report.equal("state_mask", &mask, &case.get(&name("state_mask")).i64());
    let states = agent.states(&batch);
    let [b, l1, d] = states.dims();
    let acting = states.slice([0..b, 0..l1 - 1, 0..d]);
    let policy = agent.policy(&agent.actor, acting.clone(), None);
    let Policy::Categorical(policy) = policy else {
        panic!("{}: recorded for one discrete choice", case.name)
    };
    let chosen = batch.actions.unsqueeze_dim::<4>(2).expand(policy.probs.dims());
    let chosen = agent.head.for_critics(chosen, None);
    let judged = |actions: Tensor<4>| {
        agent.critics.values(acting.clone(), actions.unsqueeze_dim(0)).squeeze_dim::<4>(1)
    };
    let [q, v] = [chosen, policy.probs].map(judged);
    let mean = |x: &Tensor<4>| x.clone().mean_dim(0).squeeze_dim::<3>(0);
    let std = |x: &Tensor<4>| x.clone().var(0).sqrt().squeeze_dim::<3>(0);
    let normal = mean(&agent.popart.normalized(q.clone())) - mean(&agent.popart.normalized(v.clone()));
    let [q, v] = [q, v].map(|x| agent.popart.denormalized(x));
    for (what, got) in [
        ("q_sa", mean(&q)),
        ("v_s", mean(&v)),
        ("q_sa_std", std(&q)),
        ("v_s_std", std(&v)),
        ("advantage", mean(&q) - mean(&v)),
        ("filter_weights", setup.config.filter.weight(normal)),
    ] {
        close((case, report), &name(what), &got, FORWARD);
    }
}
