//! Tables and event files of a run.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Place, json};

const LAKE: &str = "env={id=\"meta-frozen-lake\", options={size=2, k_episodes=2, horizon=8}}";

fn trained() -> Place {
    let place = Place::new();
    place.train("run", &[LAKE, "eval.interval=1", "train.epochs=3"]).ok();
    place
}

/// A value of a line by its path with slashes.
fn at<'a>(line: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(line, |value, part| &value[part])
}

#[test]
fn a_table_has_the_numbers_of_the_metrics() {
    let place = trained();
    let ended =
        place.amago(&["export", "run", "--csv", "-", "--metric", "eval/*", "--metric", "train/loss"]).ok();
    let mut lines = ended.out.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    assert_eq!(header[..6], ["run", "seed", "env_steps", "updates", "epoch", "time/wall"]);
    assert!(
        header.contains(&"eval/metrics/attempt 1 success") && header.contains(&"train/loss"),
        "{header:?}"
    );
    assert!(!header.iter().any(|name| name.starts_with("rollout/")), "{header:?}");
    let rows: Vec<_> = lines.collect();
    let metrics = place.metrics("run");
    assert_eq!(rows.len(), metrics.len() - 1);
    for (row, line) in rows.iter().zip(&metrics[1..]) {
        assert_eq!(row[..2], ["run", "0"]);
        for (name, cell) in header.iter().zip(row).skip(2) {
            assert_eq!(cell.parse().ok(), at(line, name).as_f64(), "{name}");
        }
    }
    place.amago(&["export", "run", "--csv", "all.csv"]).ok();
    let all = fs::read_to_string(place.path("all.csv")).expect("a file");
    assert!(all.contains("rollout/return_mean"), "{all}");
    let refused = place.amago(&["export", "run", "--csv", "no.csv", "--metric", "evla/*"]);
    refused.check_error("unknown metric", &["evla/*", "eval/return_mean"]);
    assert!(!place.path("no.csv").exists());
    place
        .amago(&["export", "elsewhere", "--csv", "-"])
        .check_error("no run", &["elsewhere", "not a run folder"]);
    assert_eq!(place.amago(&["export", "run"]).code, Some(2));
}

#[test]
fn runs_of_the_same_name_are_told_apart() {
    let place = Place::new();
    for run in ["a/run", "b/run"] {
        place.train(run, &[]).ok();
    }
    let table = place.amago(&["export", "a/run", "b/run", "--csv", "-", "--tensorboard", "events"]).ok().out;
    assert!(table.contains("\na-run,0,") && table.contains("\nb-run,0,"), "{table}");
    assert_eq!(
        crate::support::list(&place.path("events")),
        [place.path("events/a-run"), place.path("events/b-run")]
    );
}

/// Runs a script with the Python of `AMAGO_TEST_PYTHON`, else `python3`.
fn tensorboard(script: &str, arg: &Path) -> Output {
    let python = std::env::var_os("AMAGO_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(&python).args(["-c", script]).arg(arg).output().expect("a Python")
}

const READ: &str = r#"
import json, sys, glob, os
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0})
found.Reload()
tags = found.Tags()
print(json.dumps({
    "scalars": {t: [[e.step, e.wall_time, e.value] for e in found.Scalars(t)] for t in tags["scalars"]},
    "histograms": {t: [[e.step, h.min, h.max, h.num, h.sum, h.sum_squares, list(h.bucket_limit), list(h.bucket)]
        for e in found.Histograms(t) for h in [e.histogram_value]] for t in tags["histograms"]},
    "texts": {t: [e.tensor_proto.string_val[0].decode() for e in found.Tensors(t)] for t in tags["tensors"]},
    "images": {t: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in found.Images(t)]
        for t in tags["images"]},
}))
"#;

