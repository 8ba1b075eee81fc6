//! Usage, help, the list of environments, and random policies.

use amago_env::registry;
use serde_json::Value;

use crate::support::{Ended, Place, json};

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let place = Place::new();
    let cases: [&[&str]; 7] = [
        &[],
        &["trian"],
        &["train", "--epochs", "3"],
        &["train", "a.toml", "b.toml"],
        &["eval"],
        &["rollout"],
        &["rollout", "tmaze-passive", "--episodes", "many"],
    ];
    for args in cases {
        let ended = place.amago(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
        assert!(ended.err.contains("--help"), "{args:?}: {ended:?}");
    }
}

#[test]
fn every_subcommand_has_help() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["--help"], &["train", "eval", "inspect", "import", "envs", "rollout", "Exit codes"]),
        (&["train", "--help"], &["--set", "--device", "--run-dir", "--dashboard", "--tensorboard", "--json"]),
        (&["watch", "--help"], &["--axis", "--once", "Keys:"]),
        (&["export", "--help"], &["--csv", "--tensorboard", "--metric", "--axis", "--image"]),
        (&["film", "--help"], &["--output", "--episodes", "--seed", "--fps", "--actions", "--random"]),
        (&["compare", "--help"], &["--metric", "--axis", "--json"]),
        (&["report", "--help"], &["--output", "--seed", "--actions", "--no-play"]),
        (&["eval", "--help"], &["--episodes", "--seed", "--actions", "--save", "--device", "--json"]),
        (&["inspect", "--help"], &["--trajectories", "--seed", "--output", "--device", "Example:"]),
        (&["import", "--help"], &["--config", "--set", "--run-dir", "--device", "nothing is written"]),
        (&["envs", "--help"], &["Usage: amago envs", "--json"]),
        (
            &["rollout", "--help"],
            &["--set", "--render", "--policy", "--episodes", "--seed", "--actions", "--max-episode-steps"],
        ),
    ];
    for (args, parts) in cases {
        let ended = place.amago(args).ok();
        for part in ["Usage:", "Example", "--quiet"].iter().chain(parts) {
            assert!(ended.out.contains(part), "{args:?}: \"{part}\" is not in: {}", ended.out);
        }
    }
    assert!(place.amago(&["--version"]).ok().out.starts_with("amago "));
}

#[test]
fn shells_get_scripts_that_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = place.amago(&["completions", shell]).ok();
        for word in ["train", "report", "compare", "tensorboard"] {
            assert!(ended.out.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(place.amago(&["completions", "abacus"]).code, Some(2));
}

#[test]
fn quiet_leaves_results_and_warnings() {
    let place = Place::new();
    let train = ["train", "tiny.toml", "--run-dir", "run", "--set", "train.min_trajectories=5", "--json"];
    let loud = place.amago(&train).ok();
    assert!(loud.err.contains("run folder") && loud.err.contains("warning: not learning yet"), "{loud:?}");
    let result = json(&loud.out);
    assert_eq!((&result["run_dir"], &result["stopped"]), (&"run".into(), &false.into()));
    assert!(result["trained"]["mean"].is_number() && result["random"]["mean"].is_number(), "{result}");
    assert!(!loud.out.contains('\x1b') && !loud.err.contains('\x1b'), "colours without a terminal: {loud:?}");
    let quiet = place.amago(&["--quiet", "eval", "run"]).ok();
    assert!(quiet.err.is_empty() && quiet.out.contains("return"), "{quiet:?}");
    let args = ["train", "tiny.toml", "-q", "--run-dir", "again", "--set", "train.min_trajectories=5"];
    let quiet = place.amago(&args).ok();
    let others = quiet.err.lines().filter(|line| !line.starts_with("warning: "));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
    let error = place.amago(&["--quiet", "eval", "nobody"]);
    error.check_error("quiet", &["nobody"]);
}

#[test]
fn the_list_of_environments_is_json_too() {
    let list = json(&Place::new().amago(&["envs", "--json"]).ok().out);
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), registry::specs().len());
    for (env, spec) in list.iter().zip(registry::specs()) {
        assert_eq!((&env["id"], &env["summary"]), (&spec.id.into(), &spec.summary.into()));
        assert_eq!(env["options"].as_array().map(Vec::len), Some(spec.options().len()));
    }
}

