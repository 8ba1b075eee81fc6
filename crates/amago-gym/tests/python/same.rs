//! The same seeds and actions give the transitions of plain Gymnasium.

use std::process::Command;

use amago_env::conformance::{CheckOptions, check};
use amago_env::vector::VecEnv;
use amago_env::{Action, Column, Env, Observation, Role, Space, Step, rng, stream_seed};
use amago_gym::{Gym, GymConfig, gym_seed};

use super::{config, of_file, play, python};

/// Plays the actions of a file with Gymnasium alone and writes what comes: for each call reward, ends and numbers.
const PLAIN: &str = r#"
import importlib, json, sys
import gymnasium as gym
import numpy as np
module, id, seed, words = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].split()
if module:
    importlib.import_module(module)
env = gym.make(id)
def flat(space, x):
    kind = type(space).__name__
    if kind == "Dict":
        return [n for k in sorted(space.spaces) for n in flat(space.spaces[k], x[k])]
    if kind == "Tuple":
        return [n for s, y in zip(space.spaces, x) for n in flat(s, y)]
    if kind == "Discrete":
        return [float(i == x - space.start) for i in range(space.n)]
    if kind == "MultiDiscrete":
        return [float(i == y) for n, y in zip(space.nvec, x) for i in range(n)]
    if kind == "MissionSpace":
        ids = [words.index(w) + 1 for w in x.split()] + [0] * 8
        return [float(i == y) for y in ids[:8] for i in range(len(words) + 1)]
    return [float(n) for n in np.asarray(x, np.float32).ravel()]
obs, _ = env.reset(seed=seed)
print(json.dumps([0.0, False, False, flat(env.observation_space, obs)]))
for line in sys.stdin:
    action = json.loads(line)
    space = env.action_space
    if type(space).__name__ == "Box":
        action = np.array(action, np.float32).reshape(space.shape).astype(space.dtype)
    else:
        action = action[0]
    obs, reward, terminated, truncated, _ = env.step(action)
    print(json.dumps([float(reward), bool(terminated), bool(truncated), flat(env.observation_space, obs)]))
"#;

const WORDS: [&str; 10] = ["get", "to", "the", "green", "goal", "square", "pick", "up", "a", "go"];

fn numbers(obs: &Observation) -> Vec<f32> {
    let column = |column: &Column| match column {
        Column::F32(values) => values.clone(),
        Column::U8(bytes) => bytes.iter().map(|x| f32::from(*x)).collect(),
    };
    obs.columns().iter().flat_map(column).collect()
}

fn as_json(action: &Action, space: &Space) -> String {
    match action {
        Action::Discrete(choice) => format!("[{choice}]"),
        _ => format!("{:?}", action.numbers(space).expect("a legal action")),
    }
}

/// Compares episodes of some seeds, bit by bit.
fn compare(module: &str, id: &str, steps: usize) {
    let imports = if module.is_empty() { vec![] } else { vec![module.to_owned()] };
    let text_vocabulary = WORDS.map(str::to_owned).to_vec();
    let gym = Gym::with_config(id, GymConfig { imports, text_vocabulary, text_length: 8, ..config() });
    let gym = gym.unwrap_or_else(|e| panic!("{id}: {e}"));
    let mut env = gym.env().expect("an environment");
    for seed in [3, 1 << 40 | 5, u64::MAX] {
        let space = env.spec().action_space.clone();
        let (seen, actions) = episode(&mut *env, seed, steps);
        let lines: Vec<String> = actions.iter().map(|action| as_json(action, &space)).collect();
        let plain = plain(module, id, gym_seed(seed), &lines.join("\n"));
        assert_eq!(plain.len(), seen.len(), "{id}");
        for (i, ((reward, terminated, truncated, values), (step, obs))) in plain.iter().zip(&seen).enumerate()
        {
            assert_eq!((step.terminated, step.truncated), (*terminated, *truncated), "{id}, step {i}");
            assert_eq!(step.reward.to_bits(), (*reward as f32).to_bits(), "{id}, step {i}");
            assert_eq!(&numbers(obs), values, "{id}, step {i}");
        }
    }
}

fn episode(env: &mut dyn Env, seed: u64, most: usize) -> (Vec<(Step, Observation)>, Vec<Action>) {
    let mut draws = rng(seed, Role::Policy, 0, 0);
    let seen = play(env, seed, most);
    let space = &env.spec().action_space;
    // As `play` drew them.
    let actions = (1..seen.len()).map(|_| Action::random(space, None, &mut draws)).collect();
    (seen, actions)
}

