//! Real Python environments. They need an interpreter with gymnasium, which `AMAGO_TEST_PYTHON` names.

mod faults;
mod kept;
mod orphans;
mod same;
mod spaces;
mod vectorized;

use amago_env::{Action, Env, Observation, Role, Step, rng};
use amago_gym::{Gym, GymConfig};

/// The interpreter of the tests.
fn python() -> String {
    std::env::var("AMAGO_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn config() -> GymConfig {
    GymConfig { python: python(), ..GymConfig::default() }
}

/// A callable of the file with the environments of the tests.
fn wrapper(name: &str) -> String {
    format!("{}/tests/python/envs.py:{name}", env!("CARGO_MANIFEST_DIR"))
}

/// `CartPole-v1` inside of a wrapper of that file.
fn wrapped(name: &str) -> GymConfig {
    GymConfig { wrapper: wrapper(name), ..config() }
}

/// A class of that file, made by `MODULE:NAME`. The folder is one that Python imports from.
fn of_file(name: &str, config: GymConfig) -> Gym {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
    // Tests run in this package's folder.
    assert!(std::path::Path::new(folder).is_dir());
    Gym::with_config(&format!("tests.python.envs:{name}"), config).expect("an environment of the tests")
}

/// One episode: what each call gave.
fn play(env: &mut dyn Env, seed: u64, most: usize) -> Vec<(Step, Observation)> {
    let mut obs = Observation::new(&env.spec().observation_space);
    let space = env.spec().action_space.clone();
    let mut draws = rng(seed, Role::Policy, 0, 0);
    env.reset(seed, &mut obs).expect("a reset");
    let mut seen = vec![(Step::default(), obs.clone())];
    while seen.len() <= most && !seen.last().is_some_and(|(step, _)| step.done()) {
        let action = Action::random(&space, obs.action_mask(), &mut draws);
        let step = env.step(&action, &mut obs).expect("a step");
        seen.push((step, obs.clone()));
    }
    seen
}
