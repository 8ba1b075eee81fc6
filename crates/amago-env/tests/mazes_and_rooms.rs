//! Scripted episodes of the T-Mazes and of dark key-to-door.

#[path = "support/play.rs"]
mod play;

use amago_env::builtin::{
    KeyToDoor, KeyToDoorOptions, Location, TMazeActive, TMazeActiveOptions, TMazePassive, TMazePassiveOptions,
};
use amago_env::{Env, Step};
use play::Play;

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
    assert_eq!(play.env.spec().horizon, Some(5));
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

fn room(dark: bool) -> Play<KeyToDoor> {
    let options = KeyToDoorOptions {
        dark,
        size: 4,
        max_episode_steps: 8,
        meta_rollout_horizon: 15,
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
    // x+1 to the key, which counts only once, then y+1 twice to the door.
    let script = [
        (3, [0.25, 0.0, 1.0, 0.125], 1.0),
        (4, [0.25, 0.0, 1.0, 0.25], 0.0),
        (2, [0.25, 0.25, 1.0, 0.375], 0.0),
        (2, [0.25, 0.5, 1.0, 0.5], 1.0),
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
    // Not every episode finishes a second trial; this one does because it solved the first one.
    let expected = [
        ("trials finished", 2.0),
        ("trials completed", 1.0),
        ("return per trial", 1.0),
        ("trial 0 return", 2.0),
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
