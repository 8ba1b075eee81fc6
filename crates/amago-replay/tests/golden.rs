//! Against slices and batches recorded from the original implementation.

use std::sync::Arc;

use amago_env::{Action, Column, DictSpace, Observation, Space, Step};
use amago_golden::{Case, Report};
use amago_replay::{Batch, Slice, Trajectory, TrajectoryBuilder, collate, slice_bounds};

#[test]
fn golden_cases() {
    amago_golden::run("amago-replay", &[("random_slice_and_collate", slice_and_collate)]);
}

/// Records the case's trajectory step by step, as a collector would.
fn record(case: &Case) -> Trajectory {
    let len: usize = case.need("traj_len");
    let width = case.get("in.full.obs").shape[1];
    let choices = case.get("in.full.actions").shape[1];
    let space = DictSpace::single(Space::box_f32(&[width], -1e9, 1e9));
    let states = case.get("in.full.obs").f32();
    let observe = |t: usize| {
        let mut obs = Observation::new(&space);
        obs.write(DictSpace::SINGLE, &states[t * width..][..width]).expect("the recorded width");
        obs
    };
    let (rewards, dones) = (case.get("in.full.rews").f32(), case.get("in.full.dones").i64());
    let actions = case.get("in.full.actions").f32();
    let mut builder = TrajectoryBuilder::new(&space, &Space::Discrete { n: choices });
    builder.start(&observe(0)).expect("first observation");
    for t in 0..len {
        let action = actions[t * choices..][..choices].iter().position(|x| *x == 1.0).expect("one-hot");
        let step = Step { reward: rewards[t], terminated: dones[t] != 0, truncated: false };
        builder.push(&Action::Discrete(action), &step, &observe(t + 1)).expect("recorded step");
    }
    builder.finish()
}

/// Compares every field of a batch with the tensors under `prefix`, after writing the pad value of
/// the original into the places that our mask says are padding.
fn compare(case: &Case, report: &mut Report, prefix: &str, batch: &Batch) {
    let pad: f32 = case.need("pad_val");
    let len = batch.len;
    let step_mask: Vec<bool> = batch.mask.chunks(len).flat_map(|m| &m[1..]).copied().collect();
    let padded = |values: &[f32], mask: &[bool]| -> Vec<f32> {
        let width = values.len() / mask.len();
        values.iter().enumerate().map(|(i, x)| if mask[i / width] { *x } else { pad }).collect()
    };
    let mut close = |name: &str, got: &[f32], mask: &[bool]| {
        let name = format!("{prefix}.{name}");
        report.close(&name, &padded(got, mask), &case.get(&name).f32(), 0.0);
    };
    let Column::F32(obs) = &batch.obs[0] else { panic!("the case has float observations") };
    close("obs", obs, &batch.mask);
    close("rl2s", &batch.rl2s, &batch.mask);
    close("rews", &batch.rewards, &step_mask);
    close("actions", &batch.actions, &step_mask);
    // The original's pad value is true as a bool and truncated as an integer.
    let times: Vec<i64> =
        batch.time_idxs.iter().zip(&batch.mask).map(|(t, m)| if *m { *t } else { pad as i64 }).collect();
    report.equal("time_idxs", &times, &case.get(&format!("{prefix}.time_idxs")).i64());
    let dones: Vec<i64> = batch
        .terminals
        .iter()
        .zip(&step_mask)
        .map(|(d, m)| i64::from(if *m { *d } else { pad != 0.0 }))
        .collect();
    report.equal("dones", &dones, &case.get(&format!("{prefix}.dones")).i64());
}

fn slice_and_collate(case: &Case, report: &mut Report) {
    let trajectory = Arc::new(record(case));
    let whole = collate(&[Slice::new(trajectory.clone(), 0, trajectory.len())]);
    compare(case, report, "in.full", &whole);

    let slice_len: usize = case.need("slice_len");
    let mut slices = Vec::new();
    while case.has(&format!("in.start{}", slices.len())) {
        let i = slices.len();
        let start = case.get(&format!("in.start{i}")).i64()[0];
        let (start, stop) = slice_bounds(start, trajectory.len(), slice_len);
        let slice = Slice::new(trajectory.clone(), start, stop);
        compare(case, report, &format!("out.slice{i}"), &collate(std::slice::from_ref(&slice)));
        slices.push(slice);
    }
    report.equal("number of slices", &slices.len(), &case.get("out.batch.obs").shape[0]);
    let batch = collate(&slices);
    report.equal("timesteps", &batch.len, &case.get("out.batch.obs").shape[1]);
    compare(case, report, "out.batch", &batch);
    let mask: Vec<i64> = batch.mask.chunks(batch.len).flat_map(|m| &m[1..]).map(|m| i64::from(*m)).collect();
    report.equal("out.state_mask", &mask, &case.get("out.state_mask").i64());
}
