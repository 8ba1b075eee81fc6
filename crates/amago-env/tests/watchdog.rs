//! Environments that hang, behind a time limit.

mod support;

use std::time::{Duration, Instant};

use amago_env::vector::VecEnv;
use amago_env::watchdog::Watchdog;
use amago_env::{Action, Env, EnvError, Observation, Role, registry, rng};
use support::{Fault, Scripted};

const LIMIT: Duration = Duration::from_millis(200);

fn lake() -> Box<dyn Env> {
    let options = "k_episodes = 2\nhorizon = 20\nslip_chance = 0.1".parse().expect("a table");
    registry::make("meta-frozen-lake", &options).expect("legal options")
}

fn play(envs: Vec<Box<dyn Env>>, max_steps: usize) -> Vec<String> {
    let vector = VecEnv::new(envs, 3, Role::TrainEnv).expect("equal spaces");
    let mut vector = vector.with_max_episode_steps(max_steps);
    let mut draws = rng(0, Role::Policy, 0, 0);
    let space = vector.action_space().clone();
    vector.reset_all().expect("no faults");
    let step = |_| {
        let actions = [Action::random(&space, None, &mut draws), Action::random(&space, None, &mut draws)];
        let results = vector.step(&actions).expect("no faults");
        format!("{:?}", results.iter().map(|r| (&r.obs, &r.step, &r.episode)).collect::<Vec<_>>())
    };
    (0..100).map(step).collect()
}

#[test]
fn behind_it_an_environment_is_the_same() {
    let guarded = || Box::new(Watchdog::new(lake(), LIMIT * 50)) as Box<dyn Env>;
    // Also where an episode is cut from outside.
    for max_steps in [100, 4] {
        assert_eq!(play(vec![guarded(), guarded()], max_steps), play(vec![lake(), lake()], max_steps));
    }
}

#[test]
fn one_that_hangs_is_given_up_in_time() {
    let mut env = Watchdog::new(Box::new(Scripted::new(Fault::Hangs)), LIMIT);
    let mut obs = Observation::new(&env.spec().observation_space);
    let action = Action::Discrete(0);
    env.reset(0, &mut obs).expect("awake");
    (0..2).for_each(|_| assert_eq!(env.step(&action, &mut obs).expect("awake").reward, 1.0));
    let start = Instant::now();
    for _ in 0..3 {
        let error = env.step(&action, &mut obs).expect_err("asleep");
        assert_eq!(error.to_string(), "the environment did not answer within 0.2 s and was given up");
    }
    assert!(matches!(env.reset(1, &mut obs), Err(EnvError::Hung { .. })));
    assert!(start.elapsed() < Duration::from_secs(30), "it waited for a sleeper");
}

#[test]
fn a_panic_is_told_as_without_it() {
    let mut env = Watchdog::new(Box::new(Scripted::new(Fault::PanicInStep)), LIMIT * 50);
    let mut obs = Observation::new(&env.spec().observation_space);
    env.reset(0, &mut obs).expect("the first steps are fine");
    let mut steps = (0..5).map(|_| env.step(&Action::Discrete(0), &mut obs));
    let error = steps.find_map(Result::err).expect("it panics");
    assert!(matches!(error, EnvError::Panicked(_)), "{error}");
    // The thread lives on.
    env.reset(1, &mut obs).expect("as good as new");
}
