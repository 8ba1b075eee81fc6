//! Stepping speed of the built-in environments.

use std::time::Instant;

use amago_env::{Action, Env, Observation, Role, registry, rng, stream_seed};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::median::Spread;

/// Distinct actions drawn beforehand, so that drawing them is not measured.
const ACTIONS: usize = 4096;

/// Options of `bench env`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Environments to measure; all built-in ones when none is named.
    envs: Vec<String>,
    /// Steps of one repetition, resets not counted but timed.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Measurements per environment, after one that warms up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Seed of actions and episodes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    env: String,
    steps_per_second: Spread,
}

/// Measures the environments with their default options, one thread, one at a time.
pub fn run(args: &Args) -> Result<Value> {
    let all = || registry::specs().iter().map(|spec| spec.id.to_owned()).collect();
    let ids: Vec<String> = if args.envs.is_empty() { all() } else { args.envs.clone() };
    let rows = ids.iter().map(|id| measure(id, args)).collect::<Result<Vec<Row>>>()?;
    Ok(json!({
        "bench": "env",
        "seed": args.seed,
        "steps": args.steps,
        "repetitions": args.repetitions,
        "results": rows,
    }))
}

fn measure(id: &str, args: &Args) -> Result<Row> {
    let mut env = registry::make(id, &toml::Table::new())?;
    let mut choices = rng(args.seed, Role::Policy, 0, 0);
    let actions: Vec<Action> =
        (0..ACTIONS).map(|_| Action::random(env.action_space(), None, &mut choices)).collect();
    let mut rates = Vec::new();
    for repetition in 0..=args.repetitions {
        let started = Instant::now();
        play(env.as_mut(), &actions, args).with_context(|| format!("environment \"{id}\""))?;
        if repetition > 0 {
            rates.push(f64::from(args.steps) / started.elapsed().as_secs_f64());
        }
    }
    let Some(steps_per_second) = Spread::of(rates) else { bail!("no repetition was measured") };
    Ok(Row { env: id.to_owned(), steps_per_second })
}

/// Takes `args.steps` steps, starting a new episode whenever one ends.
fn play(env: &mut dyn Env, actions: &[Action], args: &Args) -> Result<()> {
    let mut obs = Observation::new(env.observation_space());
    let mut episode = 0;
    let mut over = true;
    for action in actions.iter().cycle().take(args.steps as usize) {
        if over {
            env.reset(stream_seed(args.seed, Role::EvalEnv, 0, episode), &mut obs)?;
            episode += 1;
        }
        over = env.step(action, &mut obs)?.done();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(envs: &[&str]) -> Args {
        let envs = envs.iter().map(|id| (*id).to_owned()).collect();
        Args { envs, steps: 300, repetitions: 2, seed: 1 }
    }

    #[test]
    fn every_built_in_environment_is_measured() -> Result<()> {
        let report = run(&args(&[]))?;
        let results = report["results"].as_array().context("results is a list")?;
        assert_eq!(results.len(), registry::specs().len());
        for row in results {
            assert!(row["steps_per_second"]["median"].as_f64().is_some_and(|x| x > 0.0), "{row}");
        }
        Ok(())
    }

    #[test]
    fn an_unknown_environment_is_an_error() {
        assert!(run(&args(&["no-such-task"])).is_err());
    }
}
