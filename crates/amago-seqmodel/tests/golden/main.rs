//! Parts of the sequence model against the tensors of the original implementation.

mod encoders;
mod goals;
mod layers;
mod tstep;

use amago_golden::modules::{self, What};
use amago_golden::{Case, Report};
use amago_seqmodel::NormKind;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

pub const FORWARD: f64 = 1e-4;
pub const GRADIENT: f64 = 1e-3;

/// A checker for each family of cases.
pub const CHECKS: &[(&str, amago_golden::Check)] = &[
    ("norm_", layers::norm),
    ("activation_", layers::activation),
    ("symlog_symexp", layers::symlog_symexp),
    ("input_norm", layers::input_norm),
    ("sigma_reparam_", layers::sigma_reparam),
    ("mlp_", layers::mlp),
    ("ffblock", layers::ffblock),
    ("attention_core", layers::attention_core),
    ("attention_layer_", layers::attention_layer),
    ("transformer_layer_", layers::transformer_layer),
    ("pos_emb_fixed", layers::pos_emb_fixed),
    ("pos_emb_rope", layers::pos_emb_rope),
    ("tformer_traj_encoder_", encoders::tformer),
    ("tformer_kv_cache_", encoders::kv_cache),
    ("gru_traj_encoder", encoders::gru_traj_encoder),
    ("ff_traj_encoder", encoders::ff_traj_encoder),
    ("mamba_", encoders::mamba),
    ("goal_ff_", goals::feed_forward),
    ("goal_token_", goals::token),
    ("drq_", tstep::shifted_images),
    ("ff_tstep_encoder_", tstep::ff_tstep_encoder),
    ("cnn_tstep_encoder_", tstep::cnn_tstep_encoder),
];

#[test]
fn golden() {
    amago_golden::run("amago-seqmodel", CHECKS);
}

pub fn device() -> Device {
    modules::device().autodiff()
}

pub fn parse<T: serde::de::DeserializeOwned>(case: &Case, key: &str) -> T {
    case.need(key)
}

/// `"none"` and `null` both mean no norm.
pub fn norm_kind(case: &Case, key: &str) -> NormKind {
    case.hyper(key).unwrap_or(NormKind::None)
}

/// Runs forward and backward of `loss = Σ out·grad_out` and compares output, input and parameter
/// gradients.
pub fn forward_backward<M: Module, const D: usize, const O: usize>(
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
    let name = format!("grad.in.{input}");
    if case.has(&name) {
        let grad = x.grad(&grads).expect("the input takes part");
        report.close(&name, &modules::values(&grad), &case.get(&name).f32(), GRADIENT);
    }
    modules::compare(module, case, "grad.param.", What::Gradients(&grads), GRADIENT, report);
    // A pass leaves the parameters alone, here as there.
    modules::compare(module, case, "after1.param.", What::Weights, FORWARD, report);
}

/// One where any feature differs from the recorded pad value, `[B, L, 1]`.
pub fn mask(case: &Case, x: Tensor<3>) -> Tensor<3> {
    let pad: f64 = case.hyper("pad_val").unwrap_or(4.0);
    x.not_equal_elem(pad).any_dim(2).float()
}

pub fn ints<const D: usize>(case: &Case, name: &str, shape: [usize; D]) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(case.get(name).i64(), shape), &device())
}
