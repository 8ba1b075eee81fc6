//! Runs that go on from a checkpoint.

use amago_env::vector::VecEnv;
use amago_env::{Action, Role, rng};
use amago_gym::{Gym, GymConfig};

use super::{config, wrapped};

fn vector(gym: &Gym) -> VecEnv {
    VecEnv::new(gym.envs(3).expect("made"), 5, Role::TrainEnv).expect("alike").resumable()
}

fn steps(envs: &mut VecEnv, range: std::ops::Range<u64>) -> Vec<amago_env::vector::WorkerStep> {
    let mut seen = Vec::new();
    for t in range {
        let mut draws = rng(3, Role::Policy, 0, t);
        let actions: Vec<_> =
            (0..3).map(|_| Action::random(&envs.action_space().clone(), None, &mut draws)).collect();
        seen.extend_from_slice(envs.step(&actions).expect("no faults"));
    }
    seen
}

/// Saves in the middle of episodes and goes on in other processes.
fn goes_on(config: &GymConfig) {
    let gym = Gym::with_config("CartPole-v1", config.clone()).expect("made");
    let mut envs = vector(&gym);
    envs.reset_all().expect("no faults");
    steps(&mut envs, 0..37);
    let saved = envs.save();
    let expected = steps(&mut envs, 37..90);
    drop((envs, gym));
    let gym = Gym::with_config("CartPole-v1", config.clone()).expect("made");
    let mut envs = vector(&gym);
    assert_eq!(envs.load(saved).expect("loaded"), [true; 3]);
    assert!(steps(&mut envs, 37..90) == expected, "other steps");
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn episodes_go_on_by_their_actions() {
    goes_on(&config());
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn episodes_go_on_by_the_state_of_a_wrapper() {
    let config = wrapped("Saved");
    goes_on(&config);
    let gym = Gym::with_config("CartPole-v1", config).expect("made");
    let mut env = gym.env().expect("made");
    assert!(env.load_state(b"short").is_err());
    assert!(env.load_state(b"").is_err());
    let mut obs = amago_env::Observation::new(&env.spec().observation_space);
    env.reset(0, &mut obs).expect("usable after a state that was none");
    assert_eq!(env.save_state().expect("a state").len(), 37);
}
