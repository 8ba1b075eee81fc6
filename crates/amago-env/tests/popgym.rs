//! POPGym: names, spaces, time and the episodes of the multi-domain environment. What happens
//! within an episode is compared with recordings inside the crate.

#[path = "support/play.rs"]
mod play;

use std::collections::BTreeSet;
use std::path::Path;

use amago_env::builtin::{MultiDomain, MultiDomainOptions, PopGym, PopGymOptions};
use amago_env::film::Filmed;
use amago_env::kshot::KShot;
use amago_env::watchdog::Watchdog;
use amago_env::{Action, Env, Observation, Role, Space, registry, rng, stream_seed};
use play::Play;
use serde::Deserialize;

const SIZES: [&str; 3] = ["Easy", "Medium", "Hard"];

/// Observation entries without the timer, choices of action and longest episodes, by size. The
/// pendulum's action is one number.
const FAMILIES: [(&str, [[usize; 3]; 3]); 14] = [
    ("Autoencode", [[6; 3], [4; 3], [103, 207, 311]]),
    ("RepeatPrevious", [[4; 3], [4; 3], [51, 103, 155]]),
    ("RepeatFirst", [[4; 3], [4; 3], [51, 415, 831]]),
    ("CountRecall", [[4, 8, 26], [27, 27, 17], [51, 103, 207]]),
    ("PositionOnlyCartPole", [[2; 3], [2; 3], [200, 400, 600]]),
    ("VelocityOnlyCartpole", [[2; 3], [2; 3], [200, 400, 600]]),
    ("NoisyPositionOnlyCartPole", [[2; 3], [2; 3], [200; 3]]),
    ("PositionOnlyPendulum", [[2; 3], [1; 3], [200, 150, 100]]),
    ("NoisyPositionOnlyPendulum", [[2; 3], [1; 3], [200; 3]]),
    ("MultiarmedBandit", [[2; 3], [10, 20, 30], [200, 400, 600]]),
    ("HigherLower", [[13; 3], [2; 3], [51, 103, 155]]),
    ("Battleship", [[2; 3], [64, 100, 144], [64, 100, 144]]),
    ("Concentration", [[156, 312, 728], [52, 104, 52], [104, 208, 104]]),
    ("MineSweeper", [[3, 7, 10], [16, 36, 64], [14, 30, 54]]),
];

fn popgym(id: &str) -> PopGym {
    PopGym::new(id, PopGymOptions::default()).unwrap_or_else(|e| panic!("{id}: {e}"))
}

#[test]
fn all_tasks_are_there_with_the_spaces_of_the_package() {
    let mut expected = BTreeSet::new();
    for (family, [widths, actions, horizons]) in FAMILIES {
        for (i, size) in SIZES.iter().enumerate() {
            let id = format!("popgym-{family}{size}-v0");
            let env = popgym(&id);
            assert_eq!(env.task(), id);
            assert_eq!(env.spec().observation_space.width(), widths[i] + 1, "{id}");
            assert_eq!(env.spec().action_space.width(), actions[i], "{id}");
            let continuous = matches!(&env.spec().action_space, Space::Box(_));
            assert_eq!(continuous, family.contains("Pendulum"), "{id}");
            assert_eq!(env.spec().horizon, Some(horizons[i]), "{id}");
            expected.insert(id);
        }
    }
    let ids = registry::specs().iter().map(|spec| spec.id.to_owned());
    assert_eq!(ids.filter(|id| id.starts_with("popgym-")).collect::<BTreeSet<_>>(), expected);
    assert!(PopGym::new("popgym-HigherLower-v0", PopGymOptions::default()).is_err());
}

#[test]
fn the_timer_comes_last() {
    let mut play = Play::new(popgym("popgym-RepeatFirstHard-v0"));
    assert_eq!(play.reset(1).last(), Some(&0.0));
    for time in 1..=831_u16 {
        let (seen, step) = play.step(0);
        assert_eq!(seen.last(), Some(&(f32::from(time) / 1000.0)));
        assert_eq!(step.done(), time == 831);
    }
    assert_eq!(play.reset(2).last(), Some(&0.0));
}

