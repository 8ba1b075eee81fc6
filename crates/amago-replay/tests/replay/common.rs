//! Small trajectories with recognisable contents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use amago_env::{Action, BoxSpace, DictSpace, Dtype, Observation, Rng, Role, Space, Step};
use amago_replay::{Store, StoreConfig, Trajectory, TrajectoryBuilder};

pub fn spaces() -> (DictSpace, Space) {
    let image = BoxSpace { shape: vec![2, 1], low: vec![0.0; 2], high: vec![255.0; 2], dtype: Dtype::U8 };
    let keys = [("image", Space::Box(image)), ("state", Space::box_f32(&[2], -1e9, 1e9))];
    (DictSpace(BTreeMap::from(keys.map(|(k, s)| (k.to_owned(), s)))), Space::Discrete { n: 3 })
}

/// Observation of step `t` of trajectory `tag`: everything says where it comes from.
pub fn observation(tag: usize, t: usize) -> Observation {
    let mut obs = Observation::new(&spaces().0);
    obs.write_u8("image", &[tag as u8, t as u8]).unwrap();
    obs.write("state", &[tag as f32, t as f32]).unwrap();
    obs
}

/// Step `t`: action `t % 3`, reward `t + 1`.
pub fn push(builder: &mut TrajectoryBuilder, tag: usize, t: usize, terminated: bool) {
    let step = Step { reward: t as f32 + 1.0, terminated, truncated: false };
    builder.push(&Action::Discrete(t % 3), &step, &observation(tag, t + 1)).unwrap();
}

pub fn builder() -> TrajectoryBuilder {
    let (obs, action) = spaces();
    TrajectoryBuilder::new(&obs, &action)
}

pub fn trajectory(tag: usize, len: usize) -> Trajectory {
    let mut b = builder();
    b.start(&observation(tag, 0)).unwrap();
    (0..len).for_each(|t| push(&mut b, tag, t, t + 1 == len));
    b.finish()
}

pub fn rng(counter: u64) -> Rng {
    amago_env::rng(7, Role::Replay, 0, counter)
}

pub fn store(dir: &Path, config: StoreConfig) -> Store {
    Store::open(dir, config).unwrap()
}

/// Names in a folder, sorted.
pub fn names(dir: PathBuf) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
