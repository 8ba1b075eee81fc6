//! What the dashboard shows on a small terminal.

mod support;

use std::fs::{self, File};
use std::io::Write;

use amago_view::Axis;
use amago_view::dashboard::{Dashboard, Live, snapshot};

/// The picture, of which every line must fit.
fn picture(dashboard: &Dashboard) -> String {
    let text = snapshot(dashboard, 80, 24);
    assert_eq!(text.lines().count(), 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    text
}

fn check(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in:\n{text}");
    }
}

#[test]
fn one_run_in_80_by_24() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = support::run(dir.path(), "lake-001", 0, 0.9, 1.5);
    let mut dashboard = Dashboard::open(&[&path], Axis::EnvSteps).expect("a run");
    let text = picture(&dashboard);
    check(&text, &["lake-001 lake", "epoch 4/5", "400 steps", "40 updates", "running", "10 s left"]);
    check(
        &text,
        &["return (grey: train) over environment steps", "success by attempt, eval", "2 ██", "0.7500"],
    );
    // A number of every group, by its label.
    check(&text, &["return, eval          6.00", "entropy               1.25", "filter passes       0.5000"]);
    check(
        &text,
        &["gradient              2.00", "updates/s             7.00", "policy age            5.50", "q quit"],
    );

    let last = r#"{"kind":"epoch","epoch":5,"env_steps":500,"updates":50,"time":{"wall":51,"left":0}}"#;
    let mut file = File::options().append(true).open(path.join("metrics.jsonl")).expect("a file");
    writeln!(file, "{last}").expect("written");
    dashboard.refresh();
    check(&picture(&dashboard), &["epoch 5/5", "finished in 51 s"]);
    writeln!(file, "nonsense").expect("written");
    dashboard.refresh();
    check(&picture(&dashboard), &["metrics.jsonl: line 7"]);
}

#[test]
fn a_run_without_an_epoch_and_its_news() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = support::run(dir.path(), "young", 0, 0.9, 1.0);
    fs::remove_file(path.join("metrics.jsonl")).expect("removed");
    let live = Live::default();
    let dashboard = Dashboard::open(&[&path], Axis::Time).expect("a run").with_live(live.clone());
    check(&picture(&dashboard), &["young lake", "epoch 0/5", "no values yet"]);
    live.progress("collecting", 3, 120);
    live.message("saved somewhere".to_owned());
    check(&picture(&dashboard), &["collecting 3/120", "saved somewhere"]);
    assert!(!live.is_over());
}

#[test]
fn several_runs_beside_each_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let paths: Vec<_> =
        (1..=3).map(|i| support::run(dir.path(), &format!("lake-00{i}"), i, 0.9, i as f64)).collect();
    let dashboard = Dashboard::open(&paths, Axis::Updates).expect("runs");
    let text = picture(&dashboard);
    check(&text, &["lake-001 lake", "lake-002 lake", "lake-003 lake", "return, eval over updates"]);
    check(&text, &["return, eval              4.00          8.00         12.00"]);
    // Wider and higher: nothing is lost, nothing overlaps.
    let large = snapshot(&dashboard, 160, 60);
    check(&large, &["lake-003", "policy age", "0.2500 > 0.7500"]);
    assert!(Dashboard::open(&[dir.path()], Axis::Time).is_err());
}
