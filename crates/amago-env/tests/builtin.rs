//! Scripted episodes of the built-in environments.

use amago_env::builtin::{
    FrozenLake, FrozenLakeOptions, KeyToDoor, KeyToDoorOptions, Location, TMazeActive, TMazeActiveOptions,
    TMazePassive, TMazePassiveOptions,
};
use amago_env::{Action, Column, Env, Observation, Step};

/// An environment and its last observation.
struct Play<E> {
    env: E,
    obs: Observation,
}

impl<E: Env> Play<E> {
    fn new(env: E) -> Self {
        let obs = Observation::new(env.observation_space());
        Self { env, obs }
    }

    fn seen(&self) -> Vec<f32> {
        match &self.obs.columns()[0] {
            Column::F32(values) => values.clone(),
            Column::U8(_) => panic!("no built-in environment has images"),
        }
    }

    fn reset(&mut self, seed: u64) -> Vec<f32> {
        self.env.reset(seed, &mut self.obs).expect("a built-in environment resets");
        self.seen()
    }

    fn step(&mut self, action: usize) -> (Vec<f32>, Step) {
        let step = self.env.step(&Action::Discrete(action), &mut self.obs).expect("a legal action");
        (self.seen(), step)
    }

    fn metrics(&self) -> Vec<(String, f64)> {
        let mut out = Vec::new();
        self.env.metrics(&mut |name, value| out.push((name.to_owned(), value)));
        out
    }
}

fn step(reward: f32, over: bool) -> Step {
    Step { reward, terminated: over, truncated: over }
}

#[test]
fn passive_tmaze_follows_its_script() {
    let options =
        TMazePassiveOptions { corridor_length: 3, penalty: -0.5, goal_reward: 2.0, distract_reward: 0.0 };
    let mut play = Play::new(TMazePassive::new(options).expect("legal options"));
    let mut signs = [0, 0];
    for seed in 0..40 {
        let first = play.reset(seed);
        let sign = first[1];
        signs[usize::from(sign > 0.0)] += 1;
        assert_eq!((first[0], sign.abs()), (0.0, 1.0));
        assert_eq!(play.step(0), (vec![0.0, 0.0], step(0.0, false)));
        assert_eq!(play.step(0), (vec![0.0, 0.0], step(0.0, false)));
        assert_eq!(play.step(0), (vec![1.0, 0.0], step(0.0, false)));
        // Up in even episodes, down in odd ones: right only where the sign said so.
        let (arm, y) = if seed % 2 == 0 { (1, 1.0) } else { (3, -1.0) };
        let reward = if y == sign { 2.0 } else { 0.0 };
        assert_eq!(play.step(arm), (vec![1.0, y], step(reward, true)));
        assert_eq!(play.env.success(), Some(y == sign));
    }
    assert!(signs[0] > 5 && signs[1] > 5, "{signs:?}");
}

#[test]
fn passive_tmaze_shows_its_sign_once_and_fines_other_moves() {
    let options =
        TMazePassiveOptions { corridor_length: 3, penalty: -0.5, goal_reward: 1.0, distract_reward: 0.25 };
    let mut play = Play::new(TMazePassive::new(options).expect("legal options"));
    play.reset(0);
    assert_eq!(play.step(1), (vec![0.0, 0.0], step(-0.25, false)), "a wall, at the sign");
    assert_eq!(play.step(0), (vec![0.0, 0.0], step(0.0, false)));
    assert_eq!(play.step(2), (vec![0.0, 0.0], step(-0.25, false)), "back at the sign, which is gone");
    assert_eq!(play.step(0), (vec![0.0, 0.0], step(0.0, true)), "no time left");
    assert_eq!(play.env.success(), Some(false));
}

#[test]
fn active_tmaze_hides_its_sign_behind_the_start() {
    let options = TMazeActiveOptions { corridor_length: 2, penalty: -0.5, ..TMazeActiveOptions::default() };
    let mut play = Play::new(TMazeActive::new(options).expect("legal options"));
    assert_eq!(play.env.horizon(), Some(5));
    assert_eq!(play.reset(4), [0.0, 0.0]);
    let (seen, first) = play.step(2);
    assert_eq!((seen[0], seen[1].abs(), first), (0.0, 1.0, step(0.0, false)), "going back is free once");
    assert_eq!(play.step(0), (vec![0.0, 0.0], step(0.0, false)));
    assert_eq!(play.step(0), (vec![0.0, 0.0], step(0.0, false)));
    assert_eq!(play.step(0), (vec![1.0, 0.0], step(0.0, false)));
    let arm = if seen[1] > 0.0 { 1 } else { 3 };
    assert_eq!(play.step(arm), (vec![1.0, seen[1]], step(1.0, true)));
    assert_eq!(play.env.success(), Some(true));
}

