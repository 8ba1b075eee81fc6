//! Against slices, batches and relabelled trajectories recorded from the original implementation.

use std::sync::Arc;

use amago_env::{Action, Column, DictSpace, Dtype, Observation, Space, Step};
use amago_golden::{Array, Case, Report, Values};
use amago_replay::relabel::relabel;
use amago_replay::{
    Batch, ColumnLayout, Columns, Layout, Relabeler, Slice, Trajectory, TrajectoryBuilder, collate, read_npz,
    slice_bounds,
};

#[test]
fn golden_cases() {
    amago_golden::run(
        "amago-replay",
        &[
            ("random_slice_and_collate", slice_and_collate),
            ("hindsight_relabel_", hindsight_relabel),
            ("trajectory_npz_example", npz_import),
        ],
    );
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

/// What the name of a recorded observation begins with, after the prefix of the tensor.
const OBS_KEY: &str = "_OBS_KEY_";

/// The trajectory recorded under `prefix`.
fn recorded(case: &Case, prefix: &str) -> Trajectory {
    let get = |name: &str| case.get(&format!("{prefix}.{name}"));
    let action_width = get("actions").shape[1];
    let key = |name: &str| name.strip_prefix(&format!("{prefix}.{OBS_KEY}")).map(str::to_owned);
    let (mut columns, mut obs) = (Vec::new(), Vec::new());
    for (key, array) in case.names().filter_map(|name| Some((key(name)?, case.get(name)))) {
        let shape = array.shape[1..].to_vec();
        columns.push(ColumnLayout { key, width: shape.iter().product(), shape, dtype: Dtype::F32 });
        obs.push(Column::F32(array.f32()));
    }
    let data = Columns {
        obs,
        actions: get("actions").f32(),
        rewards: get("rews").f32(),
        terminals: get("dones").i64().iter().map(|d| *d != 0).collect(),
        start_time: get("time_idxs").i64()[0],
        first_prev: get("rl2s").f32()[..1 + action_width].to_vec(),
    };
    Trajectory::new(Arc::new(Layout { columns, action_width }), data).expect("the recorded lengths fit")
}

/// Compares a trajectory, observations named in `skip` apart, with the tensors under `prefix`.
fn compare_trajectory(case: &Case, report: &mut Report, prefix: &str, trajectory: Trajectory, skip: &str) {
    let trajectory = Arc::new(trajectory);
    let batch = collate(&[Slice::new(trajectory.clone(), 0, trajectory.len())]);
    let name = |field: &str| format!("{prefix}.{field}");
    let mut close = |field: &str, got: &[f32]| {
        report.close(&name(field), got, &case.get(&name(field)).f32(), 0.0);
    };
    close("rl2s", &batch.rl2s);
    close("rews", &batch.rewards);
    close("actions", &batch.actions);
    for (spec, column) in batch.layout.columns.iter().zip(&batch.obs).filter(|(spec, _)| spec.key != skip) {
        let values = match column {
            Column::F32(values) => values.clone(),
            Column::U8(bytes) => bytes.iter().map(|x| f32::from(*x)).collect(),
        };
        close(&format!("{OBS_KEY}{}", spec.key), &values);
    }
    let dones: Vec<i64> = batch.terminals.iter().map(|d| i64::from(*d)).collect();
    report.equal("dones", &dones, &case.get(&name("dones")).i64());
    report.equal("time_idxs", &batch.time_idxs, &case.get(&name("time_idxs")).i64());
    let keys = |name: &&str| name.starts_with(&format!("{prefix}.{OBS_KEY}"));
    let ours = batch.layout.columns.iter().filter(|spec| spec.key != skip).count();
    report.equal("number of observations", &ours, &case.names().filter(keys).count());
}

fn hindsight_relabel(case: &Case, report: &mut Report) {
    let trajectory = recorded(case, "in");
    let strategy: Relabeler = case.need("strategy");
    // The choices of the recording are given; without any, nothing was to be added.
    let alternatives: Vec<usize> = match case.find("rand.alt_tsteps") {
        Some(Array { values: Values::Int(rows), .. }) => rows.iter().map(|row| *row as usize).collect(),
        _ => Vec::new(),
    };
    let given = relabel(&trajectory, &alternatives).expect("it follows an instruction");
    compare_trajectory(case, report, "out", given, "achieved");
    // Our own choices have as many goals, and leave alone what there is nothing to add to.
    let shared = Arc::new(trajectory);
    let mut rng = amago_env::rng(0, amago_env::Role::Replay, 0, 0);
    let drawn = strategy.relabel(shared.clone(), &mut rng).expect("it follows an instruction");
    let goals = |t: &Trajectory| t.columns().rewards.iter().sum::<f32>() as usize;
    let (reached, k) = (goals(&shared), case.need::<usize>("k"));
    report.equal("goals within bounds", &(reached..=k).contains(&goals(&drawn)), &true);
    if strategy == Relabeler::All && reached == k {
        report.equal("nothing to add", &drawn, &shared);
    }
}

/// The file lies beside the case, its name without `_npz`.
fn npz_import(case: &Case, report: &mut Report) {
    let path = case.folder().join(format!("{}.npz", case.name.replace("_npz", "")));
    let trajectory = read_npz(&path).unwrap_or_else(|e| panic!("{e}"));
    compare_trajectory(case, report, "npz", trajectory, "");
}
