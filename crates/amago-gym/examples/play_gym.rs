//! Plays random episodes of a Python environment, and says what it is: a check that it can be used.
//!
//! ```sh
//! cargo run --release -p amago-gym --example play_gym -- gym:CartPole-v1 'python = "venv/bin/python"'
//! ```
//!
//! After the id come its options, as lines of TOML.

use std::error::Error;
use std::time::Instant;

use amago_env::vector::VecEnv;
use amago_env::{Action, Role, rng};
use amago_gym::Gym;

const ENVS: usize = 8;
const STEPS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [id, options @ ..] = args.as_slice() else { return Err("usage: play_gym ID [OPTION...]".into()) };
    let gym = Gym::new(id, &options.join("\n").parse()?)?;
    println!("observations {}", gym.spec().observation_space);
    println!("actions      {}", gym.spec().action_space);
    let mut envs = VecEnv::new(gym.envs(ENVS)?, 0, Role::EvalEnv)?;
    let horizon = envs.horizon().map_or("unknown".to_owned(), |steps| format!("{steps} steps"));
    println!("horizon      {horizon}");
    envs.reset_all()?;
    let (space, start) = (envs.action_space().clone(), Instant::now());
    let mut draws = rng(0, Role::Policy, 0, 0);
    let mut episodes = Vec::new();
    for _ in 0..STEPS {
        let masks = envs.results().iter().map(|result| result.obs.action_mask());
        let actions: Vec<_> = masks.map(|mask| Action::random(&space, mask, &mut draws)).collect();
        episodes.extend(envs.step(&actions)?.iter().filter_map(|result| result.episode.clone()));
    }
    let (steps, seconds) = (STEPS * ENVS, start.elapsed().as_secs_f64());
    println!("{} episodes, {steps} steps, {:.0} steps/s", episodes.len(), steps as f64 / seconds);
    if !episodes.is_empty() {
        let mean = episodes.iter().map(|e| e.episode_return).sum::<f64>() / episodes.len() as f64;
        println!("mean return  {mean:.2}");
    }
    for (name, value) in episodes.last().map_or(&[][..], |episode| &episode.metrics) {
        println!("last {name}: {value}");
    }
    Ok(())
}
