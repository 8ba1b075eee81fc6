//! Damaged files neither panic, nor hang, nor are believed.

use std::fs;
use std::path::Path;

use amago_env::{Rng, Role, rng};
use amago_replay::StoreConfig;
use rand::RngExt;

use crate::common::{copy, sample};

/// Files of the samples that are changed, with the folder of their dataset.
const FILES: [(&str, &str); 7] = [
    ("cartpole/hdf5-v0", "data/main_data.hdf5"),
    ("everything/hdf5-v0", "data/main_data.hdf5"),
    ("pendulum/gzip-v0", "data/main_data.hdf5"),
    ("cartpole/arrow-v0", "data/1/part-0.arrow"),
    ("everything/arrow-v0", "data/0/part-0.arrow"),
    ("everything/arrow-v0", "data/metadata.json"),
    ("cartpole/arrow-v0", "data/1/metadata.json"),
];

/// Reads what can be read; whether all of it could.
fn read(dir: &Path) -> bool {
    let Ok(dataset) = amago_dataset::open(dir, StoreConfig::default()) else { return false };
    let info = dataset.info(&mut |_, _| true).unwrap();
    for reason in &info.damaged {
        assert!(!reason.contains("the decoder failed"), "a decoder panicked: {reason}");
    }
    info.damaged.is_empty()
}

/// Changes a few bytes, as a disk, a program or somebody hostile would.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..6) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at.max(1)),
            // Lengths and places are of these sizes.
            3 => bytes[at..].iter_mut().take(8).for_each(|b| *b = 0xff),
            4 => bytes[at..].iter_mut().take(4).for_each(|b| *b = 0x7f),
            _ => bytes[at..].iter_mut().take(8).for_each(|b| *b = 0),
        }
    }
}

fn attack(rounds: usize, seed: u64) {
    for (number, (name, file)) in FILES.into_iter().enumerate() {
        let mut rng = rng(seed, Role::Replay, number as u64, 0);
        let dir = tempfile::tempdir().unwrap();
        copy(&sample(name), dir.path());
        let path = dir.path().join(file);
        let good = fs::read(&path).unwrap();
        let mut refused = 0;
        for _ in 0..rounds {
            let mut bytes = good.clone();
            mutate(&mut bytes, &mut rng);
            fs::write(&path, &bytes).unwrap();
            refused += usize::from(!read(dir.path()));
        }
        assert!(refused > rounds / 20, "{name}/{file}: only {refused} of {rounds} were refused");
        fs::write(&path, &good).unwrap();
        assert!(read(dir.path()), "{name}/{file}");
    }
}

#[test]
fn changed_files_are_refused_or_read() {
    attack(150, 0);
}

/// `cargo test --release -p amago-dataset -- --ignored`; rounds and seed by `AMAGO_FUZZ_ROUNDS` and `AMAGO_FUZZ_SEED`.
#[test]
#[ignore = "takes minutes"]
fn many_changed_files_are_refused_or_read() {
    let setting = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    attack(setting("AMAGO_FUZZ_ROUNDS", 5_000) as usize, setting("AMAGO_FUZZ_SEED", 1));
}

#[test]
fn every_length_of_a_cut_file_is_refused() {
    for (name, file) in &FILES[..5] {
        let dir = tempfile::tempdir().unwrap();
        copy(&sample(name), dir.path());
        let path = dir.path().join(file);
        let good = fs::read(&path).unwrap();
        for len in (0..good.len()).step_by(good.len() / 60) {
            fs::write(&path, &good[..len]).unwrap();
            assert!(!read(dir.path()), "{name}/{file}: {len} of {} bytes", good.len());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    for (name, file) in [FILES[0], FILES[3]] {
        let dir = tempfile::tempdir().unwrap();
        copy(&sample(name), dir.path());
        let path = dir.path().join(file);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert!(!read(dir.path()));
    }
}
