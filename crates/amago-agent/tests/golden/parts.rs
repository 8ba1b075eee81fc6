//! Targets, statistics, filters and the optimiser.

use std::collections::BTreeMap;

use amago_agent::{
    AgentConfig, Filter, OptimConfig, PopArt, Transitions, clip_gradients, gamma_features, gradient_norm,
    n_step_targets, warmup,
};
use amago_golden::modules::{self, What, values};
use amago_golden::{Case, Report};
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde_json::{Value, json};

use super::{FORWARD, GRADIENT, close, device, recorded, shaped};

pub fn multigamma(case: &Case, report: &mut Report) {
    let config = AgentConfig {
        multi_gammas: case.need("discrete"),
        gamma: case.need("gamma"),
        ..AgentConfig::amago()
    };
    report.close("out.gammas", &config.gammas(), &case.get("out.gammas").f32(), FORWARD);
    let features = gamma_features(&config.gammas());
    report.close("out.gamma_feature", &features, &case.get("out.gamma_feature").f32(), FORWARD);
}

pub fn popart(case: &Case, report: &mut Report) {
    let defaults = AgentConfig::amago();
    let config = AgentConfig {
        multi_gammas: vec![0.5; case.need::<usize>("gammas") - 1],
        popart_beta: case.need("beta"),
        popart_init_nu: case.hyper("init_nu").unwrap_or(defaults.popart_init_nu),
        ..defaults
    };
    let mut module = modules::load(PopArt::new(&config, &device()), case, &["before.buffer."]);
    for i in (0..).take_while(|i| case.has(&format!("in.val{i}"))) {
        let name = format!("in.val{i}");
        let shape = case.get(&name).shape.clone();
        let [b, l, g] = [shape[0], shape[1], shape[3]];
        let target = shaped::<3>(case, &name, [b, l, g]);
        // The recorded mask is the same for every discount.
        let mask = shaped::<3>(case, &format!("in.mask{i}"), [b, l, g]).narrow(2, 0, 1);
        module.update(target.clone(), mask);
        modules::compare(&module, case, &format!("after{}.buffer.", i + 1), What::Weights, FORWARD, report);
        close((case, report), &format!("out.sigma{i}"), &module.sigma(), FORWARD);
        let q = recorded::<5>(case, &format!("in.q{i}")).squeeze_dim::<4>(4);
        close((case, report), &format!("out.q_norm{i}"), &module.normalized(q.clone()), FORWARD);
        close((case, report), &format!("out.q_denorm{i}"), &module.denormalized(q), FORWARD);
        let normal = module.normalize_targets(target);
        close((case, report), &format!("out.normalize_values{i}"), &normal, FORWARD);
    }
}

pub fn nstep_return(case: &Case, report: &mut Report) {
    let shape = case.get("in.r").shape.clone();
    let [b, l, g] = [shape[0], shape[1], shape[3]];
    // Recorded with rewards of its own for each discount, so one discount at a time.
    let of = |name, i| shaped::<3>(case, name, [b, l, g]).narrow(2, i, 1);
    let targets = case.get("in.gamma").f32().into_iter().enumerate().map(|(i, gamma)| {
        let transitions = Transitions {
            rewards: of("in.r", i).squeeze_dim(2),
            terminals: of("in.d", i).squeeze_dim(2),
            mask: shaped(case, "in.mask", [b, l, 1]),
        };
        n_step_targets(&transitions, of("in.q", i), &[gamma], case.need("n"))
    });
    let targets = Tensor::cat(targets.collect(), 2);
    close((case, report), "out.td_target", &targets, FORWARD);
}

/// Our filter with the recorded options, by the original's names for them.
pub fn filter(name: &str, options: &BTreeMap<String, Value>) -> Filter {
    let kinds = [("binary", "binary"), ("exp", "exponential"), ("leaky_relu", "leaky_ramp")];
    let (_, kind) = kinds.iter().find(|(prefix, _)| name.starts_with(prefix)).expect("a known filter");
    let defaults: Filter =
        serde_json::from_value(json!({ "kind": kind })).expect("every option has a default");
    let mut ours = serde_json::to_value(defaults).expect("filters are plain data");
    for (key, value) in options {
        let at = match key.as_str() {
            "threshold" | "beta" | "add_binary" => &mut ours[key.as_str()],
            "clip_adv_low" => &mut ours["clamp_advantage"][0],
            "clip_adv_high" => &mut ours["clamp_advantage"][1],
            "clip_weights_low" => &mut ours["clamp_weight"][0],
            "clip_weights_high" => &mut ours["clamp_weight"][1],
            "tau" => &mut ours["hinge"],
            "neg_slope" => &mut ours["slope"],
            "target_f0" => &mut ours["f0"],
            other => panic!("unknown filter option {other}"),
        };
        // An open end is recorded as null; ours is the largest number.
        let open = if key.ends_with("_low") { f32::MIN } else { f32::MAX };
        *at = if value.is_null() { json!(open) } else { value.clone() };
    }
    serde_json::from_value(ours).expect("options of this filter")
}

pub fn filters(case: &Case, report: &mut Report) {
    let variants: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(case.meta["hyperparameters"].clone()).expect("options by variant");
    for (name, options) in &variants {
        let weight = filter(name, options).weight(recorded::<1>(case, "in.adv"));
        close((case, report), &format!("out.{name}"), &weight, FORWARD);
    }
}

/// The recorded toy: `mean((x w + b − y)²)`.
#[derive(Module, Debug)]
struct Toy {
    w: Param<Tensor<2>>,
    b: Param<Tensor<1>>,
}

pub fn adamw(case: &Case, report: &mut Report) {
    let config = OptimConfig {
        learning_rate: case.need("lr"),
        warmup: case.need("warmup"),
        weight_decay: case.need("weight_decay"),
        betas: case.need("betas"),
        epsilon: case.need("eps"),
        grad_clip: case.need("grad_clip"),
        ..OptimConfig::default()
    };
    let mut toy = Toy {
        w: Param::from_tensor(recorded(case, "param.w")),
        b: Param::from_tensor(recorded(case, "param.b")),
    };
    let mut optimizer = config.init();
    let (x, y) = (recorded::<3>(case, "in.x"), recorded::<3>(case, "in.y"));
    let (mut rates, mut norms) = (Vec::new(), Vec::new());
    for step in 0..x.dims()[0] {
        let at = |x: &Tensor<3>| x.clone().narrow(0, step, 1).squeeze_dim::<2>(0);
        let error = at(&x).matmul(toy.w.val()) + toy.b.val().unsqueeze() - at(&y);
        let grads = error.square().mean().backward();
        let name = format!("grad{}.w", step + 1);
        close((case, report), &name, &toy.w.val().grad(&grads).expect("a parameter"), GRADIENT);
        let mut grads = GradientsParams::from_grads(grads, &toy);
        let norm = gradient_norm(&toy, &grads).expect("there are gradients");
        clip_gradients(&toy, &mut grads, norm.clone(), config.grad_clip);
        let rate = warmup(config.learning_rate, config.warmup, step as u64);
        toy = optimizer.step(rate, toy, grads);
        rates.push(rate as f32);
        norms.extend(values(&norm));
        report.after_updates(step + 1);
        close((case, report), &format!("after{}.w", step + 1), &toy.w.val(), FORWARD);
        close((case, report), &format!("after{}.b", step + 1), &toy.b.val(), FORWARD);
    }
    report.close("out.lr", &rates, &case.get("out.lr").f32(), FORWARD);
    report.close("out.grad_norm", &norms, &case.get("out.grad_norm").f32(), GRADIENT);
}
