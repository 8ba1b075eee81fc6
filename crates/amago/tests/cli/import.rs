//! `amago import`: weights of the original.

use std::fs;

use crate::support::{Ended, Place, json};

/// Written by PyTorch for the tiny config: see `xtask/weights/fixture.py`.
const TINY: &[u8] = include_bytes!("../../../amago-trainer/tests/support/tiny.pt");

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("policy.pt"), TINY).expect("writable");
    place
}

fn import(place: &Place, weights: &str, settings: &[&str]) -> Ended {
    let mut args = vec!["import", weights, "--config", "tiny.toml", "--run-dir", "run"];
    args.extend(settings.iter().flat_map(|s| ["--set", s]));
    place.amago(&args)
}

/// The message of a refused import, all lines. Nothing was written.
fn refused(place: &Place, weights: &str, settings: &[&str]) -> String {
    let ended = import(place, weights, settings);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.starts_with("error: ") && ended.err.contains(weights), "{ended:?}");
    assert!(!place.path("run").exists(), "{ended:?}");
    ended.err
}

#[test]
fn an_imported_policy_plays() {
    let place = place();
    let ended = import(&place, "policy.pt", &[]).ok();
    assert!(ended.out.contains("imported") && ended.out.contains("amago eval run"), "{ended:?}");
    let report = json(&place.amago(&["eval", "run", "--json"]).ok().out);
    assert_eq!(report["returns"].as_array().map(Vec::len), Some(2), "{report}");
    place.amago(&["rollout", "tmaze-passive", "--policy", "run", "--episodes", "2"]).ok();
    import(&place, "policy.pt", &[]).check_error("again", &["run exists and is not empty"]);
}

#[test]
fn weights_that_do_not_fit_are_all_named() {
    let place = place();
    let wide = refused(&place, "policy.pt", &["agent.actor.d_hidden=9"]);
    assert!(wide.contains("6 tensors do not fit, nothing was written"), "{wide}");
    let line = "actor.base.in_layer.weight: [8, 8] in the file, the config needs [9, 8]";
    assert!(wide.contains(line) && wide.lines().count() == 7, "{wide}");
    let deep = refused(&place, "policy.pt", &["agent.actor.n_layers=2"]);
    let line = "target_actor.base.layers.0.bias: missing in the file, the config needs [8]";
    assert!(deep.contains(line) && deep.lines().count() == 5, "{deep}");
    let plain = refused(&place, "policy.pt", &["agent.traj_encoder.sigma_reparam=false"]);
    let line = "traj_encoder.tformer.layers.0.ff2.u: [8] in the file, the config has no such tensor";
    assert!(plain.contains(line) && plain.lines().count() == 13, "{plain}");
}

#[test]
fn files_that_are_no_weights_are_named() {
    let place = place();
    fs::write(place.path("cut.pt"), &TINY[..TINY.len() / 2]).expect("writable");
    fs::write(place.path("text.pt"), "these are no weights").expect("writable");
    for weights in ["cut.pt", "text.pt", "none.pt"] {
        let error = refused(&place, weights, &[]);
        assert!(error.contains("not a file of weights") && error.lines().count() == 1, "{error}");
    }
    let args = ["import", "policy.pt", "--config", "none.toml", "--run-dir", "run"];
    place.amago(&args).check_error("no config", &["none.toml"]);
}
