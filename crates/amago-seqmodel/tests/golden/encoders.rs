//! Trajectory encoders.

use amago_golden::modules::{self, What};
use amago_golden::{Case, Report};
use amago_seqmodel::*;
use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::layers::{feed_forward, transformer_config};
use super::{FORWARD, device, forward_backward, ints, norm_kind};

fn traj_encoder(case: &Case) -> TrajEncoder {
    let config = TrajEncoderConfig::Transformer(transformer_config(case));
    config.validate().expect("a recorded configuration is legal");
    modules::load(config.init(case.need("tstep_dim"), &device()), case, &["param.", "buffer."])
}

pub fn tformer(case: &Case, report: &mut Report) {
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

pub fn kv_cache(case: &Case, report: &mut Report) {
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

pub fn gru_traj_encoder(case: &Case, report: &mut Report) {
    let config = GruConfig {
        d_hidden: case.need("d_hidden"),
        n_layers: case.need("n_layers"),
        d_output: case.need("d_output"),
        norm: norm_kind(case, "norm"),
    };
    let module = modules::load(config.init(case.need("tstep_dim"), &device()), case, &["param."]);
    let seq = modules::tensor::<3>(case.get("in.seq"), &device());
    let [batch, len, _] = seq.dims();
    // Without meaning for a recurrent network.
    let times = Tensor::<2, Int>::zeros([batch, len], &device());
    forward_backward::<_, 3, 3>(&module, (case, report), "seq", |m, x| m.forward_seq(x, times.clone()));

    let hidden = modules::tensor::<3>(case.get("in.hidden"), &device());
    let mut state =
        GruState((0..config.n_layers).map(|i| hidden.clone().narrow(0, i, 1).squeeze_dim(0)).collect());
    let out = module.forward_step(seq.narrow(1, 0, 1), times.narrow(1, 0, 1), &mut state);
    report.close("step_y", &modules::values(&out), &case.get("out.step_y").f32(), FORWARD);
    let joined = |state: &GruState| modules::values(&Tensor::stack::<3>(state.0.clone(), 0));
    report.close("step_hidden", &joined(&state), &case.get("out.step_hidden").f32(), FORWARD);
    state.reset(0);
    let name = "out.hidden_after_reset_env0";
    report.close(name, &joined(&state), &case.get(name).f32(), FORWARD);
}

pub fn ff_traj_encoder(case: &Case, report: &mut Report) {
    let config = feed_forward(case);
    config.validate().expect("a recorded configuration is legal");
    let module = modules::load(config.init(case.need("tstep_dim"), &device()), case, &["param."]);
    forward_backward::<_, 3, 3>(&module, (case, report), "seq", |m, x| m.forward(x));
}

pub fn mamba(case: &Case, report: &mut Report) {
    let config = MambaConfig {
        d_model: case.need("d_model"),
        d_state: case.need("d_state"),
        d_conv: case.need("d_conv"),
        expand: case.need("expand"),
        n_layers: case.need("n_layers"),
        norm: norm_kind(case, "norm"),
    };
    config.validate().expect("a recorded configuration is legal");
    let module = modules::load(config.init(case.need("tstep_dim"), &device()), case, &["param."]);
    let seq = modules::tensor::<3>(case.get("in.seq"), &device());
    let [batch, len, _] = seq.dims();
    // Without meaning for a recurrent network.
    let times = Tensor::<2, Int>::zeros([batch, len], &device());
    forward_backward::<_, 3, 3>(&module, (case, report), "seq", |m, x| m.forward_seq(x, times.clone()));
    let mut state = module.rollout_state(batch, len, &device());
    let step =
        |t| module.forward_step(seq.clone().narrow(1, t, 1), times.clone().narrow(1, t, 1), &mut state);
    let steps = Tensor::cat((0..len).map(step).collect(), 1);
    report.close("out.y by steps", &modules::values(&steps), &case.get("out.y").f32(), FORWARD);
}