#[test]
fn the_time_limit_terminates_unless_told_otherwise() {
    for (truncated_is_done, terminated) in [(true, true), (false, false)] {
        let env = PopGym::new("popgym-MultiarmedBanditEasy-v0", PopGymOptions { truncated_is_done });
        let mut play = Play::new(env.expect("a task"));
        play.reset(3);
        for _ in 1..200 {
            assert!(!play.step(0).1.done());
        }
        let (_, step) = play.step(0);
        assert_eq!((step.terminated, step.truncated), (terminated, true));
    }
    // What ends by itself is not truncated.
    let mut play = Play::new(popgym("popgym-RepeatPreviousEasy-v0"));
    play.reset(3);
    let last = (0..51).map(|_| play.step(0).1).last().expect("51 steps");
    assert_eq!((last.terminated, last.truncated), (true, false));
}

#[test]
fn a_retry_keeps_the_hidden_state_and_draws_new_luck() {
    let mut env = popgym("popgym-MultiarmedBanditHard-v0");
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut returns = |attempt: u64| {
        env.retry(7, attempt, &mut obs).expect("a reset");
        let rewards: Vec<f32> =
            (0..600).map(|_| env.step(&Action::Discrete(4), &mut obs).expect("a step").reward).collect();
        let total: f32 = rewards.iter().sum();
        (rewards, total)
    };
    let ((first, a), (again, _), (second, b)) = (returns(1), returns(1), returns(2));
    assert_eq!(first, again);
    assert_ne!(first, second);
    // Standard error of a difference of means of 600 rewards: at most 0.06.
    assert!((a - b).abs() < 0.2, "{a} and {b} from one arm");
}

#[derive(Deserialize)]
struct Recorded {
    tasks: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    task: String,
    returns: Summary,
    lengths: Summary,
}

/// A mean and its standard error.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Summary {
    mean: f64,
    error: f64,
}

impl Summary {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { mean, error: (variance / n).sqrt() }
    }

    /// Distance in standard errors of the difference; lengths that never vary must be equal.
    fn distance(self, other: Self) -> f64 {
        let error = self.error.hypot(other.error).max(1e-6);
        (self.mean - other.mean) / error
    }
}

fn random_play(id: &str, stream: u64, episodes: u64) -> (Summary, Summary) {
    let mut env = popgym(id);
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut choices = rng(0, Role::Policy, stream, 0);
    let (mut returns, mut lengths) = (Vec::new(), Vec::new());
    for episode in 0..episodes {
        env.reset(stream_seed(0, Role::EvalEnv, stream, episode), &mut obs).expect("a reset");
        let (mut total, mut length, mut over) = (0.0, 0.0, false);
        while !over {
            let action = Action::random(&env.spec().action_space, None, &mut choices);
            let step = env.step(&action, &mut obs).expect("a step");
            total += f64::from(step.reward);
            length += 1.0;
            over = step.done();
        }
        returns.push(total);
        lengths.push(length);
    }
    (Summary::of(&returns), Summary::of(&lengths))
}

#[test]
fn random_play_scores_as_in_the_package() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/popgym/random_play.json");
    let text = std::fs::read_to_string(path).expect("recorded by xtask/popgym/play.py");
    let recorded: Recorded = serde_json::from_str(&text).expect("as play.py writes it");
    assert_eq!(recorded.tasks.len(), 42);
    for (row, stream) in recorded.tasks.iter().zip(0..) {
        let (returns, lengths) = random_play(&row.task, stream, 1000);
        let apart = (returns.distance(row.returns), lengths.distance(row.lengths));
        println!(
            "{}: return {:.4} (package {:.4}), length {:.2} ({:.2}); {:.1} and {:.1} standard errors",
            row.task, returns.mean, row.returns.mean, lengths.mean, row.lengths.mean, apart.0, apart.1
        );
        assert!(apart.0.abs() <= 3.0 && apart.1.abs() <= 3.0, "{}: {apart:?}", row.task);
    }
}

