//! Groups of runs, their curves, and how they are shown.

mod support;

use std::path::Path;

use amago_view::{Axis, Comparison, Run, differences, groups};

/// Three seeds of one setting and one run of another.
fn runs(dir: &Path) -> Vec<Run> {
    let make = |(i, (seed, gamma, slope)): (usize, (u64, f64, f64))| {
        Run::open(&support::run(dir, &format!("run-{i}"), seed, gamma, slope)).expect("a run")
    };
    [(0, 0.9, 1.0), (1, 0.9, 2.0), (0, 0.99, 5.0), (2, 0.9, 3.0)].into_iter().enumerate().map(make).collect()
}

#[test]
fn seeds_of_the_same_settings_are_one_group() {
    let dir = tempfile::tempdir().expect("a folder");
    let runs = runs(dir.path());
    let found = groups(&runs);
    let labels: Vec<_> = found.iter().map(|g| (g.label.as_str(), g.runs.clone())).collect();
    assert_eq!(labels, [("gamma = 0.9", vec![0, 1, 3]), ("gamma = 0.99", vec![2])]);
    let differing = differences(&runs);
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].0, "agent.gamma");
    assert_eq!(groups(&runs[..2])[0].label, "lake");
}

#[test]
fn means_and_spreads_are_over_seeds() {
    let dir = tempfile::tempdir().expect("a folder");
    let runs = runs(dir.path());
    let found = Comparison::new(&runs, "eval/return_mean", Axis::EnvSteps).expect("a metric");
    assert_eq!(found.common, 400.0);
    let (_, curve, there) = &found.groups[0];
    let there = there.expect("reached");
    // Returns 4, 8 and 12 at the end: mean 8, deviation 4, and t(2) = 4.303.
    assert_eq!((curve.len(), there.mean, there.std, there.n), (2, 8.0, 4.0, 3));
    assert!((there.confidence - 4.303 * 4.0 / 3.0_f64.sqrt()).abs() < 1e-9);
    let table = found.table();
    assert_eq!(table[1][..4], ["o gamma = 0.9", "3", "8.00", "4.00"]);
    assert_eq!(table[2][..4], ["x gamma = 0.99", "1", "20.00", "-"]);

    let plot = found.plot([60, 12], false);
    assert_eq!(plot.lines().count(), 14, "{plot}");
    assert!(plot.lines().all(|line| line.chars().count() <= 60), "{plot}");
    let rows = |sign: char| plot.lines().take(12).position(|line| line.contains(sign)).expect("drawn");
    assert!(rows('x') < rows('o') && plot.contains("environment steps") && !plot.contains('\x1b'), "{plot}");
    assert!(found.plot([60, 12], true).contains("\x1b[36mo\x1b[0m"));

    let json = found.json(&runs);
    assert_eq!(json["groups"][0]["runs"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["groups"][0]["at_common"]["mean"], 8.0);
    let error = Comparison::new(&runs, "evla", Axis::Time).expect_err("no such metric").to_string();
    assert!(error.contains("\"evla\"") && error.contains("eval/return_mean"), "{error}");
}
