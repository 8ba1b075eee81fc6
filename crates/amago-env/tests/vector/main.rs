//! Vectors of environments: resets, seeds, faults and threads.

mod announced;
mod saved;
#[path = "../support/mod.rs"]
mod support;

use amago_env::vector::{Parallel, Phase, VecEnv, VecEnvError, WorkerStep};
use amago_env::{Action, Column, Env, EnvError, Role, registry, rng};
use saved::Counter;
use support::{Fault, Scripted};

fn lakes(n: usize, seed: u64) -> VecEnv {
    let options = "k_episodes = 2\nhorizon = 20\nslip_chance = 0.1".parse().expect("a table");
    let envs = (0..n).map(|_| registry::make("meta-frozen-lake", &options).expect("legal options")).collect();
    VecEnv::new(envs, seed, Role::TrainEnv).expect("equal spaces")
}

fn scripted(faults: &[Fault]) -> VecEnv {
    let envs = faults.iter().map(|f| Box::new(Scripted::new(*f)) as Box<dyn Env>).collect();
    VecEnv::new(envs, 0, Role::TrainEnv).expect("equal spaces")
}

fn value(result: &WorkerStep) -> f32 {
    floats(result.obs.columns())[0]
}

fn floats(columns: &[Column]) -> &[f32] {
    match &columns[0] {
        Column::F32(values) => values,
        Column::U8(_) => panic!("floats expected"),
    }
}

fn actions(n: usize, step: u64) -> Vec<Action> {
    let mut rng = rng(5, Role::Policy, 0, step);
    (0..n).map(|_| Action::random(&amago_env::Space::Discrete { n: 5 }, None, &mut rng)).collect()
}

/// Plays and keeps everything that came out.
fn play(vector: &mut VecEnv, steps: std::ops::Range<u64>) -> Vec<Vec<WorkerStep>> {
    let n = vector.len();
    steps.map(|s| vector.step(&actions(n, s)).expect("no faults").to_vec()).collect()
}

#[test]
fn threads_do_not_change_results() {
    let run = |parallel, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut vector = lakes(7, 3);
            vector.set_parallel(parallel);
            vector.reset_all().expect("no faults");
            play(&mut vector, 0..120)
        })
    };
    let expected = run(Parallel::Off, 1);
    let ends = |worker: usize| expected.iter().filter(|step| step[worker].episode.is_some()).count();
    assert!((0..7).all(|worker| ends(worker) > 2), "episodes should have ended");
    for (parallel, threads) in [(Parallel::On, 1), (Parallel::On, 4), (Parallel::Auto, 3)] {
        assert!(run(parallel, threads) == expected, "{parallel:?} on {threads} threads");
    }
}

#[test]
fn runs_differ_by_seed_and_worker() {
    let first = |seed| {
        let mut vector = lakes(3, seed);
        vector.reset_all().expect("no faults");
        (0..40)
            .map(|_| vector.step(&vec![Action::Discrete(1); 3]).expect("no faults").to_vec())
            .collect::<Vec<_>>()
    };
    let (a, b) = (first(1), first(2));
    assert!(a != b);
    assert!(a.iter().any(|step| step[0] != step[1]), "workers share their seeds");
}

#[test]
fn automatic_reset_keeps_the_final_observation() {
    let mut vector = scripted(&[Fault::None]);
    vector.reset_all().expect("no faults");
    for episode in 0..3 {
        for t in 1..=5u8 {
            let result = &vector.step(&[Action::Discrete(0)]).expect("no faults")[0];
            if t < 5 {
                assert_eq!(value(result), f32::from(t) / 10.0);
                assert_eq!((result.final_obs(), &result.episode), (None, &None));
                assert_eq!(result.local_step, usize::from(t));
            } else {
                assert_eq!(floats(result.final_obs().expect("an episode ended").columns()), [0.5, 0.0]);
                assert_eq!((value(result), result.local_step), (0.0, 0));
                assert!(result.step.terminated && !result.step.truncated);
                let stats = result.episode.as_ref().expect("an episode ended");
                assert_eq!((stats.task.as_str(), stats.episode, stats.length), ("scripted", episode, 5));
                assert_eq!((stats.episode_return, stats.success), (5.0, Some(true)));
                assert_eq!(stats.metrics, [("steps".to_owned(), 5.0)]);
            }
        }
    }
}

#[test]
fn an_episode_without_an_end_is_cut() {
    let mut vector = Counter::vector(-1000.0).with_max_episode_steps(4);
    vector.reset_all().expect("no faults");
    let action = [Action::Discrete(0)];
    for episode in 0..2 {
        assert_eq!(vector.episode(0), episode);
        (0..3).for_each(|_| assert!(vector.step(&action).expect("no fault")[0].episode.is_none()));
        let result = &vector.step(&action).expect("no fault")[0];
        let stats = result.episode.as_ref().expect("it was cut");
        assert_eq!((stats.episode, stats.length, stats.cut), (episode, 4, true));
        assert!(result.step.truncated && !result.step.terminated);
        assert_eq!(
            (result.local_step, floats(result.final_obs().expect("the last").columns()).len()),
            (0, 1)
        );
    }
    // One that ends by itself with its last step is not.
    let mut vector = scripted(&[Fault::None]).with_max_episode_steps(5);
    vector.reset_all().expect("no faults");
    let last = (0..5).filter_map(|_| vector.step(&action).expect("no fault")[0].episode.clone()).next_back();
    assert!(!last.expect("it ended").cut && vector.results()[0].step.terminated);
}

