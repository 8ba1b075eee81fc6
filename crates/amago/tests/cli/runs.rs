//! A whole run: its files, its metrics, and that it can be repeated.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use amago_trainer::{ConfigSource, RunDir, load_config};
use serde_json::Value;

use crate::support::{Ended, Place, TINY, json, list};

#[test]
fn a_run_writes_what_it_promises() {
    let place = Place::new();
    let ended = place.train("run", &["seed=5", "train.checkpoint_interval=1"]).ok();
    assert!(ended.out.contains("random policy") && ended.out.contains("trained policy"), "{ended:?}");
    assert!(ended.out.contains("amago eval run"), "{ended:?}");
    let names: Vec<_> =
        list(&place.path("run")).iter().map(|p| p.file_name().expect("a name").to_owned()).collect();
    assert_eq!(names, ["best", "checkpoints", "config.toml", "lock", "metrics.jsonl", "replay"]);
    let best = place.amago(&["eval", "run/best", "--episodes", "2"]).ok();
    assert!(best.err.contains("run/best/update-"), "{best:?}");
    let (_, resolved) = RunDir::open(&place.path("run")).expect("a run");
    let overrides = ["seed=5".to_owned(), "train.checkpoint_interval=1".to_owned()];
    let source = ConfigSource { name: "tiny.toml", text: TINY, overrides: &overrides };
    assert_eq!(resolved, load_config(&source).expect("legal"));
    let names: Vec<_> =
        place.checkpoints("run").iter().map(|p| p.file_name().expect("a name").to_owned()).collect();
    assert_eq!(names, ["update-00000002", "update-00000004"]);
    // Two epochs of eight steps in two environments.
    assert_eq!(place.readable("run"), 32);
    let epochs: Vec<_> = place.metrics("run")[1..].iter().map(|l| l["epoch"].clone()).collect();
    assert_eq!(epochs, [1, 2]);

    // What is written is also read: a run can be repeated from its own config.
    place.amago(&["train", "run/config.toml", "--run-dir", "again"]).ok();
    assert_eq!(fs::read(place.path("run/config.toml")).ok(), fs::read(place.path("again/config.toml")).ok());
}

#[test]
fn settings_changed_on_going_on_are_those_of_the_run() {
    let place = Place::new();
    place.train("run", &[]).ok();
    place.amago(&["train", "--resume", "run", "--set", "train.epochs=3"]).ok();
    place.amago(&["train", "--resume", "run"]).ok();
    let (_, config) = RunDir::open(&place.path("run")).expect("a run");
    assert_eq!((config.train.epochs, place.metrics("run").len()), (3, 4));
    // What is refused changes nothing.
    let refused = place.amago(&["train", "--resume", "run", "--set", "agent.actor.d_hidden=9"]);
    refused.check_error("another network", &["does not fit"]);
    assert_eq!(RunDir::open(&place.path("run")).expect("a run").1, config);
}

#[test]
fn runs_without_a_folder_are_numbered() {
    let place = Place::new();
    for expected in ["runs/tiny-001", "runs/tiny-002"] {
        let ended = place.amago(&["train", "tiny.toml"]).ok();
        assert!(
            ended.err.contains(expected) && place.path(expected).join("config.toml").is_file(),
            "{ended:?}"
        );
    }
}

/// Starts so many processes at once and waits for all.
fn at_once(place: &Place, n: usize, args: &[&str]) -> Vec<Ended> {
    let start = || place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let children: Vec<_> = (0..n).map(|_| start().expect("it starts")).collect();
    children.into_iter().map(|child| child.wait_with_output().expect("it ends").into()).collect()
}

#[test]
fn runs_started_at_once_get_folders_of_their_own() {
    let place = Place::new();
    // As short as a run can be: what counts is how they begin.
    let settings = ["train.epochs=1", "train.timesteps_per_epoch=1", "train.batches_per_epoch=1"];
    let mut args = vec!["train", "tiny.toml", "--quiet"];
    args.extend(settings.iter().flat_map(|s| ["--set", s]));
    for _ in 0..25 {
        at_once(&place, 8, &args).into_iter().for_each(|ended| drop(ended.ok()));
    }
    let runs = list(&place.path("runs"));
    let expected: Vec<_> = (1..=200).map(|i| place.path(&format!("runs/tiny-{i:03}"))).collect();
    assert_eq!(runs, expected, "no other folder, and none left in the making");
    for run in runs {
        RunDir::open(&run).unwrap_or_else(|e| panic!("{}: {e}", run.display()));
        assert_eq!(list(&run.join("checkpoints")).len(), 1, "{}", run.display());
    }
}

