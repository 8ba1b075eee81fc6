//! `amago dataset`, and runs that learn from datasets alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{Place, TINY, json, list};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../amago-dataset/tests/data").join(name)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn info_says_what_is_in_a_dataset() {
    let place = Place::new();
    let path = text(&sample("cartpole/hdf5-v0"));
    let said = json(&place.amago(&["dataset", "info", &path, "--json"]).ok().out);
    assert_eq!((said["format"].as_str(), said["episodes"].as_u64()), (Some("minari-hdf5"), Some(2)));
    assert_eq!(said["action_space"], "Discrete(2)");
    assert_eq!((said["terminated"].as_u64(), said["truncated"].as_u64()), (Some(1), Some(1)));
    assert_eq!(said["return"]["max"], 15.0);
    assert_eq!(said["steps"].as_f64(), Some(15.0 + said["length"]["min"].as_f64().expect("a length")));
    let lines = place.amago(&["dataset", "info", &path]).ok().out;
    assert!(lines.contains("Minari (HDF5)") && lines.contains("episodes    2\n"), "{lines}");
    place.train("run", &[]).ok();
    let said = json(&place.amago(&["dataset", "info", "run/replay", "--json"]).ok().out);
    assert_eq!(
        (said["format"].as_str(), said["steps"].as_u64()),
        (Some("replay"), Some(place.readable("run")))
    );
    assert!(said["observation_space"].is_null() && said["layout"].is_string());
    let said = json(&place.amago(&["dataset", "info", &text(&sample("npz")), "--json"]).ok().out);
    assert_eq!((said["format"].as_str(), said["episodes"].as_u64()), (Some("npz"), Some(1)));
    let nothing = place.amago(&["dataset", "info", "."]);
    nothing.check_error("no dataset", &[".", "data/metadata.json", "buffer/", ".npz"]);
}

#[test]
fn a_converted_dataset_trains_a_policy_without_an_environment() {
    let place = Place::new();
    let from = text(&sample("cartpole/arrow-v0"));
    let said = place.amago(&["dataset", "convert", &from, "pole"]).ok();
    assert!(said.out.contains("pole: 2 episodes") && said.out.contains("replay.datasets"), "{said:?}");
    let before = list(&place.path("pole"));
    place.amago(&["dataset", "convert", &from, "pole"]).check_error("there already", &["pole exists"]);
    assert_eq!(list(&place.path("pole")), before);
    let config = TINY.replace("id = \"tmaze-passive\"\noptions = { corridor_length = 3 }\n", "");
    fs::write(place.path("tiny.toml"), config).expect("writable");
    let settings = ["train.mode=learn", "replay.datasets=[{ path = \"pole\" }]"];
    let trained = place.train("run", &settings).ok();
    assert!(
        trained.err.contains("from datasets alone") && trained.out.contains("nothing to evaluate in"),
        "{trained:?}"
    );
    place.amago(&["eval", "run"]).check_error("nothing to play", &["env.id is missing"]);
    let again = place.amago(&["train", "--resume", "run", "--set", "train.epochs=3"]).ok();
    assert!(again.out.contains("trained 6 updates"), "{again:?}");
}

#[test]
fn damaged_episodes_are_told_of() {
    let place = Place::new();
    let folder = place.path("pole/data");
    for episode in ["0", "1"] {
        fs::create_dir_all(folder.join(episode)).expect("a folder");
        for file in ["metadata.json", "part-0.arrow"] {
            let name = format!("{episode}/{file}");
            fs::copy(sample("cartpole/arrow-v0/data").join(&name), folder.join(name)).expect("copied");
        }
    }
    fs::copy(sample("cartpole/arrow-v0/data/metadata.json"), folder.join("metadata.json")).expect("copied");
    fs::write(folder.join("0/part-0.arrow"), "no Arrow file").expect("writable");
    let said = place.amago(&["dataset", "info", "pole"]).ok();
    assert!(said.err.contains("warning: left out") && said.err.contains("0/part-0.arrow"), "{said:?}");
    assert!(said.out.contains("episodes    1\n") && said.out.contains("damaged     1, left out"), "{said:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_half_written() {
    let place = Place::new();
    let folder = place.path("pole/data");
    fs::create_dir_all(&folder).expect("a folder");
    fs::copy(sample("cartpole/arrow-v0/data/metadata.json"), folder.join("metadata.json")).expect("copied");
    for episode in 0..6000 {
        let to = folder.join(episode.to_string());
        fs::create_dir(&to).expect("a folder");
        for file in ["metadata.json", "part-0.arrow"] {
            fs::hard_link(sample("cartpole/arrow-v0/data/0").join(file), to.join(file))
                .or_else(|_| fs::copy(sample("cartpole/arrow-v0/data/0").join(file), to.join(file)).map(drop))
                .expect("there");
        }
    }
    let before = list(&place.path("."));
    let mut command = place.command(&["dataset", "convert", "pole", "new"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Until it has begun to write.
    let start = std::time::Instant::now();
    while list(&place.path(".")).len() == before.len() {
        assert!(start.elapsed().as_secs() < 60, "it never began");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success(), "it was over already");
    let ended: crate::support::Ended = child.wait_with_output().expect("it ends").into();
    assert_eq!((ended.code, ended.out.as_str()), (Some(130), ""), "{ended:?}");
    assert!(ended.err.contains("new was not made"), "{ended:?}");
    assert_eq!(list(&place.path(".")), before);
}
