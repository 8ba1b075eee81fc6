//! Python environments through the command. Those that play one need an interpreter with numpy and gymnasium:
//! `AMAGO_TEST_PYTHON=venv/bin/python cargo test -p amago --test cli python -- --ignored`.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Place, TINY, json};

/// The tiny config on another environment.
fn place(python: &str, id: &str) -> Place {
    let place = Place::new();
    let env = TINY.find("[env]").expect("it has one");
    let end = TINY[env + 1..].find("\n[").map_or(TINY.len(), |end| env + 1 + end);
    let text =
        format!("{}[env]\nid = \"{id}\"\noptions.python = \"{python}\"\n{}", &TINY[..env], &TINY[end..]);
    fs::write(place.path("tiny.toml"), text).expect("writable");
    place
}

fn interpreter() -> String {
    std::env::var("AMAGO_TEST_PYTHON").expect("AMAGO_TEST_PYTHON names an interpreter")
}

#[test]
fn an_interpreter_that_is_missing_is_one_clear_message() {
    let place = place("/no/such/python", "gym:CartPole-v1");
    let parts = ["gym:CartPole-v1", "python", "/no/such/python", "cannot be started", "No such file"];
    let python = "python=/no/such/python";
    for args in [
        &["train", "tiny.toml", "--run-dir", "run"][..],
        &["config", "check", "tiny.toml"],
        &["rollout", "gym:CartPole-v1", "--set", python],
        &["envs", "gym:CartPole-v1", "--set", python],
    ] {
        place.amago(args).check_error(&args.join(" "), &parts);
    }
    assert!(!place.path("run").exists(), "nothing was begun");
    let typo = place.amago(&["rollout", "gym:CartPole-v1", "--set", "pyton=python3"]);
    typo.check_error("a typing error", &["pyton is no option", "python"]);
}

#[test]
fn one_environment_is_described_with_its_options() {
    let place = Place::new();
    let out = place.amago(&["envs", "tmaze-passive", "--set", "corridor_length=3"]).ok().out;
    assert!(out.starts_with("tmaze-passive\n") && out.contains("k_shot = 1"), "{out}");
    assert!(!out.contains("meta-frozen-lake"), "{out}");
    place.amago(&["envs", "tmaze"]).check_error("a typing error", &["there is no environment \"tmaze\""]);
    let alone = place.amago(&["envs", "--set", "corridor_length=3"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
}

#[test]
#[ignore = "needs AMAGO_TEST_PYTHON, an interpreter with gymnasium"]
fn a_python_environment_is_trained_resumed_and_played() {
    let python = interpreter();
    let place = place(&python, "gym:CartPole-v1");
    place.train("run", &["train.epochs=2", "train.timesteps_per_epoch=200"]).ok();
    let lines = place.metrics("run");
    let last = lines.last().expect("an epoch");
    assert_eq!((lines.len(), &last["kind"]), (3, &"epoch".into()));
    assert!(last["rollout"]["return_mean"].as_f64().expect("episodes ended") >= 8.0, "{last}");
    assert!(last["eval"]["tasks"]["gym:CartPole-v1"]["episodes"].as_u64() > Some(0), "{last}");
    place.amago(&["train", "--resume", "run", "--set", "train.epochs=3"]).ok();
    assert_eq!(place.metrics("run").len(), 4);
    let report = json(&place.amago(&["eval", "run", "--episodes", "3", "--json"]).ok().out);
    assert_eq!(report["returns"].as_array().map(Vec::len), Some(3));
    let set = format!("python={python}");
    let rollout = ["rollout", "gym:CartPole-v1", "--set", &set, "--episodes", "3", "--json"];
    let random = json(&place.amago(&rollout).ok().out);
    assert_eq!(random["returns"].as_array().map(Vec::len), Some(3));
    place.amago(&[&rollout[..], &["--policy", "run"]].concat()).ok();
    place.amago(&["inspect", "run", "-o", "values.jsonl"]).ok();
    let out = place.amago(&["envs", "gym:CartPole-v1", "--set", &set]).ok().out;
    assert!(out.contains("Discrete(2)") && out.contains("copies_per_worker = 0"), "{out}");
    let shots = place.amago(&["envs", "gym:CartPole-v1", "--set", &set, "--set", "k_shot=2"]).ok().out;
    assert!(shots.contains("attempt: Box"), "{shots}");
    place.amago(&["film", "run", "-o", "film.gif"]).check_error("nothing is drawn", &["cannot be drawn"]);
    let broken = place.amago(&["envs", "gym:NoSuchThing-v0", "--set", &set]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.err.contains("Traceback") && broken.err.contains("NoSuchThing"), "{broken:?}");
}

/// Processes that have the mark in their environment, where workers inherit it.
fn marked(mark: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    let with = processes.filter(|p| {
        fs::read(p.path().join("environ")).is_ok_and(|e| String::from_utf8_lossy(&e).contains(mark))
    });
    with.map(|p| p.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs AMAGO_TEST_PYTHON, an interpreter with gymnasium"]
fn ctrl_c_saves_and_leaves_no_process() {
    let place = place(&interpreter(), "gym:CartPole-v1");
    let mark = format!("AMAGO_MARK={}", place.path("run").display());
    let (name, value) = mark.split_once('=').expect("it has one");
    let mut command =
        place.command(&["train", "tiny.toml", "--run-dir", "run", "--set", "train.epochs=1000000"]);
    let child =
        command.env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let start = Instant::now();
    let lines = || fs::read_to_string(place.path("run/metrics.jsonl")).map_or(0, |text| text.lines().count());
    while lines() < 3 {
        assert!(start.elapsed() < Duration::from_secs(60), "no epoch came");
        sleep(Duration::from_millis(10));
    }
    assert!(marked(&mark).len() > 1, "the run and its workers");
    // As a terminal does, to the whole group; workers have groups of their own.
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
    let ended: crate::support::Ended = child.wait_with_output().expect("it ends").into();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.err.contains("go on: amago train --resume run"), "{ended:?}");
    let gone = Instant::now();
    while !marked(&mark).is_empty() {
        assert!(gone.elapsed() < Duration::from_secs(10), "left behind: {:?}", marked(&mark));
        sleep(Duration::from_millis(10));
    }
    place.amago(&["eval", "run", "--episodes", "2"]).ok();
}
