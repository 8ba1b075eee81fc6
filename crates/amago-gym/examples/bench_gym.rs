//! Steps per second through workers against `gymnasium.vector.AsyncVectorEnv`, taken in turns, as JSON lines.
//!
//! ```sh
//! cargo run --release -p amago-gym --example bench_gym -- venv/bin/python CartPole-v1 ale_py:ALE/Pong-v5
//! ```
//!
//! Further arguments are ids; `MODULE:ID` imports a module first. Both sides step random actions, drawn before, in
//! environments that are made alike; ours is the whole of `VecEnv::step`, checks and resets included. Beside the clock
//! stands the processor time of all processes, because on a busy machine whoever has more processes is given more. Linux
//! only.

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

/// Prints steps per second and microseconds of processor time per step.
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
def ticks():
    total = 0
    for pid in ["self"] + [p.pid for p in envs.processes]:
        fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total
before, start, steps = ticks(), time.perf_counter(), 0
while time.perf_counter() - start < seconds:
    for action in actions[:16]:
        envs.step(action)
    steps += 16 * n
print(steps / (time.perf_counter() - start), (ticks() - before) * 1e4 / steps)
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
            println!("{}", line(id, n, &ours, &theirs));
        }
    }
    Ok(())
}

/// Steps per second, and microseconds of processor time per step.
struct Speed {
    rate: f64,
    cpu: f64,
}

fn line(id: &str, n: usize, ours: &[Speed], theirs: &[Speed]) -> serde_json::Value {
    let rate = |speeds: &[Speed]| median(speeds.iter().map(|speed| speed.rate).collect());
    let cpu = |speeds: &[Speed]| median(speeds.iter().map(|speed| speed.cpu).collect());
    let round = |x: f64| (100.0 * x).round() / 100.0;
    json!({
        "env": id, "copies": n, "rounds": ROUNDS,
        "amago": {"steps_per_s": rate(ours).round(), "cpu_us_per_step": cpu(ours).round()},
        "async_vector_env": {"steps_per_s": rate(theirs).round(), "cpu_us_per_step": cpu(theirs).round()},
        "ratio": round(rate(ours) / rate(theirs)), "cpu_ratio": round(cpu(theirs) / cpu(ours)),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Processor time of this process and its children, in hundredths of a second.
fn ticks() -> f64 {
    let me = std::process::id().to_string();
    let used = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let is_mine = fields[1] == me || entry.file_name().to_str() == Some(&me);
        let number = |i: usize| fields[i].parse::<f64>().ok();
        if is_mine { Some(number(11)? + number(12)?) } else { None }
    };
    std::fs::read_dir("/proc").map_or(0.0, |all| all.flatten().filter_map(used).sum())
}

fn measure(python: &str, module: &str, id: &str, n: usize) -> Result<Speed, Box<dyn Error>> {
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
    let (before, start, mut steps) = (ticks(), Instant::now(), 0);
    while start.elapsed().as_secs_f64() < SECONDS {
        for action in &actions[..16] {
            envs.step(action)?;
        }
        steps += 16 * n;
    }
    let rate = steps as f64 / start.elapsed().as_secs_f64();
    Ok(Speed { rate, cpu: (ticks() - before) * 1e4 / steps as f64 })
}

fn measure_async(python: &str, module: &str, id: &str, n: usize) -> Result<Speed, Box<dyn Error>> {
    let (n, seconds) = (n.to_string(), SECONDS.to_string());
    let output = Command::new(python).args(["-c", ASYNC, module, id, &n, &seconds]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let last = text.lines().last().ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let (rate, cpu) = last.trim().split_once(' ').ok_or("no numbers")?;
    Ok(Speed { rate: rate.parse()?, cpu: cpu.parse()? })
}
