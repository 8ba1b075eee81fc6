//! Parts of the sequence model against the tensors of the original implementation.

use std::collections::BTreeMap;

use amago_golden::modules::{self, What};
use amago_golden::{Case, Report};
use amago_seqmodel::*;
use burn::module::Module;
use burn::nn::DropoutConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};

const FORWARD: f64 = 1e-4;
const GRADIENT: f64 = 1e-3;

#[test]
fn golden() {
    amago_golden::run(
        "amago-seqmodel",
        &[
            ("norm_", norm),
            ("activation_", activation),
            ("symlog_symexp", symlog_symexp),
            ("input_norm", input_norm),
            ("sigma_reparam_", sigma_reparam),
            ("mlp_", mlp),
            ("ffblock", ffblock),
            ("attention_core", attention_core),
            ("attention_layer_", attention_layer),
            ("transformer_layer_", transformer_layer),
            ("pos_emb_fixed", pos_emb_fixed),
            ("tformer_traj_encoder_", tformer),
            ("tformer_kv_cache_", kv_cache),
            ("ff_traj_encoder", ff_traj_encoder),
            ("ff_tstep_encoder_", ff_tstep_encoder),
        ],
    );
}

fn device() -> Device {
    modules::device().autodiff()
}

fn parse<T: serde::de::DeserializeOwned>(case: &Case, key: &str) -> T {
    case.need(key)
}

/// `"none"` and `null` both mean no norm.
fn norm_kind(case: &Case, key: &str) -> NormKind {
    case.hyper(key).unwrap_or(NormKind::None)
}

/// Runs forward and backward of `loss = Σ out·grad_out` and compares output, input and parameter
/// gradients.
fn forward_backward<M: Module, const D: usize, const O: usize>(
    module: &M,
    (case, report): (&Case, &mut Report),
    input: &str,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<O>,
) {
    let device = device();
    let x = modules::tensor::<D>(case.get(&format!("in.{input}")), &device).require_grad();
    let out = forward(module, x.clone());
    report.close("out.y", &modules::values(&out), &case.get("out.y").f32(), FORWARD);
    let grads = (out * modules::tensor(case.get("in.grad_out"), &device)).sum().backward();
    let grad = x.grad(&grads).expect("the input takes part");
    let name = format!("grad.in.{input}");
    if case.has(&name) {
        report.close(&name, &modules::values(&grad), &case.get(&name).f32(), GRADIENT);
    }
    modules::compare(module, case, "grad.param.", What::Gradients(&grads), GRADIENT, report);
}

