//! Workers that are saved in the middle of an episode.

use amago_env::vector::VecEnv;
use amago_env::{
    Action, Column, DictSpace, Env, EnvError, Observation, Role, Space, Step, TaskSpec, registry,
};

use crate::{actions, lakes, play};

/// Takes 37 steps that can be saved.
fn play_and_keep(vector: VecEnv) -> VecEnv {
    let mut vector = vector.resumable();
    vector.reset_all().expect("no faults");
    play(&mut vector, 0..37);
    assert!(vector.results().iter().any(|r| r.local_step > 0), "an episode should be running");
    vector
}

#[test]
fn saved_workers_go_on_in_the_middle_of_an_episode() {
    let mut one = play_and_keep(lakes(2, 4));
    let saved = one.save();
    let mut two = lakes(2, 4).resumable();
    assert_eq!(two.load(saved.clone()).expect("no faults"), [true, true]);
    for (left, right) in one.results().iter().zip(two.results()) {
        assert_eq!((&left.obs, left.local_step), (&right.obs, right.local_step));
    }
    assert_eq!(two.save(), saved);
    assert!(play(&mut two, 37..90) == play(&mut one, 37..90));
    let error = lakes(3, 4).load(saved).expect_err("two states for three");
    assert_eq!(error.to_string(), "got 2 saved states for 3 workers");
}

#[test]
fn what_does_not_repeat_itself_begins_another_episode() {
    let mut one = play_and_keep(lakes(2, 4));
    let steps: Vec<_> = one.results().iter().map(|r| r.local_step).collect();
    // Another run seed: the same actions lead elsewhere.
    let mut other = lakes(2, 5);
    let went_on = other.load(one.save()).expect("no faults");
    assert!(went_on.contains(&false), "both ended where they stood by chance");
    for ((went_on, steps), result) in went_on.iter().zip(steps).zip(other.results()) {
        assert_eq!((result.local_step, result.faulted), (if *went_on { steps } else { 0 }, false));
    }
    // Without the actions there is no way back.
    let mut forgetful = lakes(1, 4);
    forgetful.reset_all().expect("no faults");
    play(&mut forgetful, 0..3);
    let saved = forgetful.save();
    assert_eq!(forgetful.load(saved).expect("no faults"), [false]);
}

/// What a checkpoint of version 0.1.0 of November 2026 held of a worker: actions one by one, bytes as a list.
#[test]
fn states_of_before_are_still_read() {
    #[derive(serde::Serialize)]
    struct Old {
        next_episode: u64,
        running: Running,
    }
    #[derive(serde::Serialize)]
    struct Running {
        actions: Vec<Action>,
        obs: Vec<Column>,
        episode_return: f64,
        env: Option<Vec<u8>>,
    }
    let mut one = lakes(1, 4);
    one.reset_all().expect("no faults");
    play(&mut one, 0..3);
    let running = |actions, obs, env| Running { actions, obs, episode_return: 2.0, env };
    let taken = (0..3).map(|s| actions(1, s).remove(0)).collect();
    let played = running(taken, one.results()[0].obs.columns().to_vec(), None);
    let counted = running(vec![Action::Discrete(1); 2], vec![Column::F32(vec![7.0])], Some(vec![7]));
    for (mut vector, running, steps) in [(lakes(1, 4), played, 3), (Counter::vector(0.0), counted, 2)] {
        let old = rmp_serde::to_vec_named(&[Old { next_episode: 1, running }]).expect("plain data");
        let states = rmp_serde::from_slice(&old).expect("still read");
        assert_eq!(vector.load(states).expect("no faults"), [true]);
        assert_eq!(vector.results()[0].local_step, steps);
    }
    assert_eq!(one.results()[0].local_step, 3);
}

/// Counts up, from a number that no seed knows.
pub struct Counter(f32, TaskSpec);

impl Counter {
    pub fn vector(start: f32) -> VecEnv {
        let space = Space::box_f32(&[1], -1e7, 100.0);
        let env = Counter(start, TaskSpec::new("counter", space, Space::Discrete { n: 2 }));
        VecEnv::new(vec![Box::new(env)], 0, Role::TrainEnv).expect("spaces")
    }
}

impl Env for Counter {
    fn spec(&self) -> &TaskSpec {
        &self.1
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
    assert_eq!(two.load(one.save()).expect("no faults"), [true]);
    assert_eq!((&two.results()[0].obs, two.results()[0].local_step), (&one.results()[0].obs, 1));
    (0..3).for_each(|_| assert!(two.step(&action).expect("no fault")[0].episode.is_none()));
    let end = two.step(&action).expect("no fault")[0].episode.clone().expect("ten");
    assert_eq!((end.episode, end.length, end.episode_return), (0, 5, 5.0));
}

/// Actions are there to be played again; who saves a state needs none.
#[test]
fn what_is_saved_of_an_episode_grows_with_it_only_without_a_state() {
    let size = |mut vector: VecEnv| rmp_serde::to_vec_named(&vector.save()).expect("plain data").len();
    let played = |vector: VecEnv, steps: usize| {
        let mut vector = vector.resumable();
        vector.reset_all().expect("no faults");
        for _ in 0..steps {
            vector.step(&[Action::Discrete(0)]).expect("no fault");
        }
        assert_eq!(vector.results()[0].local_step, steps);
        vector
    };
    let with = |steps| size(played(Counter::vector(-1e6), steps));
    assert!(with(200).abs_diff(with(20_000)) < 8, "{} {}", with(200), with(20_000));
    let options = "size = 9\nk_episodes = 9\nmax_episode_steps = 100000".parse().expect("a table");
    let lake = || registry::make("meta-frozen-lake", &options).expect("legal options");
    let lake = || VecEnv::new(vec![lake()], 0, Role::TrainEnv).expect("an environment");
    let (short, long) = (size(played(lake(), 200)), size(played(lake(), 20_000)));
    assert!((19_800..19_808).contains(&(long - short)), "a byte per step: {short} {long}");
}
