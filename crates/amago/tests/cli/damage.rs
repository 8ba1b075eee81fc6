//! Damaged runs: what is whole is used, what is not is named.

use std::fs;
use std::path::Path;

use crate::support::Place;

const FILES: [&str; 3] = ["agent.bpk", "optimizer.bpk", "manifest.json"];

/// A run with two checkpoints.
fn trained(place: &Place) {
    place.train("run", &["train.checkpoint_interval=1"]).ok();
    assert_eq!(place.checkpoints("run").len(), 2);
}

fn cut(file: &Path) {
    let bytes = fs::read(file).expect("a file");
    fs::write(file, &bytes[..bytes.len() / 2]).expect("writable");
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x04;
    fs::write(file, &bytes).expect("writable");
}

#[test]
fn eval_uses_the_newest_whole_checkpoint() {
    let place = Place::new();
    trained(&place);
    let newest = place.checkpoints("run").pop().expect("a checkpoint");
    let expected = place.amago(&["eval", "run"]).ok();
    assert!(expected.err.contains("update-00000004") && !expected.err.contains("warning"), "{expected:?}");
    for name in FILES {
        for (how, damage) in [("cut", cut as fn(&Path)), ("flip", flip)] {
            let file = newest.join(name);
            let whole = fs::read(&file).expect("a file");
            damage(&file);
            let ended = place.amago(&["eval", "run"]).ok();
            let warnings: Vec<_> = ended.err.lines().filter(|l| l.starts_with("warning: ")).collect();
            let [warning] = warnings[..] else { panic!("{name} {how}: {ended:?}") };
            let named = format!("update-00000004/{name}");
            assert!(warning.contains(&named) && warning.contains("using"), "{how}: {warning}");
            assert!(ended.err.contains("policy after 2 updates"), "{name} {how}: {ended:?}");
            fs::write(&file, whole).expect("writable");
        }
    }
}

#[test]
fn eval_without_a_whole_checkpoint_names_the_newest_file_at_fault() {
    let place = Place::new();
    trained(&place);
    let [oldest, newest] = &place.checkpoints("run")[..] else { panic!("two checkpoints") };
    cut(&oldest.join("optimizer.bpk"));
    for name in FILES {
        let whole = fs::read(newest.join(name)).expect("a file");
        flip(&newest.join(name));
        let named = format!("update-00000004/{name}");
        place.amago(&["eval", "run"]).check_error(name, &["checkpoint", &named]);
        let args = ["rollout", "tmaze-passive", "--policy", "run"];
        place.amago(&args).check_error(name, &["checkpoint", &named]);
        fs::write(newest.join(name), whole).expect("writable");
    }
    fs::remove_dir_all(place.path("run/checkpoints")).expect("a folder");
    place.amago(&["eval", "run"]).check_error("no folder", &["run/checkpoints", "No such file"]);
    fs::create_dir(place.path("run/checkpoints")).expect("a folder");
    place.amago(&["eval", "run"]).check_error("no checkpoint", &["run/checkpoints", "there is none"]);
}

#[test]
fn a_damaged_config_is_named() {
    let place = Place::new();
    trained(&place);
    let file = place.path("run/config.toml");
    let whole = fs::read_to_string(&file).expect("text");
    let check = |text: &[u8], parts: &[&str]| {
        fs::write(&file, text).expect("writable");
        place.amago(&["eval", "run"]).check_error("config.toml", parts);
    };
    check(b"", &["run/config.toml", "cut"]);
    check(&whole.as_bytes()[..whole.len() / 2], &["run/config.toml", "cut"]);
    check(&[whole.as_bytes(), &[0xff]].concat(), &["run/config.toml", "UTF-8"]);
    check(whole.replace("d_hidden", "d_hiddem").as_bytes(), &["run/config.toml", "d_hiddem"]);
    check(whole.replace("n_heads = 2", "n_heads = 3").as_bytes(), &["run/config.toml", "n_heads = 3"]);
    check(whole.replace("tmaze-passive", "tmaze-pbssive").as_bytes(), &["run/config.toml", "tmaze-pbssive"]);
    // Legal, but not what was trained.
    let other = whole.replace("d_hidden = 8", "d_hidden = 16");
    let parts = ["update-00000004/agent.bpk", "does not fit the config", "shape mismatch"];
    check(other.as_bytes(), &parts);
    assert!(place.amago(&["eval", "run"]).error().len() < 300, "one tensor is enough");
    fs::remove_file(&file).expect("a file");
    place.amago(&["eval", "run"]).check_error("no config", &["run/config.toml", "No such file"]);
}
