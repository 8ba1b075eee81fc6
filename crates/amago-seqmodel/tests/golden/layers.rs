//! Norms, activations, linear layers, attention and positions.

use amago_golden::modules::{self, What};
use amago_golden::{Case, Report};
use amago_seqmodel::*;
use burn::tensor::{Int, Tensor};

use super::{FORWARD, GRADIENT, device, forward_backward, ints, mask, norm_kind, parse};

pub fn norm(case: &Case, report: &mut Report) {
    let module = norm_kind(case, "method").init(case.need("d_model"), &device());
    let module = modules::load(module, case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

pub fn activation(case: &Case, report: &mut Report) {
    let act: Activation = parse(case, "activation");
    let module = modules::load(act.init(&device()), case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

pub fn symlog_symexp(case: &Case, report: &mut Report) {
    for (name, f) in [("symlog", symlog as fn(Tensor<1>) -> Tensor<1>), ("symexp", symexp)] {
        let x = modules::tensor::<1>(case.get(&format!("in.{name}")), &device()).require_grad();
        let y = f(x.clone());
        report.close(name, &modules::values(&y), &case.get(&format!("out.{name}")).f32(), FORWARD);
        let grad = x.grad(&y.sum().backward()).expect("the input takes part");
        let expected = case.get(&format!("grad.in.{name}")).f32();
        report.close(&format!("grad.in.{name}"), &modules::values(&grad), &expected, GRADIENT);
    }
}

pub fn input_norm(case: &Case, report: &mut Report) {
    let device = modules::device();
    let mut module = InputNormConfig {
        beta: case.hyper("beta").unwrap_or(1e-4),
        init_nu: case.hyper("init_nu").unwrap_or(1.0),
    }
    .init(case.need("dim"), &device);
    module = modules::load(module, case, &["before.buffer."]);
    for i in (0..).take_while(|i| case.has(&format!("in.x{i}"))) {
        let x = modules::tensor::<3>(case.get(&format!("in.x{i}")), &device);
        module.update(x.clone(), mask(case, x.clone()));
        modules::compare(&module, case, &format!("after{}.buffer.", i + 1), What::Weights, FORWARD, report);
        let out = modules::values(&module.forward(x));
        report.close("normalized", &out, &case.get(&format!("out.normalized{i}")).f32(), FORWARD);
        let sigma = modules::values(&module.sigma());
        report.close("sigma", &sigma, &case.get(&format!("out.sigma{i}")).f32(), FORWARD);
    }
    let out = module.denormalize(modules::tensor::<2>(case.get("in.denorm"), &device));
    report.close("denorm", &modules::values(&out), &case.get("out.denorm").f32(), FORWARD);
}

pub fn sigma_reparam(case: &Case, report: &mut Report) {
    let device = device();
    let fresh = Dense::sigma(case.need("d_in"), case.need("d_out"), case.need("bias"), &device);
    let mut module = modules::load(fresh, case, &["param.", "buffer."]);
    for i in (0..).take_while(|i| case.has(&format!("in.x{i}"))) {
        module.power_iteration();
        let x = modules::tensor::<3>(case.get(&format!("in.x{i}")), &device).require_grad();
        let out = module.forward(x.clone());
        report.close("y", &modules::values(&out), &case.get(&format!("out.y{i}")).f32(), FORWARD);
        let grads = (out * modules::tensor(case.get(&format!("in.grad_out{i}")), &device)).sum().backward();
        let grad = modules::values(&x.grad(&grads).expect("the input takes part"));
        report.close("grad.in.x", &grad, &case.get(&format!("grad.in.x{i}")).f32(), GRADIENT);
        modules::compare(
            &module,
            case,
            &format!("grad{i}.param."),
            What::Gradients(&grads),
            GRADIENT,
            report,
        );
        let after = format!("after{}.buffer.", i + 1);
        modules::compare(&module, case, &after, What::Weights, FORWARD, report);
        let next = format!("after{}.param.", i + 1);
        module = modules::load(module, case, &[&next, &after, "param.", "buffer."]);
    }
    let out = module.forward(modules::tensor::<3>(case.get("in.x_eval"), &device));
    report.close("y_eval", &modules::values(&out), &case.get("out.y_eval").f32(), FORWARD);
}

pub fn mlp(case: &Case, report: &mut Report) {
    let config = MlpConfig {
        d_input: case.need("d_inp"),
        d_hidden: case.need("d_hidden"),
        d_output: case.need("d_output"),
        n_layers: case.need("n_layers"),
        activation: parse(case, "activation"),
        norm: norm_kind(case, "normalization"),
        dropout: 0.0,
    };
    let module = modules::load(config.init(&device()), case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

pub fn ffblock(case: &Case, report: &mut Report) {
    let module = modules::load(feed_forward(case).block(&device()), case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

/// The recorded settings of a block, or of all blocks of an encoder.
pub fn feed_forward(case: &Case) -> FeedForwardConfig {
    FeedForwardConfig {
        d_model: case.need("d_model"),
        d_ff: case.hyper("d_ff"),
        n_layers: case.hyper("n_layers").unwrap_or(1),
        dropout: 0.0,
        activation: parse(case, "activation"),
        norm: norm_kind(case, "norm"),
        out_norm: match case.meta["hyperparameters"].get("out_norm") {
            Some(_) => norm_kind(case, "out_norm"),
            None => NormKind::default(),
        },
        sigma_reparam: false,
    }
}

pub fn attention_core(case: &Case, report: &mut Report) {
    let (heads, size): (usize, usize) = (case.need("H"), case.need("E"));
    let none = NormKind::None.init(1, &device());
    forward_backward::<_, 5, 4>(&none, (case, report), "qkv", |_, qkv| {
        // Recorded as (three, heads, size); ours takes (three, size, heads).
        let [b, l, ..] = qkv.dims();
        let packed = qkv.swap_dims(3, 4).reshape([b, l, 3 * heads * size]);
        amago_ops::causal_attention(packed, heads, &AttentionPattern::default(), 0.0)
    });
}

pub fn attention_layer(case: &Case, report: &mut Report) {
    let config = AttentionConfig {
        d_model: case.need("d_model"),
        n_heads: case.need("n_heads"),
        head_scaling: case.hyper("head_scaling").unwrap_or(true),
        sigma_reparam: case.need("sigma_reparam"),
        dropout_qkv: 0.0,
        dropout_attn: 0.0,
        pattern: AttentionPattern::default(),
    };
    let mut module = modules::load(config.init(&device()), case, &["param.", "buffer."]);
    module.power_iteration();
    let rotation = rotation(case, config.d_model / config.n_heads);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward_seq(x, rotation.as_ref()));
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
}

/// Rotary positions, where the case has them.
fn rotation(case: &Case, head_size: usize) -> Option<Rotation> {
    let used = case.hyper("use_rope").unwrap_or(false);
    used.then(|| Rotation::new(times(case), head_size, case.hyper("base").unwrap_or(ROPE_BASE)))
}

/// Recorded timesteps, `[B, L]`.
fn times(case: &Case) -> Tensor<2, Int> {
    let shape = &case.get("in.pos_idxs").shape;
    ints(case, "in.pos_idxs", [shape[0], shape[1]])
}

pub fn transformer_config(case: &Case) -> TransformerConfig {
    TransformerConfig {
        d_model: case.need("d_model"),
        n_heads: case.need("n_heads"),
        d_ff: case.need("d_ff"),
        n_layers: case.hyper("n_layers").unwrap_or(1),
        dropout_ff: 0.0,
        dropout_emb: 0.0,
        dropout_attn: 0.0,
        dropout_qkv: 0.0,
        activation: case.hyper("activation").unwrap_or_default(),
        norm: case.hyper("norm").unwrap_or_default(),
        sigma_reparam: case.hyper("sigma_reparam").unwrap_or(true),
        normformer_norms: case.hyper("normformer_norms").unwrap_or(true),
        head_scaling: case.hyper("head_scaling").unwrap_or(true),
        pos_emb: match case.hyper::<String>("pos_emb").as_deref() {
            None | Some("fixed") => PositionKind::Fixed,
            Some("learnable") => PositionKind::Learned,
            Some("rope") => PositionKind::Rope,
            Some(other) => panic!("{}: unknown positions {other}", case.name),
        },
        max_time: case.hyper("max_time_idx").unwrap_or(1),
        window_size: case.hyper("window_size").unwrap_or(0),
        sink_size: case.hyper("sink_size").unwrap_or(0),
        sink_bias: case.hyper("sink_bias").unwrap_or(0.0),
        logit_clip: case.hyper("logit_clip").unwrap_or(0.0),
    }
}

pub fn transformer_layer(case: &Case, report: &mut Report) {
    let config = transformer_config(case);
    let mut module = modules::load(config.layer().init(&device()), case, &["param.", "buffer."]);
    module.power_iteration();
    let rotation = rotation(case, config.d_model / config.n_heads);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward_seq(x, rotation.as_ref()));
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
}

pub fn pos_emb_fixed(case: &Case, report: &mut Report) {
    let out = sinusoid(times(case), case.need("d_model"), &device());
    report.close("y", &modules::values(&out), &case.get("out.y").f32(), FORWARD);
}

pub fn pos_emb_rope(case: &Case, report: &mut Report) {
    let rotation = Rotation::new(times(case), case.need("head_dim"), case.need("base"));
    let qkv = modules::tensor::<5>(case.get("in.qkv"), &device());
    // Recorded as (three, heads, size); ours takes (three, size, heads).
    let [b, l, three, heads, size] = qkv.dims();
    let packed = qkv.swap_dims(3, 4).reshape([b, l, three * size * heads]);
    let out = rotation.apply(packed, heads).reshape([b, l, three, size, heads]).swap_dims(3, 4);
    report.close("qkv", &modules::values(&out), &case.get("out.qkv").f32(), FORWARD);
}
