//! What `amago config` says of settings.

use std::fs;
use std::path::Path;

use crate::support::{Place, TINY, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn the_reference_in_the_book_is_that_of_the_program() {
    let page = Path::new(ROOT).join("docs/book/src/settings.md");
    let written = fs::read_to_string(&page).expect("a chapter of the book");
    let now = Place::new().amago(&["config", "reference"]).ok().out;
    assert!(now == written, "write it again: amago config reference > docs/book/src/settings.md");
}

#[test]
fn a_setting_is_explained() {
    let place = Place::new();
    let gamma = place.amago(&["config", "explain", "agent.gamma"]).ok().out;
    assert_eq!(
        gamma,
        "agent.gamma\n  The acting discount, always the last one learned.\n  number, default 0.999\n  \
         In the original: agent.Agent.gamma\n"
    );
    let critic = json(&place.amago(&["config", "explain", "agent.critic", "--json"]).ok().out);
    let keys: Vec<_> = critic.as_array().expect("a list").iter().map(|s| s["key"].clone()).collect();
    assert!(keys.contains(&"agent.critic.bins.count".into()) && keys.len() > 8, "{keys:?}");
    place
        .amago(&["config", "explain", "agent.gama"])
        .check_error("unknown", &["no setting agent.gama", "did you mean \"agent.gamma\""]);
}

#[test]
fn defaults_are_a_config() {
    let place = Place::new();
    for preset in ["amago", "amago2"] {
        let text = place.amago(&["config", "defaults", "--preset", preset]).ok().out;
        fs::write(place.path("all.toml"), text).expect("writable");
        place.amago(&["config", "check", "all.toml"]).check_error("no task", &["all.toml", "env.id"]);
        place.amago(&["config", "check", "all.toml", "--set", "env.id=tmaze-passive"]).ok();
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn a_file_is_checked_and_mistakes_have_a_place() {
    let place = Place::new();
    let said = place.amago(&["config", "check", "tiny.toml"]).ok().err;
    assert!(said.contains("tiny.toml can be used") && said.contains("tmaze-passive"), "{said}");
    let with = |from: &str, to: &str, parts: &[&str]| {
        fs::write(place.path("bad.toml"), TINY.replace(from, to)).expect("writable");
        place.amago(&["config", "check", "bad.toml"]).check_error(to, parts);
    };
    with("epochs = 2", "epochs = 0", &["bad.toml:8:1: train.epochs", "at least 1"]);
    with("corridor_length = 3", "corridor_length = 0", &["bad.toml:4:", "env.options.corridor_length"]);
    with("n_heads = 2", "n_heads = 3", &["bad.toml:", "agent.traj_encoder.n_heads = 3"]);
    place
        .amago(&["config", "check", "tiny.toml", "--set", "train.epochs=0"])
        .check_error("set", &["--set train.epochs=0: train.epochs"]);
}

#[test]
fn the_schema_is_one() {
    let schema = json(&Place::new().amago(&["config", "schema"]).ok().out);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["properties"]["train"].is_object() && schema["properties"]["agent"].is_object());
}
