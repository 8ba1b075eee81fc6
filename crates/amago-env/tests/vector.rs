//! Vectors of environments: resets, seeds, faults and threads.

mod support;

use amago_env::vector::{Parallel, Phase, VecEnv, VecEnvError, WorkerStep};
use amago_env::{Action, Column, DictSpace, Env, EnvError, Observation, Role, Space, Step, registry, rng};
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

/// Takes 37 steps; the actions of each running episode.
fn play_and_keep(vector: &mut VecEnv) -> Vec<Vec<Action>> {
    vector.reset_all().expect("no faults");
    let mut taken = vec![Vec::new(); vector.len()];
    for s in 0..37 {
        let step = actions(vector.len(), s);
        for (worker, result) in vector.step(&step).expect("no faults").iter().enumerate() {
            taken[worker].push(step[worker].clone());
            if result.episode.is_some() {
                taken[worker].clear();
            }
        }
    }
    assert!(taken.iter().any(|t| !t.is_empty()), "an episode should be running");
    taken
}

#[test]
fn saved_workers_go_on_in_the_middle_of_an_episode() {
    let mut one = lakes(2, 4);
    let taken = play_and_keep(&mut one);
    let saved = one.save(&taken);
    let mut two = lakes(2, 4);
    let went_on = two.load(saved.clone()).expect("no faults");
    assert_eq!(went_on, taken.into_iter().map(Some).collect::<Vec<_>>());
    for (left, right) in one.results().iter().zip(two.results()) {
        assert_eq!((&left.obs, left.local_step), (&right.obs, right.local_step));
    }
    assert!(play(&mut two, 37..90) == play(&mut one, 37..90));
    let error = lakes(3, 4).load(saved).expect_err("two states for three");
    assert_eq!(error.to_string(), "got 2 saved states for 3 workers");
}

#[test]
fn what_does_not_repeat_itself_begins_another_episode() {
    let mut one = lakes(2, 4);
    let taken = play_and_keep(&mut one);
    let saved = one.save(&taken);
    // Another run seed: the same actions lead elsewhere.
    let mut other = lakes(2, 5);
    let went_on = other.load(saved).expect("no faults");
    assert!(went_on.contains(&None), "both ended where they stood by chance");
    for (taken, result) in went_on.iter().zip(other.results()) {
        assert_eq!((result.local_step, result.faulted), (taken.as_ref().map_or(0, Vec::len), false));
    }
}

/// Counts up, from a number that no seed knows.
struct Counter(f32, DictSpace, Space);

impl Counter {
    fn vector(start: f32) -> VecEnv {
        let space = DictSpace::single(Space::box_f32(&[1], 0.0, 100.0));
        let env = Counter(start, space, Space::Discrete { n: 2 });
        VecEnv::new(vec![Box::new(env)], 0, Role::TrainEnv).expect("spaces")
    }
}

impl Env for Counter {
    fn name(&self) -> &str {
        "counter"
    }

    fn observation_space(&self) -> &DictSpace {
        &self.1
    }

    fn action_space(&self) -> &Space {
        &self.2
    }

    fn horizon(&self) -> Option<usize> {
        None
    }

    fn reset(&mut self, _: u64, obs: &mut Observation) -> Result<(), EnvError> {
        obs.write(DictSpace::SINGLE, &[self.0])
    }

    fn step(&mut self, _: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.0 += 1.0;
        obs.write(DictSpace::SINGLE, &[self.0])?;
        Ok(Step { reward: 1.0, terminated: self.0 == 10.0, truncated: false })
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        Some(vec![self.0 as u8])
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let [count] = state else { return Err(EnvError::Failed("not a count".to_owned())) };
        self.0 = f32::from(*count);
        Ok(())
    }
}

#[test]
fn an_environment_may_save_its_own_state() {
    let mut one = Counter::vector(5.0);
    one.reset_all().expect("no faults");
    let action = [Action::Discrete(0)];
    one.step(&action).expect("no fault");
    let mut two = Counter::vector(0.0);
    let taken = two.load(one.save(&[action.to_vec()])).expect("no faults");
    assert_eq!(taken, [Some(action.to_vec())]);
    assert_eq!((&two.results()[0].obs, two.results()[0].local_step), (&one.results()[0].obs, 1));
    (0..3).for_each(|_| assert!(two.step(&action).expect("no fault")[0].episode.is_none()));
    let end = two.step(&action).expect("no fault")[0].episode.clone().expect("ten");
    assert_eq!((end.episode, end.length, end.episode_return), (0, 5, 5.0));
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
