//! Runs as people see them: watched, filmed, compared, reported.

use std::fs;

use amago_view::picture_size;

use crate::support::{Place, json, list};

const LAKE: &str = "env={id=\"meta-frozen-lake\", options={size=2, k_episodes=2, horizon=8}}";

/// Two seeds of a lake, and a run of other settings; all behind watchdogs, which draw nothing themselves.
fn trained() -> Place {
    let place = Place::new();
    for (run, changed) in [("a", "seed=1"), ("b", "seed=2"), ("c", "agent.gamma=0.5")] {
        place.train(run, &[LAKE, "eval.interval=1", "train.env_timeout=60", changed]).ok();
    }
    place
}

#[test]
fn a_dashboard_is_printed_without_a_terminal() {
    let place = trained();
    let once = place.amago(&["watch", "a", "--once"]).ok().out;
    assert_eq!(once.lines().count(), 24, "{once}");
    for part in ["a meta-frozen-lake", "epoch 2/2", "finished in", "success by attempt, eval", "Q spread"] {
        assert!(once.contains(part), "{part}: {once}");
    }
    let both = place.amago(&["watch", "a", "b", "--once", "--axis", "time"]).ok().out;
    assert!(both.contains("b meta-frozen-lake") && both.contains("over seconds"), "{both}");
    place.amago(&["watch", "a"]).check_error("no terminal", &["terminal", "--once"]);
    place
        .amago(&["train", "tiny.toml", "--dashboard"])
        .check_error("no terminal", &["--dashboard", "terminal"]);
    assert!(!place.path("runs").exists());
    place.amago(&["watch", "nobody"]).check_error("no run", &["nobody", "not a run folder"]);
}

#[test]
fn a_film_shows_an_episode() {
    let place = trained();
    let said = place.amago(&["film", "a", "-o", "film.gif", "--seed", "3"]).ok().err;
    assert!(said.contains("film.gif: ") && said.contains("of 1 episodes"), "{said}");
    let film = fs::read(place.path("film.gif")).expect("a film");
    let [width, height] = picture_size(&film).expect("a GIF");
    assert!(width >= 240 && height > width, "{width} x {height}");
    place.amago(&["film", "a", "-o", "random.gif", "--seed", "3", "--random", "--episodes", "2"]).ok();
    let random = fs::read(place.path("random.gif")).expect("a film");
    assert!(random != film);
    place.amago(&["film", "a", "-o", "none.gif", "--episodes", "0"]).check_error("none", &["--episodes"]);
    assert!(!place.path("none.gif").exists());
}

#[test]
fn runs_are_compared_over_their_seeds() {
    let place = trained();
    let ended = place.amago(&["compare", "a", "b", "c"]).ok();
    for part in ["eval/return_mean at", "gamma = ", "seeds", "environment steps"] {
        assert!(ended.out.contains(part), "{part}: {ended:?}");
    }
    let found = json(&place.amago(&["compare", "a", "b", "c", "--json", "--axis", "updates"]).ok().out);
    assert_eq!(found["groups"][0]["runs"], serde_json::json!(["a", "b"]));
    let last = |run: &str| place.metrics(run).last().expect("a line")["eval"]["return_mean"].as_f64();
    let mean = (last("a").expect("a number") + last("b").expect("a number")) / 2.0;
    let got = found["groups"][0]["at_common"]["mean"].as_f64().expect("a number");
    assert!((got - mean).abs() < 1e-9, "{got} {mean}");
    place.amago(&["compare", "a", "--metric", "no"]).check_error("unknown", &["\"no\"", "eval/return_mean"]);
}

