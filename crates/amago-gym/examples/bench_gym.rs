//! Steps per second through workers against `gymnasium.vector.AsyncVectorEnv`, taken in turns, as JSON lines.
//!
//! ```sh
//! cargo run --release -p amago-gym --example bench_gym -- venv/bin/python CartPole-v1 ale_py:ALE/Pong-v5
//! ```
//!
//! Further arguments are ids; `MODULE:ID` imports a module first. Both sides step random actions, drawn before, in
//! environments that are made alike; ours is the whole of `VecEnv::step`, checks and resets included.

use std::env::args;
use std::error::Error;
use std::process::Command;
use std::time::Instant;

use amago_env::vector::VecEnv;
use amago_env::{Action, Role, rng};
use amago_gym::{Gym, GymConfig};
use serde_json::json;

const COPIES: [usize; 3] = [1, 8, 24];
const ROUNDS: usize = 5;
const SECONDS: f64 = 2.0;

/// Prints steps per second.
const ASYNC: &str = r#"
import importlib, sys, time
import gymnasium as gym
module, id, n, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
if module:
    importlib.import_module(module)
envs = gym.vector.AsyncVectorEnv([lambda: gym.make(id)] * n)
envs.action_space.seed(0)
actions = [envs.action_space.sample() for _ in range(256)]
envs.reset(seed=0)
for action in actions[:20]:
    envs.step(action)
start, steps = time.perf_counter(), 0
while time.perf_counter() - start < seconds:
    for action in actions[:16]:
        envs.step(action)
    steps += 16 * n
print(steps / (time.perf_counter() - start))
envs.close()
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = args().skip(1).collect();
    let [python, ids @ ..] = args.as_slice() else { return Err("usage: bench_gym PYTHON ID...".into()) };
    for id in ids {
        let (module, id) = id.split_once(':').unwrap_or(("", id));
        for n in COPIES {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(measure(python, module, id, n)?);
                theirs.push(measure_async(python, module, id, n)?);
            }
            let (ours, theirs) = (median(ours), median(theirs));
            let line = json!({
                "env": id, "copies": n, "rounds": ROUNDS,
                "amago_steps_per_s": ours.round(), "async_vector_env_steps_per_s": theirs.round(),
                "ratio": (100.0 * ours / theirs).round() / 100.0,
            });
            println!("{line}");
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(python: &str, module: &str, id: &str, n: usize) -> Result<f64, Box<dyn Error>> {
    let imports = if module.is_empty() { vec![] } else { vec![module.to_owned()] };
    let gym = Gym::with_config(id, GymConfig { python: python.to_owned(), imports, ..GymConfig::default() })?;
    let mut envs = VecEnv::new(gym.envs(n)?, 0, Role::TrainEnv)?;
    let mut draws = rng(0, Role::Policy, 0, 0);
    let space = envs.action_space().clone();
    let mut draw = || (0..n).map(|_| Action::random(&space, None, &mut draws)).collect();
    let actions: Vec<Vec<Action>> = (0..256).map(|_| draw()).collect();
    envs.reset_all()?;
    for action in &actions[..20] {
        envs.step(action)?;
    }
    let (start, mut steps) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < SECONDS {
        for action in &actions[..16] {
            envs.step(action)?;
        }
        steps += 16 * n;
    }
    Ok(steps as f64 / start.elapsed().as_secs_f64())
}

fn measure_async(python: &str, module: &str, id: &str, n: usize) -> Result<f64, Box<dyn Error>> {
    let (n, seconds) = (n.to_string(), SECONDS.to_string());
    let output = Command::new(python).args(["-c", ASYNC, module, id, &n, &seconds]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let last = text.lines().last().ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(last.trim().parse()?)
}
