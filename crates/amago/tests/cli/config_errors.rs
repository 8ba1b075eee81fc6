//! Settings that cannot be used: one message that names the place, and no run folder.

use std::fs;

use crate::support::{Place, TINY, list};

/// The command fails before it creates anything.
fn check(place: &Place, args: &[&str], parts: &[&str]) {
    let before = list(&place.path("."));
    place.amago(args).check_error(&format!("{args:?}"), parts);
    assert_eq!(list(&place.path(".")), before, "{args:?} left something behind");
}

#[test]
fn mistakes_in_settings() {
    let place = Place::new();
    let with = |setting: &str, parts: &[&str]| {
        check(&place, &["train", "tiny.toml", "--run-dir", "run", "--set", setting], parts);
        check(&place, &["train", "tiny.toml", "--set", setting], parts);
    };
    with("train.epoch=3", &["--set train.epoch=3", "unknown key train.epoch; did you mean \"epochs\""]);
    with("trian.epochs=3", &["--set trian.epochs=3", "unknown key trian; did you mean \"train\"?"]);
    with("train.epochs=many", &["--set train.epochs=many", "\"many\"", "integer"]);
    with("train.epochs=0", &["train.epochs", "at least 1"]);
    with("train.precision=bf16", &["train.precision", "bf16", "GPU"]);
    with("agent.traj_encoder.n_heads=3", &["traj_encoder", "n_heads = 3", "d_model = 8"]);
    with("agent.traj_encoder.kind=lstm", &["agent.traj_encoder", "lstm", "transformer", "feed_forward"]);
    with("env.id=tmaze-pasive", &["tmaze-pasive", "did you mean \"tmaze-passive\""]);
    with("env.options.corridor=3", &["tmaze-passive", "corridor", "did you mean \"corridor_length\"?"]);
    with("env.options.corridor_length=far", &["corridor_length", "cannot be \"far\""]);
    with("exploration.eps_start=2", &["exploration", "eps_start"]);
    with("agent.gamma=1.0", &["gamma", "below 1"]);
    with("seed", &["--set seed", "key=value"]);
}

#[test]
fn mistakes_in_the_file() {
    let place = Place::new();
    let with = |text: String, parts: &[&str]| {
        fs::write(place.path("bad.toml"), text).expect("writable");
        check(&place, &["train", "bad.toml"], parts);
    };
    with(
        TINY.replace("epochs = 2", "epohcs = 2"),
        &["bad.toml:8:1: unknown key train.epohcs; did you mean \"epochs\"?"],
    );
    with(TINY.replace("epochs = 2", "epochs = \"2\""), &["bad.toml:8:1: train.epochs = \"2\"", "integer"]);
    with(TINY.replace("n_heads = 2", "n_heads = 3"), &["n_heads = 3", "d_model = 8"]);
    with(TINY.replace("tmaze-passive", "maze"), &["\"maze\"", "did you mean", "tmaze-passive"]);
    with(TINY.replace("id =", "# id ="), &["bad.toml", "env.id", "amago envs"]);
}

/// The parser shows the line; the rest of the message is above it.
#[test]
fn a_file_that_is_no_toml() {
    let place = Place::new();
    fs::write(place.path("bad.toml"), TINY.replace("[train]", "[train")).expect("writable");
    let ended = place.amago(&["train", "bad.toml"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.starts_with("error: bad.toml: TOML parse error at line"), "{ended:?}");
    assert!(!place.path("runs").exists());
}

#[test]
fn files_folders_and_devices() {
    let place = Place::new();
    check(&place, &["train", "missing.toml"], &["missing.toml", "No such file"]);
    check(&place, &["train", "."], &["error: .:", "directory"]);
    check(&place, &["train", "tiny.toml", "--device", "abacus"], &["--device abacus", "cpu"]);
    check(&place, &["eval", "missing"], &["missing", "is not a run folder", "config.toml"]);
    check(&place, &["eval", "."], &["is not a run folder"]);
    check(&place, &["train", "tiny.toml", "--run-dir", "tiny.toml"], &["tiny.toml", "exists"]);
    check(
        &place,
        &["train", "tiny.toml", "--run-dir", "tiny.toml/run"],
        &["tiny.toml/run", "Not a directory"],
    );
    fs::write(place.path("bytes.toml"), [0xff, 0xfe, 0x00]).expect("writable");
    check(&place, &["train", "bytes.toml"], &["bytes.toml", "UTF-8"]);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let place = Place::new();
    fs::create_dir_all(place.path("mine")).expect("a folder");
    fs::write(place.path("mine/thesis.tex"), "all of it").expect("writable");
    place.train("mine", &[]).check_error("a folder of someone else", &["mine", "not empty", "--run-dir"]);
    assert_eq!(list(&place.path("mine")), [place.path("mine/thesis.tex")]);

    place.train("run", &[]).ok();
    let before = (list(&place.path("run")), fs::read(place.path("run/metrics.jsonl")).expect("metrics"));
    place.train("run", &["seed=1"]).check_error("a run", &["run", "exists and is not empty"]);
    assert_eq!(
        (list(&place.path("run")), fs::read(place.path("run/metrics.jsonl")).expect("metrics")),
        before
    );

    // An empty one is no obstacle.
    fs::create_dir_all(place.path("empty")).expect("a folder");
    place.train("empty", &[]).ok();
}