#[test]
fn envs_lists_every_environment_and_option() {
    let out = Place::new().amago(&["envs"]).ok().out;
    for spec in registry::specs() {
        let own = out.split("\n\n").find(|part| part.starts_with(spec.id));
        let own = own.unwrap_or_else(|| panic!("{} is missing: {out}", spec.id));
        assert!(own.contains(spec.summary) && own.contains("observation {"), "{own}");
        for option in spec.options() {
            let line = format!("{} = {}", option.name, option.default);
            assert!(own.contains(&line) && own.contains(&option.doc), "{line} is missing: {own}");
        }
    }
}

fn rollout(place: &Place, args: &[&str]) -> Ended {
    place.amago(&[&["rollout", "tmaze-passive", "--episodes", "70", "--json"], args].concat())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

#[test]
fn a_rollout_is_one_json_object() {
    let place = Place::new();
    let ended = rollout(&place, &["--set", "corridor_length=4"]).ok();
    assert_eq!(ended.out.lines().count(), 1, "{ended:?}");
    let report = json(&ended.out);
    let (returns, lengths) = (numbers(&report["returns"]), numbers(&report["lengths"]));
    assert_eq!((returns.len(), lengths.len()), (70, 70));
    assert!(lengths.iter().all(|l| *l == 5.0), "{lengths:?}");
    let mean = returns.iter().sum::<f64>() / 70.0;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 69.0;
    assert!((report["mean"].as_f64().expect("a number") - mean).abs() < 1e-9, "{report}");
    assert!((report["std"].as_f64().expect("a number") - variance.sqrt()).abs() < 1e-9, "{report}");
    assert!(report["steps_per_second"].as_f64().expect("a number") > 0.0, "{report}");
}

#[test]
fn the_seed_decides_a_rollout() {
    let place = Place::new();
    // Every step that is not forward costs something, so that returns differ.
    let args = |seed| ["--set", "penalty=-0.1", "--seed", seed];
    let returns = |seed| json(&rollout(&place, &args(seed)).ok().out)["returns"].clone();
    assert_eq!(returns("3"), returns("3"));
    assert_ne!(returns("3"), returns("4"));
    let table = place.amago(&["rollout", "tmaze-passive", "--episodes", "2"]).ok().out;
    assert!(table.contains("return") && table.contains("2 episodes"), "{table}");
}

#[test]
fn a_rollout_that_cannot_be() {
    let place = Place::new();
    let check = |args: &[&str], parts: &[&str]| place.amago(args).check_error(&format!("{args:?}"), parts);
    check(&["rollout", "tmaze"], &["\"tmaze\"", "tmaze-passive"]);
    check(&["rollout", "tmaze-passive", "--set", "size=4"], &["size", "known options are corridor_length"]);
    check(&["rollout", "tmaze-passive", "--set", "corridor_length=0"], &["corridor_length", "at least 1"]);
    check(&["rollout", "tmaze-passive", "--set", "corridor_length"], &["--set corridor_length", "key=value"]);
    check(&["rollout", "tmaze-passive", "--episodes", "0"], &["--episodes", "at least 1"]);
    check(&["rollout", "tmaze-passive", "--episodes", "4294967296"], &["--episodes", "at most 1000000000"]);
    check(&["rollout", "tmaze-passive", "--actions", "greedy"], &["--actions", "--policy"]);
    check(&["rollout", "tmaze-passive", "--policy", "nobody"], &["nobody", "is not a run folder"]);
    check(
        &["rollout", "tmaze-passive", "--policy", "nobody", "--device", "abacus"],
        &["--device abacus", "cpu"],
    );
}
