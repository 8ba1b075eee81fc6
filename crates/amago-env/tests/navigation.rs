//! Scripted episodes of Wind and of the point robot.

#[path = "support/play.rs"]
mod play;

use amago_env::builtin::{PointReward, PointRobot, PointRobotOptions, PointTask, Wind, WindOptions};
use amago_env::{Action, Env, Step};
use play::Play;

fn close(got: &[f32], expected: [f32; 2]) {
    let error = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(got.len() == 2 && error < 1e-6, "{got:?}, not {expected:?}");
}

fn towards(x: f32, y: f32) -> Action {
    Action::Continuous(vec![x, y])
}

fn step(reward: f32, truncated: bool) -> Step {
    Step { reward, terminated: false, truncated }
}

#[test]
fn the_wind_is_added_to_every_move() {
    let options = WindOptions { horizon: 11, ..WindOptions::default() };
    let mut play = Play::new(Wind::new(options).expect("legal options"));
    close(&play.reset_to(|env, obs| env.reset_to([0.05, -0.025], obs)), [0.0, 0.0]);
    let (seen, first) = play.act(&towards(0.5, 1.0));
    close(&seen, [0.1, 0.075]);
    assert_eq!(first, step(0.0, false));
    // Against the wind along x, back to the axis in two steps and up to the goal.
    for _ in 0..2 {
        assert_eq!(play.act(&towards(-1.0, 1.0)).1, step(0.0, false));
    }
    for i in 4..=10 {
        let (seen, _) = play.act(&towards(-0.5, 1.0));
        close(&seen, [0.0, 0.075 * i as f32]);
    }
    assert_eq!(play.env.success(), Some(false));
    // y is 0.75; no single step reaches 1. The episode ends by time alone.
    let (_, last) = play.act(&towards(-0.5, 1.0));
    assert_eq!(last, step(0.0, true));

    let mut play = Play::new(Wind::new(WindOptions::default()).expect("legal options"));
    play.reset_to(|env, obs| env.reset_to([0.0, 0.02], obs));
    let rewards: Vec<_> = (0..75).map(|_| play.act(&towards(0.0, 0.8)).1).collect();
    // 0.1 per step: at the goal after ten steps, beyond it afterwards.
    assert!(rewards.iter().enumerate().all(|(i, s)| *s == step(f32::from(i == 9), i == 74)), "{rewards:?}");
    assert_eq!(play.env.success(), Some(true));
}

#[test]
fn winds_differ_and_stay_within_their_bounds() {
    let mut play = Play::new(Wind::new(WindOptions::default()).expect("legal options"));
    let mut sums = [0.0; 2];
    let mut largest: f32 = 0.0;
    for seed in 0..400 {
        close(&play.reset(seed), [0.0, 0.0]);
        let (wind, _) = play.act(&towards(0.0, 0.0));
        (0..2).for_each(|i| sums[i] += wind[i]);
        largest = wind.iter().fold(largest, |m, x| m.max(x.abs()));
    }
    assert!(largest <= 0.08 && largest > 0.0795, "{largest}");
    // Standard error of each sum: 0.08 / sqrt(3) * 20 = 0.92.
    assert!(sums.iter().all(|s| s.abs() < 3.0), "{sums:?}");
}

fn robot(reward: PointReward) -> Play<PointRobot> {
    let options = PointRobotOptions { reward, horizon: 3, ..PointRobotOptions::default() };
    let mut play = Play::new(PointRobot::new(options).expect("legal options"));
    let task = PointTask { goal: [0.6, 0.8], start: [0.6, 0.5] };
    close(&play.reset_to(|env, obs| env.reset_to(task, obs)), [0.6, 0.5]);
    play
}

#[test]
fn the_point_robot_is_paid_near_its_goal() {
    for (reward, expected) in [
        (PointReward::Sparse, [0.0, 0.85, 0.95]),
        (PointReward::Indicator, [0.0, 1.0, 1.0]),
        (PointReward::Dense, [-0.25, -0.15, -0.05]),
    ] {
        let mut play = robot(reward);
        for (i, (y, expected)) in [0.5, 1.0, 1.0].into_iter().zip(expected).enumerate() {
            let (_, got) = play.act(&towards(0.0, y));
            assert!((got.reward - expected).abs() < 1e-6, "{reward:?} {i}: {got:?}");
            assert_eq!((got.terminated, got.truncated), (false, i == 2));
            assert_eq!(play.env.success(), Some(i > 0));
        }
    }
}

#[test]
fn goals_lie_on_the_half_circle_and_starts_in_their_box() {
    let options =
        PointRobotOptions { random_start: true, reward: PointReward::Dense, ..PointRobotOptions::default() };
    let mut play = Play::new(PointRobot::new(options).expect("legal options"));
    let mut lowest = [f32::INFINITY; 2];
    let mut highest = [f32::NEG_INFINITY; 2];
    for seed in 0..300 {
        let at = play.reset(seed);
        for i in 0..2 {
            lowest[i] = lowest[i].min(at[i]);
            highest[i] = highest[i].max(at[i]);
        }
        let mut obs = amago_env::Observation::new(&play.env.spec().observation_space);
        play.env.retry(seed, 1, &mut obs).expect("another attempt");
        assert!(play.env.draw().is_some());
    }
    assert!(lowest[0] >= -1.5 && lowest[1] >= -0.5 && highest[0] <= 1.5 && highest[1] <= 1.5);
    assert!(lowest[0] < -1.4 && lowest[1] < -0.4 && highest[0] > 1.4 && highest[1] > 1.4);
}

/// Two distances from a goal on the unit circle's upper half tell where it is.
#[test]
fn the_goal_stays_between_attempts() {
    let options = PointRobotOptions { reward: PointReward::Dense, ..PointRobotOptions::default() };
    let mut play = Play::new(PointRobot::new(options).expect("legal options"));
    for seed in 0..50 {
        play.reset(seed);
        let stay = towards(0.0, 0.0);
        let at_origin = -play.act(&stay).1.reward;
        assert!((at_origin - 1.0).abs() < 1e-6, "the goal is at {at_origin} from the center");
        let beside = -play.act(&towards(1.0, 0.0)).1.reward;
        let mut obs = amago_env::Observation::new(&play.env.spec().observation_space);
        play.env.retry(seed, 7, &mut obs).expect("another attempt");
        assert_eq!(-play.act(&towards(1.0, 0.0)).1.reward, beside, "seed {seed}");
    }
}