/// Plays one episode of the multi-domain environment and checks what can be told from outside.
/// Gives the name of its task.
fn check_multi_domain(play: &mut Play<MultiDomain>, seed: u64, warmup: usize) -> String {
    let seen = play.reset(seed);
    assert_eq!(seen[26..], [0.0, 0.0, 1.0, 0.0], "timer, episode, valid action, reward");
    let name = play.env.task().to_owned();
    let task = name.strip_prefix("MultiDomainPOPGym-").expect("the prefix of the original");
    let single = popgym(&format!("popgym-{task}-v0"));
    let (width, actions) = (single.spec().observation_space.width() - 1, single.spec().action_space.width());
    let horizon = single.spec().horizon.expect("known");
    let mut choices = rng(seed, Role::Policy, 0, 0);
    let (mut time, mut episode, mut begun) = (0, 0, 0);
    loop {
        let Action::Discrete(action) = Action::random(&play.env.spec().action_space, None, &mut choices)
        else {
            panic!("another kind of action")
        };
        let (seen, step) = play.step(action);
        time += 1;
        assert!(seen[width..26].iter().all(|x| *x == 0.0), "{task}: padding");
        assert_eq!(seen[26], (f64::from(time) / 1000.0) as f32);
        assert_eq!(seen[28], f32::from(action < actions), "{task}: action {action}");
        let now = (seen[27] * warmup as f32).round() as usize;
        let paid = if now < warmup { 0.0 } else { seen[29] };
        assert_eq!(step.reward, paid, "{task}: only the last episode pays");
        if now != episode {
            assert_eq!((now, seen[29]), (episode + 1, 0.0), "{task}: a reset gives nothing");
            assert!(time - begun <= horizon as i32 + 1);
            (episode, begun) = (now, time);
        }
        assert_eq!((step.terminated, step.truncated), (episode > warmup, false));
        if step.terminated {
            assert_eq!(play.env.task(), name);
            return task.to_owned();
        }
    }
}

#[test]
fn multi_domain_episodes_are_built_of_single_ones() {
    for warmup in [1, 3] {
        let env = MultiDomain::new(MultiDomainOptions { warmup_episodes: warmup }).expect("legal options");
        assert_eq!(env.spec().observation_space.width(), 30);
        assert_eq!(&env.spec().action_space, &Space::Discrete { n: 26 });
        let mut play = Play::new(env);
        let tasks: BTreeSet<String> =
            (0..300).map(|seed| check_multi_domain(&mut play, seed, warmup)).collect();
        assert_eq!(tasks.len(), 27);
    }
}

#[test]
fn wrappers_tell_which_task_is_played() {
    let limit = std::time::Duration::from_secs(60);
    let plain = || registry::make("multi-domain-popgym", &toml::Table::new()).expect("legal options");
    let wrapped: [Box<dyn Env>; 3] = [
        Box::new(KShot::new(plain(), 2).expect("a free key")),
        Box::new(Filmed::new(plain(), |_, _| Ok(()))),
        Box::new(Watchdog::new(plain(), limit)),
    ];
    for mut env in wrapped {
        let mut alone = Play::new(MultiDomain::new(MultiDomainOptions::default()).expect("legal options"));
        let mut obs = Observation::new(&env.spec().observation_space);
        let mut tasks = BTreeSet::new();
        for seed in 0..10 {
            alone.reset(seed);
            env.reset(seed, &mut obs).expect("resets");
            assert_eq!((env.task(), env.spec().name.as_str()), (alone.env.task(), "multi-domain-popgym"));
            tasks.insert(env.task().to_owned());
        }
        assert!(tasks.len() > 3, "{tasks:?}");
    }
}
