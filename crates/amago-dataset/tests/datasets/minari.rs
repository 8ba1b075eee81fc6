//! Samples of Minari, against what Minari itself reads in them.

use std::fs;

use amago_dataset::Format;
use amago_env::{Column, DictSpace, Space};
use serde_json::Value;

use crate::common::{copy, open, refusal, replace, sample, trajectories};

const ALL: [&str; 7] = [
    "cartpole/hdf5-v0",
    "cartpole/arrow-v0",
    "pendulum/hdf5-v0",
    "pendulum/arrow-v0",
    "pendulum/gzip-v0",
    "everything/hdf5-v0",
    "everything/arrow-v0",
];

/// Values as Minari reads them: numbers, or bytes in hexadecimal.
fn numbers(json: &Value) -> Vec<f64> {
    match json {
        Value::String(hex) => {
            let byte = |i| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
            (0..hex.len()).step_by(2).map(byte).collect()
        }
        Value::Bool(bit) => vec![f64::from(u8::from(*bit))],
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// The encoding of raw values, written a second time as simply as it can be.
fn encoded(space: &Space, start: usize, raw: &[f64]) -> Vec<f64> {
    let one_hot = |n: usize, choice: f64| (0..n).map(move |i| f64::from(u8::from(i as f64 == choice)));
    match space {
        Space::Discrete { n } => raw.iter().flat_map(|x| one_hot(*n, x - start as f64)).collect(),
        Space::MultiDiscrete { nvec } => {
            raw.iter().zip(nvec.iter().cycle()).flat_map(|(x, n)| one_hot(*n, *x)).collect()
        }
        _ => raw.to_vec(),
    }
}

fn values(column: &Column) -> Vec<f64> {
    match column {
        Column::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Column::U8(v) => v.iter().map(|x| f64::from(*x)).collect(),
    }
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn episodes_are_those_that_minari_reads() {
    for name in ALL {
        let dataset = open(&sample(name));
        let json = fs::read(sample(name).parent().unwrap().join("expected.json")).unwrap();
        let expected: Vec<Value> = serde_json::from_slice(&json).unwrap();
        let spaces = dataset.spaces.clone().unwrap();
        let found = trajectories(&dataset);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            let columns = found.columns();
            let is = |what: &str, found: &[f64], expected: &[f64], tolerance: f64| {
                let difference = largest_difference(found, expected);
                assert!(difference <= tolerance, "{name}: {what} differ by {difference}");
            };
            let floats = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            is("rewards", &floats(&columns.rewards), &numbers(&expected["rewards"]), 1e-6);
            let terminals: Vec<f64> = columns.terminals.iter().map(|t| f64::from(u8::from(*t))).collect();
            is("terminals", &terminals, &numbers(&expected["terminations"]), 0.0);
            let actions = numbers(&expected["actions"]);
            let actions = match spaces.action() {
                // Pendulum's torque is from -2 to 2.
                Space::Box(_) => actions.iter().map(|x| x / 2.0).collect(),
                space => encoded(space, 0, &actions),
            };
            is("actions", &floats(&columns.actions), &actions, 1e-6);
            assert_eq!(spaces.observation().0.len(), expected["observations"].as_object().unwrap().len());
            for ((key, space), column) in spaces.observation().iter().zip(&columns.obs) {
                let start = usize::from(key == "place/at");
                let expected = encoded(space, start, &numbers(&expected["observations"][key]));
                // Decoders of JPEG may round differently.
                let tolerance = if ["image", "grey"].contains(&key) { 3.0 } else { 1e-6 };
                is(key, &values(column), &expected, tolerance);
            }
            assert_eq!(columns.start_time, 0);
            assert!(columns.first_prev.iter().all(|x| *x == 0.0));
        }
        assert_eq!(dataset.store.damage(), []);
        assert_eq!(dataset.clipped(), 0);
        let steps: usize = found.iter().map(|t| t.len()).sum();
        assert_eq!(dataset.store.transitions(), steps as u64, "{name}: known before they are read");
    }
}

#[test]
fn spaces_are_those_of_the_environment() {
    let cartpole = open(&sample("cartpole/hdf5-v0"));
    assert_eq!(cartpole.format, Format::MinariHdf5);
    let spaces = cartpole.spaces.as_ref().unwrap();
    assert_eq!(*spaces.action(), Space::Discrete { n: 2 });
    let Space::Box(b) = &spaces.observation().0[DictSpace::SINGLE] else { panic!("no box") };
    assert_eq!((b.low[0], b.high[1], &b.shape[..]), (-4.8, f32::INFINITY, &[4][..]));
    let everything = open(&sample("everything/arrow-v0"));
    assert_eq!(everything.format, Format::MinariArrow);
    let keys: Vec<_> = everything.spaces.as_ref().unwrap().observation().0.keys().cloned().collect();
    assert_eq!(keys, ["grey", "grid", "image", "pair/0", "pair/1", "place/at", "place/bits", "which"]);
    assert!(
        everything.describe().ends_with("and actions MultiDiscrete([2, 4])"),
        "{}",
        everything.describe()
    );
}

#[test]
fn figures_are_those_of_the_episodes() {
    for name in ["cartpole/hdf5-v0", "cartpole/arrow-v0"] {
        let mut told = Vec::new();
        let info = open(&sample(name)).info(&mut |done, all| {
            told.push((done, all));
            true
        });
        let info = info.unwrap();
        assert_eq!(told, [(1, 2), (2, 2)]);
        // One balances until it is stopped, one always pushes to the left.
        assert_eq!((info.episodes, info.truncated, info.terminated, info.parts), (2, 1, 1, 0));
        assert_eq!((info.lengths.max(), info.returns.max()), (Some(15.0), Some(15.0)));
        let shortest = info.lengths.min().unwrap();
        assert!((8.0..12.0).contains(&shortest) && info.returns.min() == Some(shortest));
        assert_eq!(info.returns.mean(), Some((15.0 + shortest) / 2.0));
        assert_eq!(info.steps, 15 + shortest as u64);
        let stopped = open(&sample(name)).info(&mut |_, _| false).unwrap();
        assert!(stopped.stopped && stopped.episodes == 1);
    }
}

#[test]
fn actions_beyond_their_bounds_are_brought_to_them_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    copy(&sample("pendulum/arrow-v0"), dir.path());
    let metadata = dir.path().join("data/metadata.json");
    replace(&metadata, r#"\"low\": [-2.0], \"high\": [2.0]"#, r#"\"low\": [-0.5], \"high\": [0.5]"#);
    let dataset = open(dir.path());
    let narrow = trajectories(&dataset);
    let wide = trajectories(&open(&sample("pendulum/arrow-v0")));
    let beyond = wide[0].columns().actions.iter().filter(|x| x.abs() > 0.25).count();
    assert!(beyond > 0 && dataset.clipped() == beyond as u64, "{} of {beyond}", dataset.clipped());
    for (narrow, wide) in narrow[0].columns().actions.iter().zip(&wide[0].columns().actions) {
        assert!((narrow - (4.0 * wide).clamp(-1.0, 1.0)).abs() < 1e-6, "{narrow} {wide}");
    }
}

#[test]
fn descriptions_that_cannot_be_followed_are_refused_by_name() {
    for (from, to, expected) in [
        (r#""data_format": "arrow""#, r#""data_format": "parquet""#, "data_format is \"parquet\""),
        (r#"\"type\": \"Discrete\""#, r#"\"type\": \"Dict\""#, "action_space: a space of several spaces"),
        (r#"\"n\": 2"#, r#"\"n\": 20000000"#, "action_space: \"n\" is 20000000"),
        (
            r#"\"shape\": [4]"#,
            r#"\"shape\": [5]"#,
            "observation_space: \"observation\": the bounds have 4 and 4",
        ),
        (r#""observation_space""#, r#""observations""#, "missing field `observation_space`"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        copy(&sample("cartpole/arrow-v0"), dir.path());
        let metadata = dir.path().join("data/metadata.json");
        replace(&metadata, from, to);
        let error = refusal(dir.path());
        assert!(error.contains(expected) && error.contains("metadata.json"), "{to}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    copy(&sample("pendulum/arrow-v0"), dir.path());
    replace(&dir.path().join("data/metadata.json"), r#"\"high\": [2.0]"#, r#"\"high\": [Infinity]"#);
    assert!(refusal(dir.path()).contains("infinite bound"), "{}", refusal(dir.path()));
}