#[test]
#[ignore = "needs Python with the package tensorboard (AMAGO_TEST_PYTHON names it)"]
fn tensorboard_reads_what_the_metrics_say() {
    let place = trained();
    place.amago(&["film", "run", "-o", "film.gif"]).ok();
    place.amago(&["export", "run", "--tensorboard", "events", "--image", "film=film.gif"]).ok();
    let output = tensorboard(READ, &place.path("events/run"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = json(text.lines().last().expect("a line"));
    let metrics = place.metrics("run");
    let (header, lines) = metrics.split_first().expect("a header");
    let started = header["machine"]["started"].as_f64().expect("a time");
    let names: Vec<&String> = found["scalars"].as_object().expect("scalars").keys().collect();
    for group in ["rollout/", "train/", "eval/", "time/", "replay/"] {
        assert!(names.iter().any(|name| name.starts_with(group)), "{group}: {names:?}");
    }
    for name in names {
        let has = |line: &&Value| at(line, name).is_number();
        // TensorBoard keeps single precision.
        let expected = lines.iter().filter(has).map(|line| {
            let time = started + line["time"]["wall"].as_f64().expect("a time");
            let value = at(line, name).as_f64().expect("a number") as f32;
            (line["env_steps"].as_f64().expect("steps"), time, value)
        });
        let number = |x: &Value| x.as_f64().expect("a number");
        let events = found["scalars"][name].as_array().expect("events");
        assert_eq!(events.len(), expected.clone().count(), "{name}");
        for (event, (step, time, value)) in events.iter().zip(expected) {
            assert_eq!((number(&event[0]), number(&event[2]) as f32), (step, value), "{name}");
            // The last digits of a time do not survive being written as text twice.
            assert!((number(&event[1]) - time).abs() < 1e-5, "{name}: {} and {time}", event[1]);
        }
    }
    let histograms = found["histograms"].as_object().expect("histograms");
    assert_eq!(
        histograms.keys().collect::<Vec<_>>(),
        ["eval/length_histogram", "eval/return_histogram", "rollout/return_histogram"]
    );
    for (name, events) in histograms {
        let written: Vec<_> = lines.iter().filter(|line| at(line, name).is_object()).collect();
        assert_eq!(events.as_array().expect("events").len(), written.len(), "{name}");
        for (event, line) in events.as_array().expect("events").iter().zip(written) {
            check_histogram(event, at(line, name));
        }
    }
    let config = fs::read_to_string(place.path("run/config.toml")).expect("a config");
    let shown = found["texts"]["run/config"][0].as_str().expect("a text");
    assert!(config.lines().all(|line| shown.contains(line)), "{shown}");
    let size = fs::metadata(place.path("film.gif")).expect("a film").len();
    assert_eq!(found["images"]["film"][0][3], size);
}

/// An event is step, smallest, largest, number, sum, squares, upper edges and counts.
fn check_histogram(event: &Value, written: &Value) {
    let list = |value: &Value| -> Vec<f64> {
        value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    let counts = list(&written["counts"]);
    let number = |name: &str| written[name].as_f64().expect("a number");
    let head = [number("min"), number("max"), counts.iter().sum(), number("sum"), number("sum_squares")];
    let got: Vec<f64> = (1..6).map(|i| event[i].as_f64().expect("a number")).collect();
    assert_eq!(got, head);
    assert_eq!((list(&event[6]), list(&event[7])), (list(&written["edges"])[1..].to_vec(), counts));
}

/// Killed between two checkpoints, a run tells some epochs again: TensorBoard must see each once.
#[test]
#[ignore = "needs Python with the package tensorboard (AMAGO_TEST_PYTHON names it)"]
fn tensorboard_sees_every_epoch_once() {
    let place = Place::new();
    let train = ["train", "tiny.toml", "--run-dir", "run", "--tensorboard", "--set", "train.epochs=1000000"];
    let mut child = place
        .command(&[&train[..], &["--set", "train.checkpoint_interval=50"]].concat())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let lines = || fs::read_to_string(place.path("run/metrics.jsonl")).unwrap_or_default().lines().count();
    let start = std::time::Instant::now();
    while lines() < 80 && start.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    place.amago(&["train", "--resume", "run", "--tensorboard", "--set", "train.epochs=160"]).ok();
    let metrics = place.metrics("run");
    let expected: Vec<_> = metrics[1..].iter().map(|line| line["env_steps"].as_f64()).collect();
    assert_eq!(expected.len(), 160);
    let output = tensorboard(READ, &place.path("run/tensorboard"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = json(text.lines().last().expect("a line"));
    let events = found["scalars"]["train/loss"].as_array().expect("events");
    assert_eq!(events.iter().map(|event| event[0].as_f64()).collect::<Vec<_>>(), expected);
    let times: Vec<_> = events.iter().map(|event| event[1].as_f64().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
}
