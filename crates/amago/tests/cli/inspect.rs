//! What the critics of a run think of its stored trajectories.

use std::fs;

use serde_json::Value;

use crate::support::{Place, json};

const FIELDS: [&str; 8] = ["q", "v", "advantage", "filter", "q_std", "v_std", "advantage_std", "filter_std"];

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

/// Header and steps.
fn lines(text: &str) -> (Value, Vec<Value>) {
    let mut lines = text.lines().map(json);
    (lines.next().expect("a header"), lines.collect())
}

#[test]
fn every_stored_step_has_a_line_with_all_fields() {
    let place = Place::new();
    // Slices of two transitions of trajectories with four.
    place.train("run", &["train.max_seq_len=2", "agent.reward_multiplier=10.0"]).ok();
    let ended = place.amago(&["inspect", "run", "--trajectories", "1000"]).ok();
    let (header, steps) = lines(&ended.out);
    assert_eq!((&header["kind"], &header["version"]), (&"header".into(), &1.into()));
    assert_eq!((&header["critics"], &header["updates"]), (&2.into(), &4.into()));
    assert_eq!((&header["reward_multiplier"], &header["filter"]["kind"]), (&10.0.into(), &"binary".into()));
    let gammas = numbers(&header["gammas"]).len();
    assert_eq!(gammas, 2);
    let fields = header["fields"].as_array().expect("a list");
    let mut names: Vec<_> = fields.iter().map(|f| f["name"].as_str().expect("a name")).collect();
    names.sort_unstable();
    assert_eq!(steps.len() as u64, place.readable("run"));
    let mut passed = 0.0;
    for (i, step) in steps.iter().enumerate() {
        let mut keys: Vec<_> = step.as_object().expect("an object").keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, names);
        let same = i > 0 && steps[i - 1]["trajectory"] == step["trajectory"];
        let expected = if same { steps[i - 1]["t"].as_i64().expect("a number") + 1 } else { 0 };
        assert_eq!((&step["kind"], &step["t"]), (&"step".into(), &expected.into()));
        assert!(step["reward"].is_number());
        assert_eq!(numbers(&step["action"]).iter().sum::<f64>(), 1.0, "one of {step}");
        let [q, v, advantage, filter, q_std, ..] = FIELDS.map(|name| {
            let list = numbers(&step[name]);
            assert_eq!(list.len(), gammas, "{name}");
            list
        });
        assert!((0..gammas).all(|g| (q[g] - v[g] - advantage[g]).abs() < 1e-4), "{step}");
        assert!(filter.iter().all(|w| [0.0, 1.0].contains(w)) && q_std.iter().all(|s| *s > 0.0), "{step}");
        passed += filter.iter().sum::<f64>();
    }
    let share = 100.0 * passed / (steps.len() * gammas) as f64;
    let expected = format!("{} steps of ", steps.len());
    assert!(ended.err.contains(&expected) && ended.err.contains("mean advantage"), "{expected}: {ended:?}");
    assert!(
        ended.err.contains(&format!(" trajectories: the filter accepts {share:.1} %")),
        "{share}: {ended:?}"
    );
}

#[test]
fn fields_are_explained_and_draws_repeat() {
    let place = Place::new();
    place.train("run", &["agent.preset=\"amago2\"", "agent.k_actor=1"]).ok();
    let look = |seed: &str| {
        let args = ["inspect", "run", "--trajectories", "2", "--seed", seed, "-o", "values.jsonl"];
        let ended = place.amago(&args).ok();
        assert_eq!(ended.out, "");
        fs::read_to_string(place.path("values.jsonl")).expect("a file")
    };
    let first = look("1");
    assert_eq!(first, look("1"));
    assert!((2..=8).any(|seed| look(&seed.to_string()) != first), "the seed makes no difference");
    let (header, steps) = lines(&first);
    for field in header["fields"].as_array().expect("a list") {
        let shape = match &steps[0][field["name"].as_str().expect("a name")] {
            Value::Array(list) if list.len() == 2 => "[G]",
            Value::Array(_) => "[A]",
            _ => "[]",
        };
        assert_eq!(field["shape"], shape, "{field}");
        assert!(["unit", "doc"].iter().all(|k| field[k].as_str().is_some_and(|s| !s.is_empty())), "{field}");
    }
    let mut ids: Vec<_> = steps.iter().map(|s| s["trajectory"].as_u64().expect("a number")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2);
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::new();
    place.train("run", &[]).ok();
    let check = |what: &str, parts: &[&str]| {
        place.amago(&["inspect", "run", "-o", "values.jsonl"]).check_error(what, parts);
        assert!(!place.path("values.jsonl").exists(), "{what}");
    };
    place.amago(&["inspect", "nowhere"]).check_error("no run", &["nowhere", "not a run folder"]);
    place.amago(&["inspect", "run", "--trajectories", "0"]).check_error("none", &["--trajectories"]);
    place.amago(&["inspect", "run", "-o", "no/such"]).check_error("no folder", &["no/such", "No such file"]);
    fs::rename(place.path("run/replay"), place.path("replay")).expect("a folder");
    check("no replay", &["run/replay", "no stored trajectories"]);
    assert!(!place.path("run/replay").exists(), "looking leaves nothing behind");
    fs::rename(place.path("run/checkpoints"), place.path("checkpoints")).expect("a folder");
    fs::create_dir(place.path("run/checkpoints")).expect("a folder");
    check("no checkpoint", &["run/checkpoints", "there is none"]);
    place.train("imitation", &["agent.fake_filter=true", "agent.online_coeff=0.0"]).ok();
    place.amago(&["inspect", "imitation"]).check_error("no critics", &["fake_filter", "no critics"]);
}

#[test]
fn an_empty_replay_and_damaged_files_are_told() {
    let place = Place::new();
    place.train("run", &[]).ok();
    let files = crate::support::list(&place.path("run/replay/buffer"));
    fs::write(&files[0], b"no trajectory").expect("writable");
    let ended = place.amago(&["inspect", "run", "--trajectories", "1000"]).ok();
    assert!(ended.err.contains("warning: left out"), "{ended:?}");
    let (_, steps) = lines(&ended.out);
    fs::remove_file(&files[0]).expect("it was left where it is");
    assert_eq!(steps.len() as u64, place.readable("run"));
    fs::remove_dir_all(place.path("run/replay/buffer")).expect("a folder");
    fs::create_dir(place.path("run/replay/buffer")).expect("a folder");
    let ended = place.amago(&["inspect", "run"]);
    ended.check_error("empty", &["run/replay", "the store is empty"]);
}
