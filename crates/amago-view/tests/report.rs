//! The page of a report, and how a browser shows it.

mod support;

use amago_view::Run;
use amago_view::report::{Scene, html};

fn scene() -> Scene {
    Scene {
        title: "a <policy> plays".to_owned(),
        films: vec![("first attempt".to_owned(), b"GIF89a not really".to_vec())],
        rewards: vec![0.0, 0.0, 1.0],
        attempts: vec![Some(0), Some(0), Some(1)],
        values: vec![0.25, 0.5],
        attention: vec![vec![1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.2, 0.3, 0.5]],
        attended: 3,
    }
}

#[test]
fn a_page_has_all_parts_and_needs_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let make =
        |i: u64, gamma| Run::open(&support::run(dir.path(), &format!("r{i}"), i, gamma, 1.0 + i as f64));
    let runs: Vec<_> =
        [(0, 0.9), (1, 0.9), (2, 0.99)].into_iter().map(|(i, g)| make(i, g).expect("a run")).collect();
    let page = html(&runs, Ok(&scene())).expect("a page");
    for part in [
        "2 settings of lake",
        "Adaptation in context",
        "success of each attempt",
        "Learning curves",
        "return, evaluation",
        "entropy of the policy",
        "confidence intervals",
        "By task",
        "One episode",
        "first attempt",
        "data:image/gif;base64,",
        "a &lt;policy&gt; plays",
        "value V(s) of each state",
        "Layer 1 of 1",
        "agent.gamma",
        "All settings of r0",
        "a CPU &amp; more",
        "amago train",
        "config.toml",
    ] {
        assert!(page.contains(part), "\"{part}\" is missing");
    }
    // Nothing is fetched: the only addresses are data, and there are no scripts.
    for (at, _) in page.match_indices("src=\"") {
        assert!(page[at..].starts_with("src=\"data:"), "{}", &page[at..at + 60]);
    }
    assert!(!page.contains("http") && !page.contains("<script") && !page.contains("url("));
    // Two seeds make a band, one does not.
    assert!(page.contains("opacity=\"0.2\""));
    assert!(!html(&runs[2..], Ok(&scene())).expect("a page").contains("opacity=\"0.2\""));
    let without = html(&runs, Err("no checkpoint".to_owned())).expect("a page");
    assert!(without.contains("Not played: no checkpoint"), "{without}");
}
