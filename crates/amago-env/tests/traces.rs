//! Against episodes recorded from the original environments (`xtask/record_traces.py`).

use std::fs;
use std::path::Path;

use amago_env::builtin::{
    FrozenLake, KeyToDoor, KeyToDoorTask, LakeTask, MazeRunner, MazeTask, PointRobot, PointTask, TMazeActive,
    TMazePassive, Wind,
};
use amago_env::{Action, Column, Env, EnvError, Observation, Role, Space, registry, rng, stream_seed};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Recorded numbers have seven digits after the point; ours are 32-bit.
const TOLERANCE: f64 = 1e-6;

/// Episodes of one environment with one choice of options.
#[derive(Deserialize)]
struct Set {
    env: String,
    options: Value,
    episodes: Vec<Episode>,
    random_play: RandomPlay,
}

#[derive(Deserialize)]
struct Episode {
    task: Value,
    actions: Vec<Value>,
    /// One row more than actions.
    obs: Vec<Vec<f64>>,
    rewards: Vec<f64>,
    /// Whether the last step was terminated and truncated; no other was.
    end: [bool; 2],
}

/// Uniform actions: mean and its standard error.
#[derive(Deserialize)]
struct RandomPlay {
    episodes: u64,
    #[serde(rename = "return")]
    episode_return: [f64; 2],
    length: [f64; 2],
}

fn sets(id: &str) -> Vec<Set> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/traces/{id}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(text.len() < 1_000_000, "{} is too large", path.display());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn parse<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}"))
}

fn compare(what: &str, got: &Observation, expected: &[f64]) {
    let values: Vec<f64> = got
        .columns()
        .iter()
        .flat_map(|column| match column {
            Column::F32(values) => values.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(),
            Column::U8(_) => panic!("none of these environments has images"),
        })
        .collect();
    let far = values.iter().zip(expected).any(|(a, b)| (a - b).abs() > TOLERANCE);
    assert!(values.len() == expected.len() && !far, "{what}: {values:?}, the original has {expected:?}");
}

/// Replays every recorded episode: `reset` rebuilds its hidden part.
fn replay<E: Env, O: DeserializeOwned>(
    id: &str,
    make: impl Fn(O) -> Result<E, EnvError>,
    reset: impl Fn(&mut E, &Value, &mut Observation) -> Result<(), EnvError>,
) {
    let (mut episodes, mut steps, mut rewarded) = (0, 0, 0);
    for set in sets(id) {
        assert_eq!(set.env, id);
        let mut env = make(parse(&set.options)).expect("legal options");
        let mut obs = Observation::new(&env.spec().observation_space);
        for (i, episode) in set.episodes.iter().enumerate() {
            let at = |t: usize| format!("{id} {} episode {i} step {t}", set.options);
            reset(&mut env, &episode.task, &mut obs).unwrap_or_else(|e| panic!("{}: {e}", at(0)));
            compare(&at(0), &obs, &episode.obs[0]);
            for (t, action) in episode.actions.iter().enumerate() {
                let action = match &env.spec().action_space {
                    Space::Box(_) => Action::Continuous(parse(action)),
                    _ => Action::Discrete(parse(action)),
                };
                let step = env.step(&action, &mut obs).unwrap_or_else(|e| panic!("{}: {e}", at(t + 1)));
                compare(&at(t + 1), &obs, &episode.obs[t + 1]);
                let expected = episode.rewards[t];
                assert!((f64::from(step.reward) - expected).abs() <= TOLERANCE, "{}: {step:?}", at(t + 1));
                let end = if t + 1 == episode.actions.len() { episode.end } else { [false; 2] };
                assert_eq!([step.terminated, step.truncated], end, "{}", at(t + 1));
                rewarded += usize::from(expected != 0.0);
                steps += 1;
            }
            episodes += 1;
        }
        assert!(set.episodes.len() >= 20, "{id}: {} episodes", set.episodes.len());
    }
    println!("{id}: {episodes} episodes, {steps} steps, {rewarded} with a reward");
    assert!(rewarded > 0, "{id}: nothing was earned in {episodes} episodes");
}

type Pair = [usize; 2];

fn moves(task: &Value) -> [(isize, isize); 5] {
    parse::<[[isize; 2]; 5]>(&task["moves"]).map(|[a, b]| (a, b))
}

