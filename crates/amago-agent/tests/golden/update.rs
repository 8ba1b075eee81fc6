//! Whole updates: three forward passes from recorded weights, and three updates in a row.

use amago_agent::{
    Agent, Critic, CriticKind, Draws, Learner, LossTerms, Policy, Purpose, TrainBatch, gradient_norm, loss,
    loss_terms, reduce_critics,
};
use amago_golden::modules::{self, What, values};
use amago_golden::{Case, Report};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::critics::{logits_as_recorded, values_as_recorded};
use super::draws::Recorded;
use super::inputs::{agent, batch, before, rate, steps};
use super::options::{Refusal, Setup, setup};
use super::{FORWARD, GRADIENT, close, eval, shaped};

/// The original itself moves by up to 1.4e-3 after three updates when sums are reordered.
pub const AFTER_THREE: f64 = 3e-3;

/// Share of the whole gradient's norm below which a parameter's gradient is a sum that cancels, as
/// that of a scale before a norm. In single precision its error is then one of the whole gradient:
/// `ff1.gamma` of the classification agent has a share of 4e-5 and a relative error of 9e-5.
const CANCELLED: f64 = 1e-5;

pub fn update(case: &Case, report: &mut Report) {
    let start = case.name.strip_suffix("_cleanclip").map(|name| case.sibling(name));
    let setup = match setup(case, start.as_ref().unwrap_or(case)) {
        Ok(setup) => setup,
        Err(Refusal::Unsupported(why)) => return report.unsupported(&why),
        Err(Refusal::Broken(why)) => return report.equal("settings", &why.as_str(), &"understood"),
    };
    match &start {
        // The original clips by a norm that counts untrained copies; ours follows the other form.
        None => passes(&setup, case, report),
        Some(start) => updates(&setup, (start, case), report),
    }
}

/// Forward and backward pass of every update, each from the weights recorded before it.
fn passes(setup: &Setup, case: &Case, report: &mut Report) {
    for step in steps(case) {
        let before = before(case, step);
        let mut agent = agent(setup, case, &before.iter().map(String::as_str).collect::<Vec<_>>());
        let batch = batch(case, setup, step);
        agent.begin_update(&batch);
        intermediates((setup, step), &agent, &batch, (case, report));
        let terms = loss_terms(&agent, &setup.config, &batch, &mut Recorded::new(case, step, &setup.config));
        compare_terms(step, &terms, (case, report));

        let loss = loss(&agent, &setup.config, &batch, &mut Recorded::new(case, step, &setup.config));
        let parts = loss.report.read();
        let out = |name: &str| format!("step{step}.out.{name}");
        close((case, report), &out("loss"), &loss.total, FORWARD);
        for (name, got) in [("actor_loss", parts.actor_loss), ("critic_loss", parts.critic_loss)] {
            report.close(&out(name), &[got], &case.get(&out(name)).f32(), FORWARD);
        }
        let grads = loss.total.backward();
        // Untrained copies have a gradient in the original, never here.
        let trained = case.without(".maximized_critics.");
        let prefix = format!("step{step}.grad.param.");
        let floor = CANCELLED * case.get(&out("grad_norm_trainable")).f64()[0];
        all_compared(&agent, &trained, &prefix, What::GradientsAbove(&grads, floor), GRADIENT, report);
        let grads = GradientsParams::from_grads(grads, &agent);
        let norm = gradient_norm(&agent, &grads).expect("something is trained");
        close((case, report), &out("grad_norm_trainable"), &norm, GRADIENT);

        agent.popart = loss.popart;
        let agent = agent.update_targets(setup.config.tau);
        let untrained = ["tstep_encoder", "traj_encoder", "critics", "actor"]
            .iter()
            .fold(case.clone(), |case, part| case.without(&format!(".param.{part}.")));
        let after = format!("after{step}.");
        report.after_updates(1);
        for kind in ["param.", "buffer."] {
            all_compared(&agent, &untrained, &format!("{after}{kind}"), What::Weights, FORWARD, report);
        }
        report.after_updates(0);
    }
    eval::last_weights(setup, case, report);
}