#[test]
fn an_arm_can_be_left_and_the_other_taken() {
    let options =
        TMazeActiveOptions { corridor_length: 1, oracle_length: 2, ..TMazeActiveOptions::default() };
    let mut play = Play::new(TMazeActive::new(options).expect("legal options"));
    play.reset(0);
    for (action, seen) in
        [(0, [1.0, 0.0]), (1, [1.0, 1.0]), (0, [1.0, 1.0]), (3, [1.0, 0.0]), (3, [1.0, -1.0])]
    {
        assert_eq!(play.step(action).0, seen);
    }
}

fn lake(options: FrozenLakeOptions) -> Play<FrozenLake> {
    let rows = ["FFH", "HFF", "FFF"];
    Play::new(FrozenLake::with_layout(options, &rows).expect("a legal layout"))
}

fn small(k_episodes: usize) -> FrozenLakeOptions {
    FrozenLakeOptions { size: 3, k_episodes, ..FrozenLakeOptions::default() }
}

/// Shortest way in the layout of `lake`: y+1, x+1, x+1, y+1.
const WAY: [usize; 4] = [3, 1, 1, 3];

#[test]
fn frozen_lake_counts_attempts() {
    let mut play = lake(small(3));
    let third = 1.0 / 3.0;
    assert_eq!(play.reset(0), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(play.step(1), (vec![0.0, 0.0, 1.0, 0.0], Step::default()), "a hole ends the attempt");
    assert_eq!(play.step(0), (vec![0.0, 0.0, 0.0, third], Step::default()));
    for (attempt, at) in [(1, third), (2, 2.0 * third)] {
        let places = [[0.0, third], [third, third], [2.0 * third, third]];
        for (action, [x, y]) in WAY.into_iter().zip(places) {
            assert_eq!(play.step(action), (vec![x, y, 0.0, at], Step::default()));
        }
        let last = Step { reward: 1.0, terminated: attempt == 2, truncated: false };
        assert_eq!(play.step(3), (vec![0.0, 0.0, 1.0, at], last));
    }
    let metrics = play.metrics();
    assert_eq!(metrics.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [0.0, 1.0, 1.0]);
    assert_eq!(metrics[1].0, "attempt 1 success");
    assert_eq!(play.env.success(), Some(true));
}

#[test]
fn recovering_from_a_hole_costs_a_tenth() {
    let mut play = lake(FrozenLakeOptions { recover_mode: true, ..small(1) });
    play.reset(0);
    assert_eq!(play.step(1), (vec![0.0; 4], Step { reward: -0.1, ..Step::default() }));
    assert_eq!(play.step(2), (vec![0.0; 4], Step::default()), "a wall");
    let rewards: Vec<_> = WAY.iter().map(|a| play.step(*a).1.reward).collect();
    assert_eq!(rewards, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_horizon_truncates_a_lake() {
    let mut play = lake(FrozenLakeOptions { horizon: 2, ..small(1) });
    play.reset(0);
    assert_eq!(play.step(0).1, Step::default());
    assert_eq!(play.step(0).1, Step { truncated: true, ..Step::default() });
    assert_eq!(play.env.success(), Some(false));
    assert_eq!(play.metrics(), [("attempt 0 success".to_owned(), 0.0)]);
}

/// The ice breaks behind a moving agent only: standing still in hard mode is always safe.
#[test]
fn hard_mode_breaks_ice_only_behind_the_agent() {
    let options =
        FrozenLakeOptions { size: 2, k_episodes: 50, hard_mode: true, ..FrozenLakeOptions::default() };
    let mut play = Play::new(FrozenLake::with_layout(options, &["FF", "FF"]).expect("a legal layout"));
    let mut fell = 0;
    for seed in 0..200 {
        play.reset(seed);
        for _ in 0..20 {
            assert_eq!(play.step(0).0[2], 0.0, "standing still ended an attempt");
        }
        // Along one side and back. Which side depends on the meaning of action 1; of the two ways
        // back the other one is a wall.
        assert_eq!(play.step(1).0[2], 0.0, "no hole ahead");
        fell += usize::from([2, 4].into_iter().any(|back| play.step(back).0[2] == 1.0));
    }
    assert!((40..95).contains(&fell), "{fell} of 200 fell, a third was expected");
}

#[test]
fn a_slippery_lake_moves_at_random() {
    let options =
        FrozenLakeOptions { slip_chance: 1.0, size: 9, horizon: 10_000, ..FrozenLakeOptions::default() };
    let mut play = Play::new(FrozenLake::with_layout(options, &["FFFFFFFFF"; 9]).expect("a legal layout"));
    play.reset(0);
    let mut axes = [0, 0];
    let mut before = play.seen();
    for i in 0..400 {
        let stand = i % 4 == 0;
        let (now, _) = play.step(if stand { 0 } else { 1 });
        if now[2] == 0.0 {
            let moved = [now[0] != before[0], now[1] != before[1]];
            assert!(!stand || moved == [false; 2], "standing still slipped");
            axes[0] += usize::from(moved[0]);
            axes[1] += usize::from(moved[1]);
        }
        before = now;
    }
    assert!(axes[0] > 50 && axes[1] > 50, "{axes:?}");
}

/// Every random lake has a way: an agent that cannot fall finds it by wandering.
#[test]
fn random_lakes_are_solvable() {
    let options = FrozenLakeOptions {
        size: 4,
        k_episodes: 1,
        recover_mode: true,
        horizon: 20_000,
        ..FrozenLakeOptions::default()
    };
    let mut play = Play::new(FrozenLake::new(options).expect("legal options"));
    let mut falls = 0;
    for seed in 0..100 {
        play.reset(seed);
        let mut rng = amago_env::rng(seed, amago_env::Role::Policy, 0, 0);
        loop {
            let last = play.step(rand::RngExt::random_range(&mut rng, 1..5)).1;
            falls += usize::from(last.reward < 0.0);
            if last.done() {
                break;
            }
        }
        assert_eq!(play.env.success(), Some(true), "seed {seed}");
    }
    assert!(falls > 100, "there should be holes, but only {falls} falls");
}

#[test]
fn layouts_without_a_way_are_refused() {
    for rows in [&["FH", "HF"][..], &["FF"][..], &["FFF", "FF"][..]] {
        let options = FrozenLakeOptions { size: 2, ..FrozenLakeOptions::default() };
        assert!(FrozenLake::with_layout(options, rows).is_err(), "{rows:?}");
    }
}

fn room(dark: bool) -> Play<KeyToDoor> {
    let options = KeyToDoorOptions {
        dark,
        size: 4,
        max_episode_steps: 8,
        meta_rollout_horizon: 14,
        start_location: Location::At(0, 0),
        key_location: Location::At(1, 0),
        goal_location: Location::At(1, 2),
        ..KeyToDoorOptions::default()
    };
    Play::new(KeyToDoor::new(options).expect("legal options"))
}

#[test]
fn a_trial_gives_two_rewards_then_begins_again() {
    let mut play = room(true);
    assert_eq!(play.reset(0), [0.0; 4]);
    // x+1 to the key, y+1 twice to the door.
    let script = [
        (3, [0.25, 0.0, 1.0, 0.125], 1.0),
        (2, [0.25, 0.25, 1.0, 0.25], 0.0),
        (2, [0.25, 0.5, 1.0, 0.375], 1.0),
        (2, [0.0, 0.0, 0.0, 0.0], 0.0),
        (2, [0.0, 0.25, 0.0, 0.125], 0.0),
    ];
    for (action, seen, reward) in script {
        assert_eq!(play.step(action), (seen.to_vec(), step(reward, false)));
    }
    for i in 2..=8 {
        assert_eq!(play.step(4), (vec![0.0, 0.25, 0.0, i as f32 / 8.0], step(0.0, false)));
    }
    assert_eq!(play.step(3), (vec![0.0; 4], step(0.0, false)), "time was over: back to the start");
    assert_eq!(play.step(3), (vec![0.25, 0.0, 1.0, 0.125], step(1.0, true)));
    let expected = [
        ("trials finished", 2.0),
        ("trials completed", 1.0),
        ("return per trial", 1.0),
        ("trial 0 return", 2.0),
        ("trial 1 return", 0.0),
    ];
    assert_eq!(play.metrics(), expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(play.env.success(), None);
}

#[test]
fn a_lit_room_shows_door_and_key() {
    let mut play = room(false);
    assert_eq!(play.reset(0), [0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0.25, 0.0]);
}

#[test]
fn shuffled_actions_still_reach_the_same_places() {
    let options = KeyToDoorOptions {
        randomize_actions: true,
        start_location: Location::At(4, 4),
        ..KeyToDoorOptions::default()
    };
    let mut play = Play::new(KeyToDoor::new(options).expect("legal options"));
    let mut meanings = std::collections::BTreeSet::new();
    for seed in 0..30 {
        let mut places = Vec::new();
        for action in 0..5 {
            play.reset(seed);
            let (seen, _) = play.step(action);
            places.push(((seen[0] * 9.0).round() as usize, (seen[1] * 9.0).round() as usize));
        }
        meanings.insert(places.clone());
        places.sort_unstable();
        assert_eq!(places, [(3, 4), (4, 3), (4, 4), (4, 5), (5, 4)]);
    }
    assert!(meanings.len() > 10, "{} meanings in 30 rooms", meanings.len());
}