type Plain = (f64, bool, bool, Vec<f32>);

fn plain(module: &str, id: &str, seed: u32, actions: &str) -> Vec<Plain> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("actions");
    std::fs::write(&file, actions).expect("a file");
    let mut command = Command::new(python());
    command.args(["-c", PLAIN, module, id, &seed.to_string(), &WORDS.join(" ")]);
    let output = command.stdin(std::fs::File::open(file).expect("the file")).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .filter(|line| line.starts_with('['))
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn transitions_are_those_of_gymnasium() {
    for id in ["CartPole-v1", "MountainCarContinuous-v0", "Pendulum-v1", "Acrobot-v1"] {
        compare("", id, 300);
    }
    // The newest version of each, whatever its number.
    for id in ["FrozenLake", "Taxi", "Blackjack", "CliffWalking"] {
        compare("", id, 60);
    }
}

#[test]
#[ignore = "needs Python with gymnasium, minigrid, ale-py and mujoco: AMAGO_TEST_PYTHON"]
fn transitions_are_those_of_other_packages() {
    compare("minigrid", "MiniGrid-Empty-8x8-v0", 60);
    compare("ale_py", "ALE/Pong-v5", 20);
    compare("", "HalfCheetah-v5", 100);
}

/// In a vector, in one batch, with resets by the worker, everything is as one by one.
#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn a_vector_gives_what_single_environments_give() {
    let gym = Gym::with_config("CartPole-v1", GymConfig { copies_per_worker: 3, ..config() }).expect("made");
    let mut vector = VecEnv::new(gym.envs(5).expect("made"), 7, Role::TrainEnv).expect("alike");
    vector.reset_all().expect("no faults");
    let mut alone = gym.env().expect("made");
    let space = alone.spec().action_space.clone();
    let mut episodes = 0;
    let mut histories = vec![Vec::new(); 5];
    let mut firsts: Vec<_> = vector.results().iter().map(|r| r.obs.clone()).collect();
    for t in 0..150 {
        let actions: Vec<_> =
            (0..5).map(|i| Action::random(&space, None, &mut rng(9, Role::Policy, i, t))).collect();
        vector.step(&actions).expect("no faults");
        for (i, result) in vector.results().iter().enumerate() {
            histories[i].push((actions[i].clone(), result.clone()));
            let Some(stats) = &result.episode else { continue };
            let seed = stream_seed(7, Role::TrainEnv, i as u64, stats.episode);
            let mut obs = Observation::new(&alone.spec().observation_space);
            alone.reset(seed, &mut obs).expect("a reset");
            assert_eq!(obs, firsts[i]);
            for (action, seen) in std::mem::take(&mut histories[i]) {
                assert_eq!(alone.step(&action, &mut obs).expect("a step"), seen.step);
                assert_eq!(&obs, seen.final_obs().unwrap_or(&seen.obs));
            }
            firsts[i] = result.obs.clone();
            episodes += 1;
        }
    }
    assert!(episodes > 20, "{episodes}");
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn environments_keep_the_contract() {
    for id in ["CartPole-v1", "Pendulum-v1", "Taxi"] {
        for k_shot in [1, 2] {
            let options = format!("python = {:?}\nk_shot = {k_shot}", python()).parse().expect("options");
            let gym = Gym::new(&format!("gym:{id}"), &options).expect("made");
            let report = check(&|| gym.env(), &CheckOptions { episodes: 4, ..CheckOptions::default() });
            let report = report.unwrap_or_else(|e| panic!("{id}: {e}"));
            assert!(report.varies_with_seed, "{id}");
        }
    }
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn old_environments_are_spoken_to_as_they_expect() {
    let gym = of_file("Old", config());
    let mut env = gym.env().expect("made");
    let seen = play(&mut *env, 12_345, 10);
    assert_eq!(numbers(&seen[0].1), [345.0]);
    let last = seen.last().expect("steps").0;
    assert_eq!((seen.len(), last.terminated, last.truncated, last.reward), (4, false, true, 1.0));
    let gym = of_file("Old", GymConfig { kwargs: "limit = 5".parse().expect("a table"), ..config() });
    let last = play(&mut *gym.env().expect("made"), 0, 10).last().expect("steps").0;
    assert_eq!((last.terminated, last.truncated), (true, false));
}