fn norm(case: &Case, report: &mut Report) {
    let module = norm_kind(case, "method").init(case.need("d_model"), &device());
    let module = modules::load(module, case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

fn activation(case: &Case, report: &mut Report) {
    let act: Activation = parse(case, "activation");
    let none = NormKind::None.init(1, &device());
    forward_backward::<_, 3, 3>(&none, (case, report), "x", |_, x| act.forward(x));
}

fn symlog_symexp(case: &Case, report: &mut Report) {
    for (name, f) in [("symlog", symlog as fn(Tensor<1>) -> Tensor<1>), ("symexp", symexp)] {
        let x = modules::tensor::<1>(case.get(&format!("in.{name}")), &device()).require_grad();
        let y = f(x.clone());
        report.close(name, &modules::values(&y), &case.get(&format!("out.{name}")).f32(), FORWARD);
        let grad = x.grad(&y.sum().backward()).expect("the input takes part");
        let expected = case.get(&format!("grad.in.{name}")).f32();
        report.close(&format!("grad.in.{name}"), &modules::values(&grad), &expected, GRADIENT);
    }
}

/// One where any feature differs from the recorded pad value, `[B, L, 1]`.
fn mask(case: &Case, x: Tensor<3>) -> Tensor<3> {
    let pad: f64 = case.hyper("pad_val").unwrap_or(4.0);
    x.not_equal_elem(pad).any_dim(2).float()
}

fn input_norm(case: &Case, report: &mut Report) {
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

fn sigma_reparam(case: &Case, report: &mut Report) {
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
        modules::compare(&module, case, &format!("grad{i}.param."), What::Gradients(&grads), GRADIENT, report);
        let after = format!("after{}.buffer.", i + 1);
        modules::compare(&module, case, &after, What::Weights, FORWARD, report);
        let next = format!("after{}.param.", i + 1);
        module = modules::load(module, case, &[&next, &after, "param.", "buffer."]);
    }
    let out = module.forward(modules::tensor::<3>(case.get("in.x_eval"), &device));
    report.close("y_eval", &modules::values(&out), &case.get("out.y_eval").f32(), FORWARD);
}

fn mlp(case: &Case, report: &mut Report) {
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

fn ffblock(case: &Case, report: &mut Report) {
    let dims = [case.need("d_model"), case.need("d_ff")];
    let module = ResidualBlock::new(dims, norm_kind(case, "norm"), parse(case, "activation"), &device());
    let module = modules::load(module, case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward(x));
}

fn attention_core(case: &Case, report: &mut Report) {
    let (heads, size): (usize, usize) = (case.need("H"), case.need("E"));
    let none = NormKind::None.init(1, &device());
    forward_backward::<_, 5, 4>(&none, (case, report), "qkv", |_, qkv| {
        // Recorded as (three, heads, size); ours takes (three, size, heads).
        let [b, l, ..] = qkv.dims();
        let packed = qkv.swap_dims(3, 4).reshape([b, l, 3 * heads * size]);
        causal_attention(packed, heads, &DropoutConfig::new(0.0).init())
    });
}

fn attention_layer(case: &Case, report: &mut Report) {
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

fn transformer_config(case: &Case) -> TransformerConfig {
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

fn transformer_layer(case: &Case, report: &mut Report) {
    let layer = transformer_config(case).layer();
    let mut module = modules::load(layer.init(&device()), case, &["param.", "buffer."]);
    module.power_iteration();
    forward_backward::<_, 3, 3>(&module, (case, report), "x", |m, x| m.forward_seq(x));
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
}

fn ints<const D: usize>(case: &Case, name: &str, shape: [usize; D]) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(case.get(name).i64(), shape), &device())
}

fn pos_emb_fixed(case: &Case, report: &mut Report) {
    let shape = &case.get("in.pos_idxs").shape;
    let times = ints(case, "in.pos_idxs", [shape[0], shape[1]]);
    let out = sinusoid(times, case.need("d_model"), &device());
    report.close("y", &modules::values(&out), &case.get("out.y").f32(), FORWARD);
}

fn traj_encoder(case: &Case) -> TrajEncoder {
    let config = TrajEncoderConfig::Transformer(transformer_config(case));
    let module = config.init(case.need("tstep_dim"), &device());
    modules::load(module, &unprefixed(case), &["param.", "buffer."])
}

/// The recorded names start with `tformer.`, ours with the enum's variant.
fn unprefixed(case: &Case) -> Case {
    let mut case = case.clone();
    let renamed = case.tensors.iter().map(|(k, v)| (k.replace(".tformer.", ".Transformer."), v.clone()));
    case.tensors = renamed.collect();
    case
}

fn tformer(case: &Case, report: &mut Report) {
    if case.need::<String>("pos_emb") != "fixed" {
        return report.pending("learned and rotary positions");
    }
    let case = &unprefixed(case);
    let mut module = traj_encoder(case);
    module.begin_update();
    let shape = &case.get("in.time_idxs").shape;
    let times = ints(case, "in.time_idxs", [shape[0], shape[1]]);
    forward_backward::<_, 3, 3>(&module, (case, report), "seq", |m, x| m.forward_seq(x, times.clone()));
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
    if case.has("out.y_eval") {
        let x = modules::tensor::<3>(case.get("in.seq"), &device());
        let out = module.forward_seq(x, times);
        report.close("y_eval", &modules::values(&out), &case.get("out.y_eval").f32(), FORWARD);
    }
}

fn kv_cache(case: &Case, report: &mut Report) {
    if case.need::<String>("pos_emb") != "fixed" {
        return report.pending("learned and rotary positions");
    }
    let device = modules::device();
    let module = traj_encoder(case).valid();
    let seq = modules::tensor::<3>(case.get("in.seq"), &device);
    let [batch, steps, width] = seq.dims();
    let times = case.get("in.time_idxs").i64();
    let dones = case.get("in.dones").i64();
    let max_seq_len: usize = case.need("max_seq_len");
    let mut state = module.rollout_state(batch, max_seq_len, &device);
    let mut outputs = Vec::new();
    for t in 0..steps {
        let at = |v: &[i64]| (0..batch).map(|b| v[b * steps + t]).collect::<Vec<_>>();
        let x = seq.clone().slice([0..batch, t..t + 1, 0..width]);
        let time = Tensor::from_data(TensorData::new(at(&times), [batch, 1]), &device);
        outputs.push(module.forward_step(x, time, &mut state));
        for (row, _) in at(&dones).iter().enumerate().filter(|(_, d)| **d != 0) {
            state.reset(row);
        }
    }
    let out = modules::values(&Tensor::cat(outputs, 1));
    report.close("y", &out, &case.get("out.y").f32(), FORWARD);
    let first = case.get("out.full_forward_first").shape[1];
    let head = seq.slice([0..batch, 0..first, 0..width]);
    // Recorded with unbroken time, whatever the resets of the step-by-step run.
    let head_times: Vec<i64> = (0..batch).flat_map(|_| 0..first as i64).collect();
    let head_times = Tensor::from_data(TensorData::new(head_times, [batch, first]), &device);
    let full = modules::values(&module.forward_seq(head, head_times));
    report.close("full_forward_first", &full, &case.get("out.full_forward_first").f32(), FORWARD);
}

fn ff_traj_encoder(case: &Case, report: &mut Report) {
    let config = FeedForwardConfig {
        d_model: case.need("d_model"),
        d_ff: case.need("d_ff"),
        n_layers: case.need("n_layers"),
        activation: parse(case, "activation"),
        norm: norm_kind(case, "norm"),
    };
    let module = modules::load(config.init(case.need("tstep_dim"), &device()), case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "seq", |m, x| m.forward(x));
}

/// Observation keys in order, flattened and joined, `[B, L, d_obs]`.
fn joined_obs(case: &Case) -> Tensor<3> {
    let shapes: BTreeMap<String, Vec<usize>> = case.need("obs_shapes");
    let parts = shapes.iter().map(|(key, shape)| {
        let array = case.get(&format!("in.obs.{key}"));
        let dims = [array.shape[0], array.shape[1], shape.iter().product()];
        Tensor::<3>::from_data(TensorData::new(array.f32(), dims), &device())
    });
    Tensor::cat(parts.collect(), 2)
}

fn ff_tstep_encoder(case: &Case, report: &mut Report) {
    let config = TstepEncoderConfig {
        n_layers: case.need("n_layers"),
        d_hidden: case.need("d_hidden"),
        d_output: case.need("d_output"),
        activation: case.hyper("activation").unwrap_or_default(),
        norm: norm_kind(case, "norm"),
        out_norm: case.hyper("out_norm").unwrap_or_default(),
        normalize_inputs: case.hyper("normalize_inputs").unwrap_or(true),
        hide_rl2s: case.hyper("hide_rl2s").unwrap_or(false),
        obs_keys: case.hyper("specify_obs_keys"),
        auto_scale: case.hyper("auto_scale").unwrap_or(false),
    };
    let obs = joined_obs(case);
    let shapes: BTreeMap<String, Vec<usize>> = case.need("obs_shapes");
    let widths = shapes.into_iter().map(|(key, shape)| (key, shape.iter().product())).collect::<Vec<_>>();
    let module = config.init(&widths, case.need("rl2_dim"), &device());
    let mut module = modules::load(module, case, &["param.", "buffer."]);
    let rl2s = modules::tensor::<3>(case.get("in.rl2s"), &device());
    // The original finds padding in the features as fed, where hidden ones are zero: with
    // `hide_rl2s` it takes padding for data. Ours gets the mask from outside.
    let fed = if config.hide_rl2s { rl2s.zeros_like() } else { rl2s.clone() };
    let mask = mask(case, Tensor::cat(vec![obs.clone(), fed], 2));
    module.begin_update(obs.clone(), rl2s.clone(), mask);
    let out = module.forward(obs.clone(), rl2s.clone());
    report.close("y", &modules::values(&out), &case.get("out.y").f32(), FORWARD);
    let grads = (out * modules::tensor(case.get("in.grad_out"), &device())).sum().backward();
    modules::compare(&module, case, "grad.param.", What::Gradients(&grads), GRADIENT, report);
    modules::compare(&module, case, "after1.buffer.", What::Weights, FORWARD, report);
    let out = module.forward(obs, rl2s);
    report.close("y_eval", &modules::values(&out), &case.get("out.y_eval").f32(), FORWARD);
}
