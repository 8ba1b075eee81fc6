//! Environments that are vectorised already.

use amago_env::vector::VecEnv;
use amago_env::{Action, EnvError, Observation, Role, rng};
use amago_gym::{Gym, GymConfig};

use super::{config, wrapper};

fn vectorized(config: GymConfig) -> GymConfig {
    GymConfig { vectorized: true, copies_per_worker: 4, ..config }
}

/// Everything that a vector gives in some steps.
fn record(gym: &Gym, n: usize) -> Vec<amago_env::vector::WorkerStep> {
    let mut envs = VecEnv::new(gym.envs(n).expect("made"), 11, Role::TrainEnv).expect("alike");
    envs.reset_all().expect("no faults");
    let mut seen = envs.results().to_vec();
    let space = envs.action_space().clone();
    for t in 0..80 {
        let mut draws = rng(1, Role::Policy, 0, t);
        let actions: Vec<_> = (0..n).map(|_| Action::random(&space, None, &mut draws)).collect();
        seen.extend_from_slice(envs.step(&actions).expect("no faults"));
    }
    assert!(seen.iter().filter(|step| step.episode.is_some()).count() >= n, "episodes should have ended");
    seen
}

/// Where it resets only when it is told, and lanes one by one, nobody can tell it from copies.
#[test]
#[ignore = "needs Python with gymnasium 1.1 or newer: AMAGO_TEST_PYTHON"]
fn lanes_are_like_copies() {
    let copies = record(&Gym::with_config("CartPole-v1", config()).expect("made"), 6);
    for mode in ["sync", "async"] {
        let kwargs = format!("vectorization_mode = \"{mode}\"").parse().expect("a table");
        let gym =
            Gym::with_config("CartPole-v1", vectorized(GymConfig { kwargs, ..config() })).expect("made");
        assert!(record(&gym, 6) == copies, "{mode}");
    }
}

/// CartPole in all modes, by a wrapper of the user's that makes the vector.
#[test]
#[ignore = "needs Python with gymnasium 1.1 or newer: AMAGO_TEST_PYTHON"]
fn the_three_modes_of_resetting_give_whole_episodes() {
    for mode in ["NextStep", "SameStep", "Disabled"] {
        let kwargs = format!("mode = \"{mode}\"").parse().expect("a table");
        let config = vectorized(GymConfig { kwargs, metrics: vec!["t".to_owned()], ..config() });
        let gym = Gym::with_config("tests.python.envs:vector", config).expect("made");
        for result in record(&gym, 4) {
            // The counter: its observation is the step within the episode, which ends after five.
            let amago_env::Column::F32(time) = &result.obs.columns()[0] else { panic!("bytes") };
            assert_eq!(time[0] as usize, result.local_step, "{mode}: {result:?}");
            let Some(stats) = &result.episode else { continue };
            assert_eq!((stats.length, stats.episode_return), (5, 5.0), "{mode}");
            assert_eq!(stats.metrics, [("t".to_owned(), 5.0)], "{mode}");
            let amago_env::Column::F32(last) = &result.final_obs().expect("it ended").columns()[0] else {
                panic!("bytes")
            };
            assert_eq!(last, &[5.0], "{mode}");
        }
    }
}

#[test]
#[ignore = "needs Python with gymnasium older than 1.0: AMAGO_TEST_PYTHON"]
fn the_vectors_of_before_reset_in_the_same_step() {
    let gym = Gym::with_config("CartPole-v1", vectorized(config())).expect("made");
    let seen = record(&gym, 4);
    assert_eq!(seen.len(), 4 * 81);
}

#[test]
#[ignore = "needs Python with gymnasium and ale-py: AMAGO_TEST_PYTHON"]
fn atari_has_vectors_of_its_own() {
    let kwargs = "stack_num = 1\ngrayscale = false".parse().expect("a table");
    let config = vectorized(GymConfig { kwargs, imports: vec!["ale_py".to_owned()], ..config() });
    let gym = Gym::with_config("ALE/Pong-v5", config).expect("made");
    assert_eq!(gym.spec().observation_space.to_string(), "{observation: Box(0, 255, [84, 84, 3], u8)}");
    let mut envs = VecEnv::new(gym.envs(4).expect("made"), 0, Role::TrainEnv).expect("alike");
    envs.reset_all().expect("no faults");
    let actions = vec![Action::Discrete(2); 4];
    for _ in 0..20 {
        envs.step(&actions).expect("no faults");
    }
    envs.restart(2, None).expect("one alone can be reset");
    envs.step(&actions).expect("no faults");
}

