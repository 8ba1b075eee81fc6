//! Signals: whatever the run is doing, everything is saved, and the exit code is 128 + the signal.

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

fn send(signal: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(sent.expect("kill starts").success(), "the run was over already");
}

/// Sends SIGINT and waits for the end.
fn interrupt(child: Child) -> Ended {
    send("INT", child.id());
    child.wait_with_output().expect("it ends").into()
}

/// What must hold after Ctrl-C, whenever it came. Returns the updates done.
fn check_saved(place: &Place, run: &str, ended: &Ended) -> u64 {
    assert_eq!((ended.code, ended.out.as_str()), (Some(130), ""), "{ended:?}");
    check_told(run, "SIGINT", ended);
    check_files(place, run)
}

fn check_told(run: &str, signal: &str, ended: &Ended) {
    for part in [&format!("{signal}: stopping"), &format!("go on: amago train --resume {run}")] {
        assert!(ended.err.contains(part), "{part}: {ended:?}");
    }
}

/// Everything that was done is on disk. Returns the updates done.
fn check_files(place: &Place, run: &str) -> u64 {
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

#[test]
fn every_signal_that_asks_to_stop_saves_everything() {
    let place = Place::new();
    let signals = [("INT", 130), ("TERM", 143), ("HUP", 129), ("USR1", 138), ("USR2", 140), ("XCPU", 152)];
    for (signal, code) in signals {
        let child = start(&place, signal, &["train.timesteps_per_epoch=1000000"]);
        wait_until("collecting", || stored(&place.path(signal)) >= 5);
        send(signal, child.id());
        let ended = Ended::from(child.wait_with_output().expect("it ends"));
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{ended:?}");
        check_told(signal, &format!("SIG{signal}"), &ended);
        check_files(&place, signal);
        let before = place.metrics(signal)[1]["env_steps"].as_u64().expect("a count");
        let settings = ["--set", "train.timesteps_per_epoch=8", "--set", "train.epochs=2"];
        place.amago(&[&["train", "--resume", signal][..], &settings].concat()).ok();
        let lines = place.metrics(signal);
        let after: Vec<_> = lines[1..].iter().map(|line| line["env_steps"].as_u64()).collect();
        assert_eq!(after, [Some(before), Some(before + 16)], "{signal}");
    }
}

/// Nobody reads the text of a process that writes into this.
#[cfg(target_os = "linux")]
fn stuck() -> std::io::PipeWriter {
    use std::io::Write;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut filler = writer.try_clone().expect("another end");
    std::thread::spawn(move || {
        let _open = reader;
        while filler.write_all(&[b'.'; 4096]).is_ok() {}
    });
    sleep(Duration::from_millis(100));
    writer
}

/// Whether a process listens for a signal, from the mask in `/proc`.
#[cfg(target_os = "linux")]
fn listens(pid: u32, signal: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
    u64::from_str_radix(caught.trim(), 16).expect("a number") >> (signal - 1) & 1 == 1
}

/// A process that cannot go on, because nobody takes its text.
#[cfg(target_os = "linux")]
fn hanging(place: &Place, run: &str) -> Child {
    let args = ["train", "tiny.toml", "--run-dir", run];
    let child = place.command(&args).stdout(stuck()).stderr(stuck()).spawn().expect("it starts");
    wait_until("listening", || listens(child.id(), 15));
    child
}

#[test]
#[cfg(target_os = "linux")]
fn a_second_one_ends_at_once() {
    let place = Place::new();
    for (first, second, code) in [("INT", "INT", 130), ("TERM", "TERM", 143), ("TERM", "INT", 130)] {
        let mut child = hanging(&place, &format!("{first}-{second}"));
        // What comes at the same time is one wish.
        send(first, child.id());
        send(first, child.id());
        sleep(Duration::from_millis(700));
        assert!(child.try_wait().expect("a child").is_none(), "the first one ended it");
        send(second, child.id());
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{first}, {second}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_warning_never_ends_at_once() {
    let mut child = hanging(&Place::new(), "run");
    for signal in ["HUP", "USR1", "HUP", "USR1", "USR2", "XCPU", "TERM"] {
        send(signal, child.id());
        sleep(Duration::from_millis(600));
        assert!(child.try_wait().expect("a child").is_none(), "{signal} ended it");
    }
    send("TERM", child.id());
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn nohup_is_respected() {
    let place = Place::new();
    let amago = place.command(&["train", "tiny.toml", "--run-dir", "run", "--set", "train.epochs=1000000"]);
    let mut shell = Command::new("sh");
    shell.current_dir(place.path("")).args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    let child = shell.arg(amago.get_program()).args(amago.get_args());
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until("collecting", || stored(&place.path("run")) >= 5);
    send("HUP", child.id());
    let before = stored(&place.path("run"));
    wait_until("collecting more", || stored(&place.path("run")) > before + 5);
    check_saved(&place, "run", &interrupt(child));
}

/// A terminal that is closed sends SIGHUP, and every write to it fails.
#[test]
#[cfg(target_os = "linux")]
fn a_closed_terminal_loses_nothing() {
    let place = Place::new();
    for (run, more) in [("plain", ""), ("json", "--json"), ("shown", "--dashboard")] {
        // As an interactive shell does, this one hands the signal on; then it writes down the exit code.
        let amago = place.command(&[]).get_program().to_string_lossy().into_owned();
        let train = format!("{amago} train tiny.toml --run-dir {run} {more} --set train.epochs=1000000");
        let command = format!(
            "{train} < /dev/tty & job=$!; trap 'kill -HUP $job' HUP; wait $job; wait $job; \
             echo $? > {run}.tmp; mv {run}.tmp {run}.code"
        );
        let mut terminal = Command::new("script")
            .current_dir(place.path(""))
            .args(["-q", "-c", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("script starts");
        wait_until("collecting", || stored(&place.path(run)) >= 5);
        terminal.kill().expect("it runs");
        terminal.wait().expect("it ends");
        wait_until("the end", || place.path(&format!("{run}.code")).exists());
        let code = std::fs::read_to_string(place.path(&format!("{run}.code"))).expect("a code");
        assert_eq!(code.trim(), "129", "{run}");
        check_files(&place, run);
    }
}
