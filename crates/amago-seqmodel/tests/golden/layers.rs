//! Norms, activations, linear layers, attention and positions.

use amago_golden::modules::{self, What};
use amago_golden::{Case, Report};
use amago_seqmodel::*;
use burn::nn::DropoutConfig;
use burn::tensor::Tensor;

use super::{FORWARD, GRADIENT, device, forward_backward, ints, mask, norm_kind, parse};

pub fn norm(case: &Case, report: &mut Report) {
    let module = norm_kind(case, "method").init(case.need("d_model"), &device());
    let module = modules::load(module, case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

pub fn activation(case: &Case, report: &mut Report) {
    let act: Activation = parse(case, "activation");
    let none = NormKind::None.init(1, &device());
    forward_backward::<_, 3, 3>(&none, (case, report), "x", |_, x| act.forward(x));
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
    let mut module = InputNorm::new(case.need("dim"), &device);
    module = modules::load(module, case, &["before.buffer.", "before.buffer._"]);
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
    let dims = [case.need("d_model"), case.need("d_ff")];
    let module = ResidualBlock::new(dims, norm_kind(case, "norm"), parse(case, "activation"), &device());
    let module = modules::load(module, case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

pub fn attention_core(case: &Case, report: &mut Report) {
    let (heads, size): (usize, usize) = (case.need("H"), case.need("E"));
    let none = NormKind::None.init(1, &device());
    forward_backward::<_, 5, 4>(&none, (case, report), "qkv", |_, qkv| {
        // Recorded as (three, heads, size); ours takes (three, size, heads).
        let [b, l, ..] = qkv.dims();
        let packed = qkv.swap_dims(3, 4).reshape([b, l, 3 * heads * size]);
        causal_attention(packed, heads, &DropoutConfig::new(0.0).init())
    });
}

pub fn attention_layer(case: &Case, report: &mut Report) {
    if case.need("use_rope") {
        return report.pending("rotary positions");
    }
    let config = AttentionConfig {
        d_model: case.need("d_model"),
        n_heads: case.need("n_heads"),
        head_scaling: case.hyper("head_scaling").unwrap_or(true),
        sigma_reparam: case.need("sigma_reparam"),
        dropout_qkv: 0.0,
        dropout_attn: 0.0,
    };
    let mut module = modules::load(config.init(&device()), case, &["param.", "buffer."]);
    module.power_iteration();
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward_seq(x));
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
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
    }
}

pub fn transformer_layer(case: &Case, report: &mut Report) {
    let layer = transformer_config(case).layer();
    let mut module = modules::load(layer.init(&device()), case, &["param.", "buffer."]);
    module.power_iteration();
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward_seq(x));
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
}

pub fn pos_emb_fixed(case: &Case, report: &mut Report) {
    let shape = &case.get("in.pos_idxs").shape;
    let times = ints(case, "in.pos_idxs", [shape[0], shape[1]]);
    let out = sinusoid(times, case.need("d_model"), &device());
    report.close("y", &modules::values(&out), &case.get("out.y").f32(), FORWARD);
}