/// Compares under a prefix and insists that nothing recorded there is left out, but for the wavelengths of
/// rotary positions, which are constants.
fn all_compared(
    agent: &Agent,
    case: &Case,
    prefix: &str,
    what: What<'_>,
    tolerance: f64,
    report: &mut Report,
) {
    let recorded = case.names().filter(|name| name.starts_with(prefix) && !name.ends_with("rope.inv_freq"));
    let compared = modules::compare(agent, case, prefix, what, tolerance, report);
    report.equal(&format!("tensors under {prefix}"), &compared, &recorded.count());
}

/// Compares with the recorded intermediate of a name, if there is one.
type Check<'a> = &'a mut dyn FnMut(&str, Vec<f32>);

/// Outputs of the networks before anything is done with them.
fn intermediates(
    (setup, step): (&Setup, usize),
    agent: &Agent,
    batch: &TrainBatch,
    (case, report): (&Case, &mut Report),
) {
    let mut check = checks(step, case, report);
    let embedding = agent.tstep_encoder.forward(&batch.obs, batch.rl2s.clone());
    check("tstep_emb", values(&embedding));
    let states = agent.states(batch);
    check("s_rep", values(&states));
    check("state_mask", values(&batch.transition_mask()));
    let actor = agent.actor.forward(states.clone());
    check("actor_params", values(&actor));
    check("target_actor_params", values(&agent.target_actor.forward(states.clone())));

    drop(check);
    critic_intermediates((setup, step), agent, (batch, states), (case, report));
}

/// Compares what a step recorded under a name, if it did.
fn checks<'a>(step: usize, case: &'a Case, report: &'a mut Report) -> impl FnMut(&str, Vec<f32>) + 'a {
    move |name, got| {
        let name = format!("step{step}.mid.{name}");
        if case.has(&name) {
            report.close(&name, &got, &case.get(&name).f32(), FORWARD);
        }
    }
}

/// Outputs of the critics and of their copies.
fn critic_intermediates(
    (setup, step): (&Setup, usize),
    agent: &Agent,
    (batch, states): (&TrainBatch, Tensor<3>),
    (case, report): (&Case, &mut Report),
) {
    let mut check = checks(step, case, report);
    let [b, l1, _] = states.dims();
    let (g, a) = (setup.config.gammas().len(), batch.actions.dims()[2]);
    // The last state has no action in the batch; the original repeats the one before.
    let last = batch.actions.clone().narrow(1, l1 - 2, 1);
    let actions = Tensor::cat(vec![batch.actions.clone(), last], 1).unsqueeze_dim::<4>(2);
    let actions = agent.head.for_critics(actions.expand([b, l1, g, a]), None);
    let check_critics =
        |check: Check<'_>, name: &str, (critics, states, actions): (&Critic, &Tensor<3>, Tensor<5>)| {
            let len = states.dims()[1];
            let out = critics.evaluate(states.clone(), actions);
            if let Some(logits) = out.logits {
                check(name, values(&logits_as_recorded(logits, len)));
                return out.values;
            }
            // For the actions of the batch the last state is not recorded.
            let kept = if name == "critics_out" { len - 1 } else { len };
            check(name, values(&values_as_recorded(out.values.clone()).narrow(2, 0, kept)));
            out.values
        };
    check_critics(&mut check, "critics_out", (&agent.critics, &states, actions.unsqueeze_dim(0)));
    let has = |name: &str| case.has(&format!("step{step}.mid.{name}"));
    let config = &setup.config;
    let mut draws = Recorded::new(case, step, config).of_all_states();
    let mut chosen = |policy: &Policy, k, purpose| match policy {
        Policy::Categorical(p) if agent.critics.is_linear() => p.probs.clone().unsqueeze_dim(0),
        _ => draws.actions(policy, k, purpose),
    };
    let policy = agent.policy(&agent.actor, states.clone(), None);
    if has("critics_out.call1") {
        let actions = chosen(&policy, config.k_actor, Purpose::Value);
        check_critics(&mut check, "critics_out.call1", (&agent.critics, &states, actions));
    }
    if has("maximized_critics_out") {
        let purpose = if config.online_coeff > 0.0 { Purpose::Online } else { Purpose::Value };
        let actions = chosen(&policy, config.k_actor, purpose);
        check_critics(&mut check, "maximized_critics_out", (&agent.maximized_critics, &states, actions));
    }
    if has("target_critics_out") {
        let slow = if config.use_target_actor { &agent.target_actor } else { &agent.actor };
        let policy = agent.policy(slow, states.clone(), None);
        let actions = chosen(&policy, config.k_critic, Purpose::Target).narrow(2, 1, l1 - 1);
        let next = states.narrow(1, 1, l1 - 1);
        let target = check_critics(&mut check, "target_critics_out", (&agent.target_critics, &next, actions));
        let target = target.mean_dim(1);
        let returns = match config.critic.kind {
            CriticKind::Regression => agent.popart.denormalized(target),
            CriticKind::Classification => target,
        };
        check("target_q_denorm", values(&values_as_recorded(returns.clone())));
        if has("target_q_reduced") {
            let returns = returns.squeeze_dim::<4>(1);
            let [_, b, l, g] = returns.dims();
            let shape = [config.n_critics_td, b, l, g];
            let subset = draws.critic_subset(config.n_critics, shape, &returns.device());
            let reduced = reduce_critics(returns, subset, config.online_coeff > 0.0);
            check("target_q_reduced", values(&reduced));
        }
    }
}

