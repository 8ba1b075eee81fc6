//! Ctrl-C: whatever the run is doing, everything is saved and the exit code is 130.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Ended, Place};

/// Far more than any of this takes, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(60);

/// Starts a run of many epochs.
fn start(place: &Place, run: &str, settings: &[&str]) -> Child {
    let mut args = vec!["train", "tiny.toml", "--run-dir", run, "--set", "train.epochs=1000000"];
    args.extend(settings.iter().flat_map(|s| ["--set", s]));
    place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "{what} never happened");
        sleep(Duration::from_millis(2));
    }
}

/// Trajectories on disk.
fn stored(run: &Path) -> usize {
    let files = std::fs::read_dir(run.join("replay/buffer")).into_iter().flatten().flatten();
    files.filter(|f| f.file_name().to_string_lossy().ends_with(".traj")).count()
}

/// Sends SIGINT and waits for the end.
fn interrupt(child: Child) -> Ended {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
    assert!(sent.success(), "the run was over already");
    child.wait_with_output().expect("it ends").into()
}

/// What must hold after Ctrl-C, whenever it came. Returns the updates done.
fn check_saved(place: &Place, run: &str, ended: &Ended) -> u64 {
    assert_eq!((ended.code, ended.out.as_str()), (Some(130), ""), "{ended:?}");
    assert!(
        ended.err.contains("stopping") && ended.err.contains(&format!("go on: amago train --resume {run}")),
        "{ended:?}"
    );
    let last = place.metrics(run).pop().expect("a line");
    assert_eq!(last["kind"], "epoch");
    // Every step that was taken is on disk, those of the two unfinished episodes in the checkpoint.
    let steps = last["env_steps"].as_u64().expect("a count");
    assert!((steps.saturating_sub(2 * 4)..=steps).contains(&place.readable(run)), "{last}");
    let updates = last["updates"].as_u64().expect("a count");
    let again = place.amago(&["eval", run, "--episodes", "2"]).ok();
    assert!(again.err.contains(&format!("policy after {updates} updates")), "{again:?}");
    assert!(!again.err.contains("warning"), "{again:?}");
    updates
}

#[test]
fn while_collecting() {
    let place = Place::new();
    let child = start(&place, "run", &["train.timesteps_per_epoch=1000000"]);
    wait_until("collecting", || stored(&place.path("run")) >= 5);
    let ended = interrupt(child);
    assert_eq!(check_saved(&place, "run", &ended), 0);
    assert_eq!(place.metrics("run").len(), 2);
}

#[test]
fn while_learning() {
    let place = Place::new();
    // How long the first update takes depends on the machine: later and later, until there was one.
    for (attempt, wait) in [100, 1_000, 10_000].into_iter().enumerate() {
        let run = format!("run{attempt}");
        let child = start(&place, &run, &["train.batches_per_epoch=100000000"]);
        // Eight steps in two environments are four episodes; then learning begins.
        wait_until("collecting", || stored(&place.path(&run)) == 4);
        sleep(Duration::from_millis(wait));
        let ended = interrupt(child);
        if check_saved(&place, &run, &ended) > 0 {
            return;
        }
    }
    panic!("no update within ten seconds");
}

#[test]
fn while_evaluating() {
    let place = Place::new();
    let child = start(&place, "run", &["eval.episodes=100000000", "eval.interval=2"]);
    // The third and fourth episode of each environment belong to epoch 2, which evaluates.
    wait_until("the second epoch", || stored(&place.path("run")) == 8);
    sleep(Duration::from_millis(50));
    let ended = interrupt(child);
    assert!(check_saved(&place, "run", &ended) >= 2);
    let metrics = place.metrics("run");
    assert_eq!(metrics.len(), 3, "an epoch was begun after Ctrl-C");
    assert!(metrics[2]["eval"].is_null(), "half an evaluation: {}", metrics[2]);
    // Going on makes up for it, and changes nothing else of the line.
    place.amago(&["train", "--resume", "run", "--set", "eval.episodes=2", "--set", "train.epochs=2"]).ok();
    let again = place.metrics("run");
    assert!(again.len() == 3 && again[2]["eval"]["return_mean"].is_number(), "{}", again[2]);
    assert_eq!((&again[2]["train"], &again[2]["rollout"]), (&metrics[2]["train"], &metrics[2]["rollout"]));
}
