//! The agents against the tensors of the original implementation.

mod critics;
mod draws;
mod eval;
mod inputs;
mod options;
mod parts;
mod policies;
mod spaces;
mod update;

use amago_golden::modules::{self, values};
use amago_golden::{Case, Report};
use burn::tensor::{Device, Tensor, TensorData};

pub const FORWARD: f64 = 1e-4;
pub const GRADIENT: f64 = 1e-3;

/// A checker for each family of cases.
pub const CHECKS: &[(&str, amago_golden::Check)] = &[
    ("policy_discrete_", policies::discrete),
    ("policy_tanh_gaussian_", policies::tanh_gaussian),
    ("policy_beta", policies::beta),
    ("policy_gmm", policies::gmm),
    ("policy_multibinary", policies::multibinary),
    ("actor_", policies::mlp_actor),
    ("residual_actor", policies::residual_actor),
    ("ncritics_discrete", critics::critics_of_options),
    ("ncritics_continuous", critics::critics_of_actions),
    ("ncritics_twohot_", critics::critics_classification),
    ("multigamma", parts::multigamma),
    ("popart", parts::popart),
    ("nstep_return_", parts::nstep_return),
    ("fbc_filters", parts::filters),
    ("adamw_warmup_clip", parts::adamw),
    ("update_agent_", update::update),
    ("update_multitask_", update::update),
];

#[test]
fn golden() {
    amago_golden::run("amago-agent", CHECKS);
}

/// The device of all tests, recording gradients.
pub fn device() -> Device {
    modules::device().autodiff()
}

/// A recorded tensor in another shape of the same size.
pub fn shaped<const D: usize>(case: &Case, name: &str, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(case.get(name).f32(), shape), &device())
}

/// A recorded tensor in its own shape.
pub fn recorded<const D: usize>(case: &Case, name: &str) -> Tensor<D> {
    modules::tensor(case.get(name), &device())
}

/// Compares with a recorded tensor of the same size.
pub fn close<const D: usize>(
    (case, report): (&Case, &mut Report),
    name: &str,
    got: &Tensor<D>,
    tolerance: f64,
) {
    report.close(name, &values(got), &case.get(name).f32(), tolerance);
}