fn compare_terms(step: usize, terms: &LossTerms, (case, report): (&Case, &mut Report)) {
    let mut check = |name: &str, got: Tensor<4>| {
        let name = format!("step{step}.mid.{name}");
        if !case.has(&name) {
            return;
        }
        // Some are recorded for the last state too, which takes no part.
        let shape = &case.get(&name).shape;
        let [b, l, ..] = got.dims();
        let rest = got.shape().num_elements() / (b * l);
        let expected = shaped::<3>(case, &name, [b, shape[1], rest]).narrow(1, 0, l);
        let got = got.reshape([b, l, rest]);
        // What the actor would imitate in padding is nobody's business.
        let mask =
            if name.ends_with("actor_loss_unmasked") { terms.mask.clone() } else { terms.mask.ones_like() };
        report.close(&name, &values(&(got * mask.clone())), &values(&(expected * mask)), FORWARD);
    };
    if let Some(critic) = &terms.critic {
        check("td_target", critic.target.clone().unsqueeze_dim(2));
        check("critic_loss_unmasked", critic.loss.clone().permute([1, 2, 0, 3]));
    }
    if let Some(advantage) = &terms.actor.advantage {
        check("advantage", advantage.clone().unsqueeze_dim(2));
        check("filter", terms.actor.filter.clone().unsqueeze_dim(2));
    }
    check("actor_loss_unmasked", terms.actor.loss.clone().unsqueeze_dim(2));
}

/// All updates in a row, as the learner does them.
fn updates(setup: &Setup, (start, case): (&Case, &Case), report: &mut Report) {
    let agent = agent(setup, start, &["param.", "buffer."]);
    let mut learner = Learner::new(agent, setup.config.clone(), setup.optim.clone());
    let last = *steps(case).end();
    for step in steps(case) {
        report.after_updates(step - 1);
        let batch = batch(start, setup, step);
        let done = learner.update(&batch, &mut Recorded::new(case, step, &setup.config));
        let tolerance = [FORWARD, GRADIENT, AFTER_THREE][step.min(3) - 1];
        for (name, got) in [
            ("loss", done.loss),
            ("actor_loss", done.parts.actor_loss),
            ("critic_loss", done.parts.critic_loss),
            ("grad_norm_trainable", done.grad_norm),
            ("clip_total_norm", done.grad_norm),
        ] {
            let name = format!("step{step}.out.{name}");
            let tolerance = if name.ends_with("norm") || name.ends_with("trainable") {
                tolerance.max(GRADIENT)
            } else {
                tolerance
            };
            report.close(&name, &[got], &case.get(&name).f32(), tolerance);
        }
        let (got, expected) = (done.learning_rate as f32, rate(case, step) as f32);
        report.close(&format!("step{step}.lr"), &[got], &[expected], FORWARD);
    }
    report.after_updates(last);
    for kind in ["param.", "buffer."] {
        let prefix = format!("after{last}.{kind}");
        all_compared(&learner.agent, case, &prefix, What::Weights, AFTER_THREE, report);
    }
}