#[test]
fn a_fault_names_the_worker_and_spares_the_others() {
    for (fault, part) in [
        (Fault::NanReward, "the reward is NaN"),
        (Fault::InfiniteObs, "observation \"observation\"[0] is inf"),
        (Fault::OutOfSpace, "outside its space"),
        (Fault::WrongWidth, "has 1 f32 entries, its space has 2"),
        (Fault::OtherBuffer, "has 3 f32 entries, its space has 2"),
        (Fault::PanicInStep, "panicked: broken on purpose"),
        (Fault::PanicInMetrics, "panicked: broken on purpose"),
    ] {
        let mut vector = scripted(&[Fault::None, fault, Fault::None]);
        vector.reset_all().expect("faults come later");
        let at = if fault == Fault::PanicInMetrics { 5 } else { 3 };
        for _ in 1..at {
            vector.step(&vec![Action::Discrete(0); 3]).expect("faults come later");
        }
        let error = vector.step(&vec![Action::Discrete(0); 3]).expect_err("worker 1 fails");
        assert!(error.to_string().contains(part), "{fault:?}: \"{error}\" lacks \"{part}\"");
        let [found] = error.faults() else { panic!("{fault:?}: one fault expected, not {error}") };
        assert_eq!((found.worker, found.env.as_str(), found.episode), (1, "scripted", 0));
        assert_eq!(found.phase, Phase::Step);
        let results = vector.results();
        assert_eq!(results.iter().map(|r| r.faulted).collect::<Vec<_>>(), [false, true, false]);
        // The failed worker still shows where it was; the others went on.
        assert_eq!(value(&results[1]), (at - 1) as f32 / 10.0, "{fault:?}");
        assert_eq!((results[1].step.reward, &results[1].episode), (0.0, &None));
        let others = if at == 5 { 0.0 } else { 0.3 };
        assert_eq!((value(&results[0]), value(&results[2])), (others, others));
        // It must be restarted before the next step.
        let refused = vector.step(&vec![Action::Discrete(0); 3]);
        assert!(matches!(refused, Err(VecEnvError::NotReady { worker: 1 })));
        let fresh = vector.restart(1, Some(Box::new(Scripted::new(Fault::None)))).expect("restarts");
        assert_eq!((value(fresh), fresh.faulted, fresh.local_step), (0.0, false, 0));
        vector.step(&vec![Action::Discrete(0); 3]).expect("all well again");
    }
}

#[test]
fn faults_at_reset_keep_the_finished_episode() {
    let mut vector = scripted(&[Fault::PanicInSecondReset, Fault::None, Fault::PanicInSecondReset]);
    vector.reset_all().expect("the first reset is fine");
    for _ in 0..4 {
        vector.step(&vec![Action::Discrete(0); 3]).expect("no end yet");
    }
    let error = vector.step(&vec![Action::Discrete(0); 3]).expect_err("two workers fail");
    let found: Vec<_> = error.faults().iter().map(|f| (f.worker, f.phase, f.episode)).collect();
    assert_eq!(found, [(0, Phase::Reset, 1), (2, Phase::Reset, 1)]);
    assert!(matches!(&error.faults()[0].cause, EnvError::Panicked(m) if m == "broken on purpose"));
    let first = &vector.results()[0];
    assert!(first.faulted && first.step.terminated);
    assert_eq!(first.episode.as_ref().map(|e| e.length), Some(5));
    assert_eq!(floats(first.final_obs().expect("an episode ended").columns()), [0.5, 0.0]);
}

#[test]
fn an_illegal_action_is_a_typed_fault() {
    let mut vector = lakes(2, 0);
    assert!(matches!(vector.step(&actions(2, 0)), Err(VecEnvError::NotReady { worker: 0 })));
    vector.reset_all().expect("no faults");
    assert!(matches!(vector.step(&actions(1, 0)), Err(VecEnvError::Count { got: 1, expected: 2, .. })));
    let error = vector.step(&[Action::Discrete(0), Action::Discrete(5)]).expect_err("five is too many");
    assert!(matches!(error.faults(), [f] if f.worker == 1 && matches!(f.cause, EnvError::Action(_))));
    assert!(matches!(vector.restart(2, None), Err(VecEnvError::NoWorker { worker: 2, workers: 2 })));
}

#[test]
fn unequal_and_unusable_spaces_are_refused() {
    assert!(matches!(VecEnv::new(vec![], 0, Role::TrainEnv), Err(VecEnvError::Empty)));
    let make = |id| registry::make(id, &toml::Table::new()).expect("defaults");
    let mixed = VecEnv::new(vec![make("tmaze-active"), make("dark-key-to-door")], 0, Role::TrainEnv);
    let error = mixed.expect_err("other spaces");
    assert!(matches!(&error, VecEnvError::SpacesDiffer { worker: 1, which: "observation", .. }), "{error}");
    let lake_and_room =
        VecEnv::new(vec![make("meta-frozen-lake"), make("dark-key-to-door")], 0, Role::TrainEnv);
    assert_eq!(lake_and_room.expect("equal spaces").horizon(), Some(500));
    let empty = VecEnv::new(vec![Box::new(Scripted::new(Fault::EmptySpace))], 0, Role::TrainEnv);
    assert!(matches!(empty, Err(VecEnvError::Space(_))));
    let mut vector = scripted(&[Fault::None]);
    let refused = vector.restart(0, Some(make("tmaze-active")));
    assert!(matches!(refused, Err(VecEnvError::SpacesDiffer { worker: 0, which: "observation", .. })));
}