#[test]
fn a_report_is_one_page() {
    let place = Place::new();
    // Two attempts in every episode, whatever the policy does.
    for (run, changed) in [("a", "seed=1"), ("b", "seed=2"), ("c", "agent.gamma=0.5")] {
        place.train(run, &["env.options.k_shot=2", "eval.interval=1", changed]).ok();
    }
    let said = place.amago(&["report", "a", "b", "c", "-o", "report.html"]).ok().err;
    assert!(said.contains("report.html: ") && said.contains("kB"), "{said}");
    let page = fs::read_to_string(place.path("report.html")).expect("a page");
    for part in ["first attempt", "last attempt, number 2", "Layer 1 of ", "value V(s)", "agent.gamma"] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("data:image/gif").count(), 2 + page.matches("alt=\"attention\"").count());
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    place.amago(&["report", "a", "-o", "short.html", "--no-play"]).ok();
    let short = fs::read_to_string(place.path("short.html")).expect("a page");
    assert!(short.contains("--no-play was given") && !short.contains("data:image"));
    // Without a checkpoint the rest is still told.
    fs::remove_dir_all(place.path("a/checkpoints")).expect("removed");
    let ended = place.amago(&["report", "a", "-o", "rest.html"]).ok();
    assert!(ended.err.contains("warning: the report has no episode"), "{ended:?}");
    assert!(fs::read_to_string(place.path("rest.html")).expect("a page").contains("Not played: "));
}

#[test]
fn event_files_follow_the_run() {
    let place = Place::new();
    place.amago(&["train", "tiny.toml", "--run-dir", "run", "--tensorboard"]).ok();
    place.amago(&["export", "run", "--tensorboard", "events"]).ok();
    let only = |dir: &str| fs::read(&list(&place.path(dir))[0]).expect("a file");
    let (live, exported) = (only("run/tensorboard"), only("events/run"));
    assert!(live == exported, "{} and {} bytes", live.len(), exported.len());
}

#[test]
fn a_resumed_run_goes_on_in_another_event_file() {
    let place = Place::new();
    place.amago(&["train", "tiny.toml", "--run-dir", "run", "--tensorboard"]).ok();
    // Within the same second, too.
    for epochs in ["train.epochs=3", "train.epochs=4", "train.epochs=5"] {
        place.amago(&["train", "--resume", "run", "--set", epochs, "--tensorboard"]).ok();
    }
    assert_eq!(list(&place.path("run/tensorboard")).len(), 4);
    let epochs: Vec<_> = place.metrics("run")[1..].iter().map(|l| l["epoch"].as_u64()).collect();
    assert_eq!(epochs, (1..=5).map(Some).collect::<Vec<_>>());
}

#[test]
fn event_files_that_cannot_be_opened_change_nothing() {
    let place = Place::new();
    place.train("run", &[]).ok();
    let before = |file: &str| fs::read(place.path("run").join(file)).expect("a file");
    let (config, metrics) = (before("config.toml"), before("metrics.jsonl"));
    let resume = ["train", "--resume", "run", "--tensorboard", "--set"];
    fs::write(place.path("run/tensorboard"), "in the way").expect("a file");
    let refused = place.amago(&[&resume[..], &["train.epochs=3"]].concat());
    refused.check_error("in the way", &["run/tensorboard"]);
    fs::remove_file(place.path("run/tensorboard")).expect("removed");
    // Nor does a run that cannot go on leave an event file.
    let refused = place.amago(&[&resume[..], &["agent.actor.d_hidden=9"]].concat());
    refused.check_error("another network", &["does not fit"]);
    assert!(!place.path("run/tensorboard").exists());
    assert!(before("config.toml") == config && before("metrics.jsonl") == metrics);
}

#[test]
fn an_export_replaces_the_one_before_and_nothing_else() {
    let place = Place::new();
    place.train("run", &[]).ok();
    fs::create_dir_all(place.path("events/run")).expect("a folder");
    for mine in ["events.out.tfevents.1.host", "note.amago-export"] {
        fs::write(place.path("events/run").join(mine), "mine").expect("a file");
    }
    let export = || place.amago(&["export", "run", "--tensorboard", "events"]).ok();
    export();
    let first = list(&place.path("events/run"));
    place.amago(&["train", "--resume", "run", "--set", "train.epochs=3"]).ok();
    export();
    assert_eq!(list(&place.path("events/run")), first);
    let size = |path: &std::path::PathBuf| fs::metadata(path).expect("a file").len();
    let exported = first.iter().find(|p| size(p) > 4).expect("an event file");
    // Another run of the same name takes its place.
    fs::remove_dir_all(place.path("run")).expect("removed");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    place.train("run", &[]).ok();
    export();
    let others = list(&place.path("events/run"));
    assert_eq!(others.len(), 3, "{others:?}");
    assert!(!exported.exists());
    assert_eq!(others.iter().filter(|p| size(p) == 4).count(), 2, "somebody else's are gone: {others:?}");
}
