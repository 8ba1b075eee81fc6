//! Readers that go away and disks that are full: a run goes on, a result that is lost is told.

use std::fs::File;

use crate::support::Place;

/// A pipe that nobody reads.
fn closed() -> std::io::PipeWriter {
    std::io::pipe().expect("a pipe").1
}

#[test]
fn a_run_outlives_the_reader_of_its_messages() {
    let place = Place::new();
    let args = ["train", "tiny.toml", "--run-dir", "run"];
    let status = place.command(&args).stdout(closed()).stderr(closed()).status().expect("it starts");
    assert_eq!(status.code(), Some(0));
    assert_eq!(place.metrics("run").len(), 3);
    assert_eq!(place.checkpoints("run").len(), 1);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new();
    for args in [&["envs"][..], &["rollout", "tmaze-passive", "--episodes", "1"], &["--help"]] {
        let ended = place.command(args).stdout(closed()).output().expect("it starts");
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), vec![]), "{args:?}");
    }
    place.train("run", &[]).ok();
    let ended = place.command(&["inspect", "run"]).stdout(closed()).output().expect("it starts");
    let text = String::from_utf8(ended.stderr).expect("text");
    assert!(ended.status.success() && !text.contains("error"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    for args in [&["envs"][..], &["rollout", "tmaze-passive", "--episodes", "1", "--json"]] {
        let full = File::options().write(true).open("/dev/full").expect("a full device");
        let ended = place.command(args).stdout(full).output().expect("it starts");
        let error = String::from_utf8(ended.stderr).expect("text");
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {error}");
        assert!(error.starts_with("error: cannot write to stdout: No space left"), "{args:?}: {error}");
    }
    place.train("run", &[]).ok();
    let to_full = place.amago(&["inspect", "run", "-o", "/dev/full"]);
    to_full.check_error("values", &["cannot write the values: No space left"]);
}