#[test]
fn mazerunner_follows_the_original() {
    replay("mazerunner", MazeRunner::new, |env, task, obs| {
        let rows: Vec<String> = parse(&task["walls"]);
        let maze = MazeTask {
            side: rows.len(),
            walls: rows.iter().flat_map(|row| row.bytes().map(|c| c == b'#')).collect(),
            goals: parse::<Vec<Pair>>(&task["goals"]).into_iter().map(|[r, c]| (r, c)).collect(),
            moves: moves(task),
        };
        env.reset_to(maze, obs)
    });
}

#[test]
fn frozen_lake_follows_the_original() {
    replay("meta-frozen-lake", FrozenLake::new, |env, task, obs| {
        let rows: Vec<String> = parse(&task["rows"]);
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        env.reset_to(LakeTask::new(&rows, parse(&task["swapped"]))?, 0, obs)
    });
}

#[test]
fn key_to_door_follows_the_original() {
    replay("dark-key-to-door", KeyToDoor::new, |env, task, obs| {
        let place = |name: &str| parse::<Pair>(&task[name]).into();
        let (start, key, door) = (place("start"), place("key"), place("door"));
        env.reset_to(KeyToDoorTask { start, key, door, moves: moves(task) }, obs)
    });
}

#[test]
fn tmazes_follow_the_original() {
    replay("tmaze-passive", TMazePassive::new, |env, task, obs| env.reset_to(parse(&task["up"]), obs));
    replay("tmaze-active", TMazeActive::new, |env, task, obs| env.reset_to(parse(&task["up"]), obs));
}

#[test]
fn navigation_follows_the_original() {
    replay("wind", Wind::new, |env, task, obs| env.reset_to(parse(&task["wind"]), obs));
    replay("point-robot", PointRobot::new, |env, task, obs| {
        env.reset_to(PointTask { goal: parse(&task["goal"]), start: parse(&task["start"]) }, obs)
    });
}

/// Mean and standard error.
fn spread(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    [mean, (variance / n).sqrt()]
}

/// Returns and lengths of uniform actions.
fn play(set: &Set) -> [[f64; 2]; 2] {
    let options = parse::<toml::Table>(&set.options);
    let mut env = registry::make(&set.env, &options).expect("legal options");
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut choices = rng(0, Role::Policy, 0, 0);
    let (mut returns, mut lengths) = (Vec::new(), Vec::new());
    for episode in 0..set.random_play.episodes {
        env.reset(stream_seed(0, Role::EvalEnv, 0, episode), &mut obs).expect("resets");
        let (mut total, mut length) = (0.0, 0.0);
        loop {
            let action = Action::random(&env.spec().action_space, None, &mut choices);
            let step = env.step(&action, &mut obs).expect("a legal action");
            total += f64::from(step.reward);
            length += 1.0;
            if step.done() {
                break;
            }
        }
        returns.push(total);
        lengths.push(length);
    }
    [spread(&returns), spread(&lengths)]
}

#[test]
fn random_play_earns_and_lasts_as_in_the_original() {
    let ids = ["mazerunner", "meta-frozen-lake", "dark-key-to-door", "tmaze-passive", "tmaze-active"];
    let mut far = Vec::new();
    for set in ids.into_iter().chain(["wind", "point-robot"]).flat_map(sets) {
        let [episode_return, length] = play(&set);
        let original = [set.random_play.episode_return, set.random_play.length];
        for (what, ours, theirs) in [("return", episode_return, original[0]), ("length", length, original[1])]
        {
            let error = (ours[1].powi(2) + theirs[1].powi(2)).sqrt();
            let line = format!(
                "{} {}: {what} {:.4} ± {:.4}, the original {:.4} ± {:.4}",
                set.env, set.options, ours[0], ours[1], theirs[0], theirs[1]
            );
            println!("{line}, {:.1} standard errors", (ours[0] - theirs[0]).abs() / error.max(1e-12));
            if (ours[0] - theirs[0]).abs() > 3.0 * error + 1e-9 {
                far.push(line);
            }
        }
    }
    assert!(far.is_empty(), "more than three standard errors apart:\n{}", far.join("\n"));
}
