//! Names and files of others: nothing of them drives the terminal, a spreadsheet or the machine.

use std::fs;

use crate::support::Place;

/// Clears the screen, and sets a title.
const NAME: &str = "r\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}1m";

fn check_harmless(what: &str, text: &str) {
    let found = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert_eq!(found, None, "{what}: {text:?}");
}

#[test]
fn names_of_runs_and_metrics_are_only_text() {
    let place = Place::new();
    let trained = place.train(NAME, &["eval.interval=1"]).ok();
    assert!(trained.err.contains("r\\u001b[2J\\u001b]0;x\\u0007\\u009b1m"), "{trained:?}");
    let file = place.path(NAME).join("metrics.jsonl");
    let text = fs::read_to_string(&file).expect("metrics");
    let named = "\"=1+cmd|' /C calc'!A0\":1.5,\"\\u001b[31mred\":-2.5,\"kind\":\"epoch\"";
    fs::write(&file, text.replace("\"kind\":\"epoch\"", named)).expect("writable");
    for args in [
        &["eval", NAME][..],
        &["eval", NAME, "--json"],
        &["watch", NAME, "--once"],
        &["compare", NAME, "--metric", "eval/return_mean"],
        &["compare", NAME, "--metric", "none"],
        &["compare", NAME, "--metric", "eval/return_mean", "--json"],
        &["export", NAME, "--csv", "-"],
        &["export", NAME, "--csv", "-", "--metric", "none"],
        &["train", "--resume", NAME, "--set", "train.epochs=3"],
        &["inspect", NAME, "--output", "-"],
        &["eval", "none\u{1b}[2J"],
    ] {
        let ended = place.amago(args);
        check_harmless(&format!("{args:?}"), &ended.out);
        check_harmless(&format!("{args:?}"), &ended.err);
        assert!(!(ended.out.is_empty() && ended.err.is_empty()), "{args:?}");
    }
    let table = place.amago(&["export", NAME, "--csv", "-"]).ok().out;
    let header = table.lines().next().expect("a header");
    assert!(header.contains(",'=1+cmd|' /C calc'!A0,") && header.contains(",\\u001b[31mred"), "{header}");
    let row = table.lines().nth(1).expect("an epoch");
    assert!(row.starts_with("r\\u001b[2J") && row.contains(",1.5,") && row.contains(",-2.5"), "{row}");
}

#[test]
fn weights_that_are_longer_than_their_file_are_refused() {
    let place = Place::new();
    let expanded = include_bytes!("../../../amago-trainer/tests/corpus/stride0_8g.pt");
    fs::write(place.path("expanded.pt"), expanded).expect("writable");
    let args = ["import", "expanded.pt", "--config", "tiny.toml", "--run-dir", "run"];
    place.amago(&args).check_error("expanded", &["expanded.pt", "bytes, but the file has 582"]);
    assert!(!place.path("run").exists());
}
