//! Trained policies: evaluated again, and played where they do not belong.

use crate::support::{Place, json};

#[test]
fn eval_repeats_the_last_evaluation_of_the_run() {
    let place = Place::new();
    place.train("run", &["eval.episodes=20", "env.options.penalty=-0.3"]).ok();
    let last = place.metrics("run").last().expect("a line")["eval"].clone();
    let ended = place.amago(&["eval", "run", "--json"]).ok();
    let again = json(&ended.out);
    for (name, metric) in [("mean", "return_mean"), ("std", "return_std"), ("success", "success")] {
        assert_eq!(again[name], last[metric], "{name}: {again} {last}");
    }
    assert_eq!((&again["length_mean"], &again["metrics"]), (&last["length_mean"], &last["metrics"]));
    assert_eq!(again["returns"].as_array().map(Vec::len), Some(20));
    assert!(
        ended.err.contains("policy after 4 updates") && ended.err.contains("update-00000004"),
        "{ended:?}"
    );
}

#[test]
fn eval_takes_other_episodes_seeds_and_draws() {
    let place = Place::new();
    place.train("run", &["env.options.penalty=-0.3"]).ok();
    let returns = |args: &[&str]| {
        let all = [&["eval", "run", "--json", "--episodes", "30"], args].concat();
        json(&place.amago(&all).ok().out)["returns"].clone()
    };
    assert_eq!(returns(&[]).as_array().map(Vec::len), Some(30));
    assert_eq!(returns(&["--sample"]), returns(&["--sample"]));
    assert_ne!(returns(&["--sample"]), returns(&["--sample", "--seed", "9"]));
    assert_ne!(returns(&["--sample"]), returns(&[]));
    place
        .amago(&["eval", "run", "--episodes", "0"])
        .check_error("no episodes", &["--episodes", "at least 1"]);
    place.amago(&["eval", "run", "--device", "abacus"]).check_error("a device", &["--device abacus", "cpu"]);
    let table = place.amago(&["eval", "run"]).ok().out;
    assert!(table.contains("2 episodes") && table.contains("return"), "{table}");
}

#[test]
fn a_policy_plays_other_options_but_no_other_spaces() {
    let place = Place::new();
    place.train("run", &[]).ok();
    let longer = ["rollout", "tmaze-passive", "--policy", "run", "--set", "corridor_length=6", "--json"];
    let report = json(&place.amago(&longer).ok().out);
    assert!((report["length_mean"].as_f64().expect("a number") - 7.0).abs() < 1e-9, "{report}");
    let parts = ["the policy of run was trained on", "meta-frozen-lake", "Discrete(4)", "Discrete(5)"];
    place.amago(&["rollout", "meta-frozen-lake", "--policy", "run"]).check_error("other spaces", &parts);
}