#[test]
fn one_of_several_gets_the_folder_that_all_want() {
    let place = Place::new();
    for round in 0..5 {
        let run = format!("run{round}");
        let ended = at_once(&place, 8, &["train", "tiny.toml", "--quiet", "--run-dir", &run]);
        let (won, lost): (Vec<_>, Vec<_>) = ended.into_iter().partition(|ended| ended.code == Some(0));
        assert_eq!(won.len(), 1, "{lost:?}");
        for loser in lost {
            loser.check_error("too late", &[&run, "exists and is not empty", "--run-dir"]);
        }
        assert_eq!((place.metrics(&run).len(), place.checkpoints(&run).len()), (3, 1));
        place.amago(&["eval", &run]).ok();
    }
    assert_eq!(list(&place.path("")).len(), 6, "{:?}", list(&place.path("")));
}

/// Paths of all numbers, texts and nulls of a line.
fn leaves(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, out);
            }
        }
        _ => {
            out.insert(path.to_owned());
        }
    }
}

#[test]
fn the_header_explains_every_field_of_every_line() {
    let place = Place::new();
    let lake =
        ["env={id=\"meta-frozen-lake\", options={size=2, k_episodes=2, horizon=8}}", "eval.interval=1"];
    place.train("maze", &["train.min_trajectories=5"]).ok();
    place.train("lake", &lake).ok();
    let maze = "{id=\"tmaze-passive\", options={corridor_length=2}}";
    let tasks = format!("tasks=[{maze}, {maze}]");
    place.train("tasks", &["env={id=\"\", options={}}", &tasks, "train.timesteps_per_epoch=60"]).ok();
    let mut seen = BTreeSet::new();
    let mut named = BTreeSet::new();
    for run in ["maze", "lake", "tasks"] {
        let lines = place.metrics(run);
        assert_eq!((&lines[0]["kind"], &lines[0]["version"]), (&"header".into(), &2.into()));
        for field in lines[0]["fields"].as_array().expect("a list") {
            let text = |key: &str| field[key].as_str().filter(|s| !s.is_empty()).expect(key).to_owned();
            named.insert(text("name"));
            assert!(!text("unit").is_empty() && !text("doc").is_empty(), "{field}");
        }
        for line in &lines[1..] {
            assert_eq!(line["kind"], "epoch");
            leaves(line, "", &mut seen);
        }
    }
    // A part that an epoch does not have is null, whole.
    let parts = ["train", "eval"];
    let covers = |name: &String, path: &String| match name.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => name == path,
    };
    for path in seen.iter().filter(|path| !parts.contains(&path.as_str())) {
        assert!(named.iter().any(|name| covers(name, path)), "{path} is not in the header");
    }
    for name in &named {
        assert!(seen.iter().any(|path| covers(name, path)), "{name} is in the header but in no line");
    }
    assert!(parts.iter().all(|p| seen.contains(*p)), "no epoch without {parts:?}: {seen:?}");
}

/// A line of metrics without what depends on the machine's speed.
fn timeless(mut line: Value) -> Value {
    for (part, name) in [("rollout", "seconds"), ("eval", "steps_per_second")] {
        if let Some(fields) = line[part].as_object_mut() {
            assert!(fields.remove(name).is_some(), "{part}.{name}");
        }
    }
    let line_fields = line.as_object_mut().expect("an object");
    line_fields.remove("time");
    line_fields.remove("machine");
    line
}

#[test]
fn the_same_run_twice_is_the_same_run() {
    let place = Place::new();
    let noisy = "exploration={kind=\"epsilon_greedy\", steps_anneal=20}";
    let settings = |seed| [noisy, seed, "eval.actions=sampled", "train.epochs=3", "replay.traj_save_len=3"];
    for (run, seed) in [("a", "seed=1"), ("b", "seed=1"), ("c", "seed=2")] {
        place.train(run, &settings(seed)).ok();
    }
    let metrics = |run| place.metrics(run).into_iter().map(timeless).collect::<Vec<_>>();
    let replay = |run: &str| {
        let files = list(&place.path(run).join("replay/buffer"));
        files.iter().map(|f| fs::read(f).expect("a file")).collect::<Vec<_>>()
    };
    assert_eq!(metrics("a"), metrics("b"));
    assert_eq!(replay("a"), replay("b"));
    assert_ne!(metrics("a"), metrics("c"));
    assert_ne!(replay("a"), replay("c"));
    let eval = |run| json(&place.amago(&["eval", run, "--json"]).ok().out)["returns"].clone();
    assert_eq!(eval("a"), eval("b"));
}

#[test]
fn a_run_may_begin_with_the_networks_of_another() {
    let place = Place::new();
    place.train("first", &[]).ok();
    let args = ["train", "tiny.toml", "--run-dir", "second", "--init-from", "first/best"];
    let ended = place.amago(&args).ok();
    assert!(ended.err.contains("networks of first/best"), "{ended:?}");
    assert_eq!(place.metrics("second")[1]["epoch"], 1);
    // What cannot be begun leaves no folder.
    let args = ["train", "tiny.toml", "--run-dir", "third", "--init-from", "nowhere"];
    place.amago(&args).check_error("no run", &["nowhere"]);
    assert!(!place.path("third").exists());
    let both = place.amago(&["train", "--resume", "second", "--init-from", "first"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
