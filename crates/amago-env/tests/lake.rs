//! Scripted episodes of the frozen lake.

#[path = "support/play.rs"]
mod play;

use amago_env::builtin::{FrozenLake, FrozenLakeOptions, LakeTask};
use amago_env::{Env, Observation, Step};
use play::Play;

fn play(options: FrozenLakeOptions) -> Play<FrozenLake> {
    Play::new(FrozenLake::new(options).expect("legal options"))
}

/// Starts on a layout; the seed decides the rest.
fn start(play: &mut Play<FrozenLake>, rows: &[&str], swapped: bool, seed: u64) -> Vec<f32> {
    let task = LakeTask::new(rows, swapped).expect("a legal layout");
    play.reset_to(|env, obs| env.reset_to(task, seed, obs))
}

const LAKE: [&str; 3] = ["FFH", "HFF", "FFF"];

fn small(k_episodes: usize) -> FrozenLakeOptions {
    FrozenLakeOptions { size: 3, k_episodes, ..FrozenLakeOptions::default() }
}

/// Shortest way in the layout of `lake`: y+1, x+1, x+1, y+1.
const WAY: [usize; 4] = [3, 1, 1, 3];

#[test]
fn frozen_lake_counts_attempts() {
    let mut play = play(small(3));
    let third = 1.0 / 3.0;
    assert_eq!(start(&mut play, &LAKE, false, 0), [0.0, 0.0, 1.0, 0.0]);
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
    let mut play = play(FrozenLakeOptions { recover_mode: true, ..small(1) });
    start(&mut play, &LAKE, false, 0);
    assert_eq!(play.step(1), (vec![0.0; 4], Step { reward: -0.1, ..Step::default() }));
    assert_eq!(play.step(2), (vec![0.0; 4], Step::default()), "a wall");
    let rewards: Vec<_> = WAY.iter().map(|a| play.step(*a).1.reward).collect();
    assert_eq!(rewards, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_horizon_truncates_a_lake() {
    let mut play = play(FrozenLakeOptions { horizon: 2, ..small(1) });
    start(&mut play, &LAKE, false, 0);
    assert_eq!(play.step(0).1, Step::default());
    assert_eq!(play.step(0).1, Step { truncated: true, ..Step::default() });
    assert_eq!(play.env.success(), Some(false));
    assert_eq!(play.metrics(), [("attempt 0 success".to_owned(), 0.0)]);
}

/// As in the original since April 2026.
#[test]
fn an_attempt_times_out() {
    let mut play = play(small(2));
    start(&mut play, &LAKE, false, 0);
    assert_eq!(play.env.spec().horizon, Some(18), "two attempts of 3 · 3 steps");
    for step in 1..=9 {
        let (seen, last) = play.step(0);
        assert_eq!((seen[2], last), (f32::from(step == 9), Step::default()), "step {step}");
    }
    for action in WAY.into_iter().take(3) {
        assert_eq!(play.step(action).1, Step::default());
    }
    let end = Step { reward: 1.0, terminated: true, truncated: false };
    assert_eq!(play.step(WAY[3]).1, end, "the second attempt has all of its steps");
    let metrics: Vec<f64> = play.metrics().into_iter().map(|(_, value)| value).collect();
    assert_eq!(metrics, [0.0, 1.0]);
}

#[test]
fn limits_of_attempts_follow_size_mode_and_option() {
    let limits = |hard_mode, max_episode_steps, horizon| {
        let lake = FrozenLakeOptions { hard_mode, max_episode_steps, horizon, ..small(4) };
        FrozenLake::new(lake).expect("legal options").spec().horizon
    };
    assert_eq!(limits(false, 0, 0), Some(36));
    assert_eq!(limits(true, 0, 0), Some(72));
    assert_eq!(limits(true, 5, 0), Some(20));
    assert_eq!(limits(false, 0, 30), Some(30));
    assert_eq!(limits(false, usize::MAX, 60), Some(60), "no limit but the horizon");
}

#[test]
fn progress_can_be_hidden() {
    let mut play = play(FrozenLakeOptions { show_k_progress: false, ..small(2) });
    assert_eq!(start(&mut play, &LAKE, false, 0), [0.0, 0.0, 1.0]);
    assert_eq!(play.step(1).0, [0.0, 0.0, 1.0], "the second attempt begins");
    assert_eq!(play.step(3).0, [0.0, 1.0 / 3.0, 0.0]);
}

/// Ice that breaks under the last step before a hole is a hole, too, for one who recovers from falling in.
#[test]
fn ice_breaks_before_the_tile_is_looked_at() {
    let options = FrozenLakeOptions { hard_mode: true, recover_mode: true, ..small(1) };
    let mut play = play(options);
    let mut broke = 0;
    for seed in 0..300 {
        start(&mut play, &LAKE, false, seed);
        assert_eq!(play.step(1).1.reward, -0.1, "a hole");
        broke += usize::from(play.step(0).1.reward < 0.0);
    }
    assert!((70..130).contains(&broke), "{broke} of 300 stand on broken ice, a third was expected");
}

/// The ice breaks behind a moving agent only: standing still in hard mode is always safe.
#[test]
fn hard_mode_breaks_ice_only_behind_the_agent() {
    let options = FrozenLakeOptions {
        size: 2,
        k_episodes: 50,
        hard_mode: true,
        max_episode_steps: 50,
        ..FrozenLakeOptions::default()
    };
    let mut play = play(options);
    let mut fell = 0;
    for seed in 0..200 {
        start(&mut play, &["FF", "FF"], seed % 2 == 0, seed);
        for _ in 0..20 {
            assert_eq!(play.step(0).0[2], 0.0, "standing still ended an attempt");
        }
        // Along one side and back. Which side depends on the meaning of action 1; of the two ways
        // back the other one is a wall.
        assert_eq!(play.step(1).0[2], 0.0, "no hole ahead");
        assert_eq!(play.step(0).0[2], 0.0, "no hole under the agent");
        fell += usize::from([2, 4].into_iter().any(|back| play.step(back).0[2] == 1.0));
    }
    assert!((40..95).contains(&fell), "{fell} of 200 fell, a third was expected");
}

#[test]
fn hard_mode_swaps_actions_and_blurs_the_position() {
    let options = FrozenLakeOptions { size: 9, hard_mode: true, ..FrozenLakeOptions::default() };
    let mut play = play(options);
    let (mut lakes, mut swapped, mut blurred) = (0, 0, 0);
    for seed in 0..250 {
        play.reset(seed);
        if play.step(1).0[2] == 1.0 {
            continue; // a hole
        }
        // A quarter of the sensor readings is off by up to one tile; the mean tells the true place.
        let seen: Vec<_> = (0..50).map(|_| play.step(0).0).collect();
        let mean = |axis: usize| seen.iter().map(|s| s[axis] * 9.0).sum::<f32>() / 50.0;
        assert!((mean(0) + mean(1) - 1.0).abs() < 0.4, "{} {}", mean(0), mean(1));
        lakes += 1;
        swapped += usize::from(mean(1) > mean(0));
        let place = if mean(1) > mean(0) { [0.0, 1.0] } else { [1.0, 0.0] };
        blurred += seen.iter().filter(|s| [s[0] * 9.0, s[1] * 9.0] != place).count();
    }
    assert!((175..225).contains(&lakes), "{lakes} of 250 lakes have ice ahead, four fifths were expected");
    let half = lakes / 2;
    assert!(swapped.abs_diff(half) < 25, "{swapped} of {lakes} lakes swap actions, half was expected");
    // Off along x in 2/3, along y at the wall in 1/3 of a quarter of the readings: 7/36 of them.
    let expected = lakes * 50 * 7 / 36;
    assert!(blurred.abs_diff(expected) < 150, "{blurred} blurred readings, about {expected} were expected");
}

/// A slip is standing still, as in the original.
#[test]
fn who_slips_stands_still() {
    let flat = ["FFFFFFFFF"; 9];
    let options = |slip_chance| FrozenLakeOptions {
        slip_chance,
        size: 9,
        max_episode_steps: 10_000,
        ..FrozenLakeOptions::default()
    };
    let mut always = play(options(1.0));
    start(&mut always, &flat, false, 0);
    assert!((0..400).all(|i| always.step(1 + i % 4).0[..2] == [0.0, 0.0]), "a move although all slip");
    let mut sometimes = play(options(0.25));
    start(&mut sometimes, &flat, false, 0);
    // To and fro: every second step is back at the wall unless it slipped.
    let mut moved = 0;
    let mut before = 0.0;
    for i in 0..4000 {
        let now = sometimes.step(if before == 0.0 { 1 } else { 2 }).0;
        assert_eq!(now[1], 0.0, "step {i} went aside");
        moved += usize::from(now[0] != before);
        before = now[0];
    }
    assert!(moved.abs_diff(3000) < 120, "{moved} of 4000 moves, three quarters were expected");
}

/// Every random lake has a way: an agent that cannot fall finds it by wandering.
#[test]
fn random_lakes_are_solvable() {
    let options = FrozenLakeOptions {
        size: 4,
        k_episodes: 1,
        recover_mode: true,
        max_episode_steps: 20_000,
        ..FrozenLakeOptions::default()
    };
    let mut play = play(options);
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
    for rows in [&["FH", "HF"][..], &["FF"][..], &["FFF", "FF"][..], &[][..], &["F"][..]] {
        assert!(LakeTask::new(rows, false).is_err(), "{rows:?}");
    }
    let mut env = FrozenLake::new(small(1)).expect("legal options");
    let mut obs = Observation::new(&env.spec().observation_space);
    let two = LakeTask::new(&["FF", "FF"], false).expect("a legal layout");
    let error = env.reset_to(two, 0, &mut obs).expect_err("another size");
    assert!(error.to_string().contains("must have 3 rows, not 2"), "{error}");
}
