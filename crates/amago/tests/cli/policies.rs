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
    let sampled = ["--actions", "sampled"];
    assert_eq!(returns(&sampled), returns(&sampled));
    assert_eq!(returns(&sampled), returns(&[]), "the run samples by default");
    assert_eq!(returns(&sampled), returns(&["--sample"]), "as it was called before");
    assert_ne!(returns(&sampled), returns(&["--actions", "sampled", "--seed", "9"]));
    assert_ne!(returns(&sampled), returns(&["--actions", "greedy"]));
    let rollout = |actions| {
        let task = ["rollout", "tmaze-passive", "--set", "corridor_length=3", "--set", "penalty=-0.3"];
        let how = ["--policy", "run", "--episodes", "30", "--json", "--actions", actions];
        json(&place.amago(&[&task[..], &how].concat()).ok().out)["returns"].clone()
    };
    assert_eq!(rollout("sampled"), returns(&sampled), "the same episodes");
    assert_eq!(rollout("greedy"), returns(&["--actions", "greedy"]));
    place
        .amago(&["eval", "run", "--episodes", "0"])
        .check_error("no episodes", &["--episodes", "at least 1"]);
    place.amago(&["eval", "run", "--device", "abacus"]).check_error("a device", &["--device abacus", "cpu"]);
    let table = place.amago(&["eval", "run"]).ok().out;
    assert!(table.contains("2 episodes") && table.contains("return"), "{table}");
}

#[test]
fn episodes_are_cut_stored_and_learned_from() {
    let place = Place::new();
    place.train("run", &["env.options.penalty=-0.3"]).ok();
    let short = ["eval", "run", "--episodes", "5", "--max-episode-steps", "2", "--json"];
    let ended = place.amago(&short).ok();
    let report = json(&ended.out);
    assert_eq!((&report["cut"], &report["length_mean"]), (&5.into(), &2.0.into()));
    assert!(ended.err.contains("5 of 5 episodes") && ended.err.contains("max_episode_steps"), "{ended:?}");
    let rollout = ["rollout", "tmaze-passive", "--episodes", "3", "--max-episode-steps", "4"];
    let ended = place.amago(&rollout).ok();
    assert!(ended.err.contains("3 of 3 episodes had not ended after 4 steps"), "{ended:?}");
    for stored in [5, 10] {
        let ended = place.amago(&["eval", "run", "--episodes", "5", "--save", "played"]).ok();
        assert!(ended.err.contains(&format!("5 of {stored} episodes stored")), "{ended:?}");
    }
    let learn = ["train.mode=learn", "replay.datasets=[{ path = \"played\" }]"];
    place.train("learned", &learn).ok();
    place.amago(&["eval", "run", "--save", "run"]).check_error("a run", &["run", "something else"]);
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
