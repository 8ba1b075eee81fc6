//! Many tasks of one config, through the command.

use std::fs;

use crate::support::{Place, json};

const SCALES: &str = include_str!("../../../../configs/two-scales.toml");

#[test]
fn one_config_and_one_report_show_both_scales_and_what_was_held_out() {
    let place = Place::new();
    fs::write(place.path("scales.toml"), SCALES).expect("writable");
    let small = [
        "train.epochs=1",
        "train.parallel_actors=2",
        "train.timesteps_per_epoch=200",
        "train.batches_per_epoch=2",
        "train.batch_size=2",
        "train.min_trajectories=1",
        "eval.episodes=30",
    ];
    let mut args = vec!["train", "scales.toml", "--run-dir", "run"];
    args.extend(small.iter().flat_map(|setting| ["--set", setting]));
    let ended = place.amago(&args).ok();
    let names = ["pennies", "fortune", "longer", "mean of tasks"];
    assert!(ended.err.contains("training 2 tasks"), "{ended:?}");
    let table = place.amago(&["eval", "run"]).ok().out;
    for name in names {
        assert!(ended.out.lines().any(|line| line.starts_with(name)), "{name}: {ended:?}");
        assert!(
            table.lines().any(|line| line.starts_with(name) && line.contains("10") | line.contains("30")),
            "{table}"
        );
    }
    let report = json(&place.amago(&["eval", "run", "--json"]).ok().out);
    let tasks = &report["tasks"];
    assert_eq!(tasks.as_object().map(serde_json::Map::len), Some(3));
    let of = |task: &str, what: &str| tasks[task][what].as_f64().expect("a number");
    assert_eq!(of("fortune", "score"), (of("fortune", "return_mean") - 50.0) / 50.0);
    let mean = ["pennies", "fortune", "longer"].map(|task| of(task, "score")).iter().sum::<f64>() / 3.0;
    assert!((report["task_mean"]["score"].as_f64().expect("a mean") - mean).abs() < 1e-12);
    let once = place.amago(&["watch", "run", "--once"]).ok().out;
    place.amago(&["report", "run", "-o", "report.html"]).ok();
    let page = fs::read_to_string(place.path("report.html")).expect("a report");
    for name in names {
        assert!(once.contains(&name[..6]), "{name}: {once}");
        assert!(page.contains(name), "{name} is not in the report");
    }
    assert!(
        page.contains("normalised score of the last evaluation") && once.contains("normalised score"),
        "{once}"
    );
    place.amago(&["film", "run", "-o", "film.gif"]).ok();
    place.amago(&["inspect", "run", "-o", "values.jsonl", "--trajectories", "1"]).ok();
    place.amago(&["train", "--resume", "run", "--set", "train.epochs=2"]).ok();
    assert_eq!(place.metrics("run").len(), 3);
}

#[test]
fn tasks_that_do_not_go_together_are_named() {
    let place = Place::new();
    let wind =
        SCALES.replacen("tmaze-passive", "wind", 1).replacen("options = { corridor_length = 5 }\n", "", 1);
    fs::write(place.path("wind.toml"), wind).expect("writable");
    let error = place.amago(&["config", "check", "wind.toml"]);
    error.check_error(
        "numbers and choices",
        &["\"fortune\"", "Discrete(4)", "\"pennies\"", "Box(-0.1, 0.1, [2])"],
    );
}