#[test]
#[ignore = "needs Python with gymnasium and envpool: AMAGO_TEST_PYTHON"]
fn envpool_resets_what_has_ended() {
    let gym = Gym::with_config("gym:envpool:CartPole-v1", vectorized(config())).expect("made");
    // One lane alone: the others are stepped without anybody looking.
    assert!(super::play(&mut *gym.env().expect("made"), 3, 500).len() > 5);
    let mut envs = VecEnv::new(gym.envs(8).expect("made"), 0, Role::TrainEnv).expect("alike");
    envs.reset_all().expect("no faults");
    let mut ends = 0;
    for t in 0..200 {
        let actions: Vec<_> = (0..8).map(|i| Action::Discrete((t + i) % 2)).collect();
        for result in envs.step(&actions).expect("no faults") {
            let amago_env::Column::F32(obs) = &result.obs.columns()[0] else { panic!("bytes") };
            if result.local_step == 0 {
                assert!(obs.iter().all(|x| x.abs() <= 0.05), "a first observation: {obs:?}");
            }
            ends += usize::from(result.episode.is_some());
        }
    }
    assert!(ends > 8, "{ends}");
}

#[test]
#[ignore = "needs Python with gymnasium 1.1 or newer: AMAGO_TEST_PYTHON"]
fn an_exception_is_a_fault_of_all_lanes() {
    let kwargs = "mode = \"Disabled\"\nbreaks = true".parse().expect("a table");
    let gym = Gym::with_config("tests.python.envs:vector", vectorized(GymConfig { kwargs, ..config() }))
        .expect("made");
    let mut envs = VecEnv::new(gym.envs(4).expect("made"), 0, Role::TrainEnv).expect("alike");
    envs.reset_all().expect("no faults");
    let actions = vec![Action::Discrete(0); 4];
    envs.step(&actions).expect("no faults");
    let error = envs.step(&actions).expect_err("a fault");
    assert_eq!(error.faults().len(), 4);
    assert!(error.to_string().contains("RuntimeError: lane 0 broke"), "{error}");
    for worker in 0..4 {
        envs.restart(worker, Some(gym.env().expect("made"))).expect("replaced");
    }
    envs.step(&actions).expect("no faults");
}

/// A wrapper gets the vector.
#[test]
#[ignore = "needs Python with gymnasium 1.1 or newer: AMAGO_TEST_PYTHON"]
fn a_vector_can_be_wrapped() {
    let config = vectorized(GymConfig { wrapper: wrapper("scaled"), ..config() });
    let gym = Gym::with_config("CartPole-v1", config).expect("made");
    let mut envs = VecEnv::new(gym.envs(4).expect("made"), 0, Role::TrainEnv).expect("alike");
    envs.reset_all().expect("no faults");
    let results = envs.step(&vec![Action::Discrete(0); 4]).expect("no faults");
    assert_eq!(results[0].step.reward, 7.0);
}

/// Without announcements, and with lanes that nobody plays.
#[test]
#[ignore = "needs Python with gymnasium 1.1 or newer: AMAGO_TEST_PYTHON"]
fn a_single_environment_of_a_vector_can_be_played() -> Result<(), EnvError> {
    for mode in ["NextStep", "SameStep", "Disabled"] {
        let kwargs = format!("mode = \"{mode}\"").parse().expect("a table");
        let config = vectorized(GymConfig { kwargs, ..config() });
        let gym = Gym::with_config("tests.python.envs:vector", config)?;
        let mut env = gym.env()?;
        let mut obs = Observation::new(&env.spec().observation_space);
        for seed in 0..3 {
            env.reset(seed, &mut obs)?;
            assert_eq!(obs.columns()[0], amago_env::Column::F32(vec![0.0]), "{mode}");
            for time in 1..=5 {
                let step = env.step(&Action::Discrete(0), &mut obs)?;
                assert_eq!((step.done(), step.reward), (time == 5, 1.0), "{mode}");
                assert_eq!(obs.columns()[0], amago_env::Column::F32(vec![time as f32]), "{mode}");
            }
        }
    }
    Ok(())
}
