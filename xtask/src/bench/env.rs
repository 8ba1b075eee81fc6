//! Stepping speed of the built-in environments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
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
    /// Measure with this many threads too, one environment each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// A Python with the package `popgym`, whose tasks are then measured in turn with ours.
    #[arg(long, value_name = "PYTHON")]
    original: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Row {
    env: String,
    /// On one thread.
    steps_per_second: Spread,
    /// On `threads` threads together.
    #[serde(skip_serializing_if = "Option::is_none")]
    all_threads_steps_per_second: Option<Spread>,
    /// Of the Python package, in one process.
    #[serde(skip_serializing_if = "Option::is_none")]
    original_steps_per_second: Option<Spread>,
}

/// Measures the environments with their default options, one at a time.
pub fn run(args: &Args) -> Result<Value> {
    let all = || registry::specs().iter().map(|spec| spec.id.to_owned()).collect();
    let ids: Vec<String> = if args.envs.is_empty() { all() } else { args.envs.clone() };
    let rows = ids.iter().map(|id| row(id, args)).collect::<Result<Vec<Row>>>()?;
    Ok(json!({
        "bench": "env",
        "seed": args.seed,
        "steps": args.steps,
        "repetitions": args.repetitions,
        "threads": args.threads,
        "results": rows,
    }))
}

fn row(id: &str, args: &Args) -> Result<Row> {
    let several = args.threads > 1;
    let original = args.original.as_ref().filter(|_| id.starts_with("popgym-"));
    Ok(Row {
        env: id.to_owned(),
        steps_per_second: measure(id, args, 1)?,
        all_threads_steps_per_second: several.then(|| measure(id, args, args.threads)).transpose()?,
        original_steps_per_second: original.map(|python| measure_original(id, args, python)).transpose()?,
    })
}

/// Steps per second of all threads together, each with its own environment.
fn measure(id: &str, args: &Args, threads: u32) -> Result<Spread> {
    let make = |_| registry::make(id, &toml::Table::new());
    let mut envs = (0..threads).map(make).collect::<Result<Vec<_>, _>>()?;
    let mut choices = rng(args.seed, Role::Policy, 0, 0);
    let actions: Vec<Action> =
        (0..ACTIONS).map(|_| Action::random(&envs[0].spec().action_space, None, &mut choices)).collect();
    let mut rates = Vec::new();
    for repetition in 0..=args.repetitions {
        let started = Instant::now();
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                envs.iter_mut().map(|env| scope.spawn(|| play(env.as_mut(), &actions, args))).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
        .with_context(|| format!("environment \"{id}\""))?;
        if repetition > 0 {
            rates.push(f64::from(threads) * f64::from(args.steps) / started.elapsed().as_secs_f64());
        }
    }
    Spread::of(rates).context("no repetition was measured")
}

/// The same of the Python package.
fn measure_original(id: &str, args: &Args, python: &Path) -> Result<Spread> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/popgym/speed.py");
    let mut command = Command::new(python);
    command.args([script, id, "--seed", &args.seed.to_string()]);
    command.args(["--repetitions", &args.repetitions.to_string()]);
    let output = command.output().with_context(|| format!("cannot start {}", python.display()))?;
    if !output.status.success() {
        bail!("{script} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let rates: BTreeMap<String, Vec<f64>> = serde_json::from_slice(&output.stdout)?;
    Spread::of(rates.into_values().flatten().collect()).context("no rate was printed")
}

/// Takes `args.steps` steps, starting a new episode whenever one ends.
fn play(env: &mut dyn Env, actions: &[Action], args: &Args) -> Result<()> {
    let mut obs = Observation::new(&env.spec().observation_space);
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
        Args { envs, steps: 300, repetitions: 2, seed: 1, threads: 2, original: None }
    }

    #[test]
    fn every_built_in_environment_is_measured() -> Result<()> {
        let report = run(&args(&[]))?;
        let results = report["results"].as_array().context("results is a list")?;
        assert_eq!(results.len(), registry::specs().len());
        for row in results {
            for rate in ["steps_per_second", "all_threads_steps_per_second"] {
                assert!(row[rate]["median"].as_f64().is_some_and(|x| x > 0.0), "{row}");
            }
        }
        Ok(())
    }

    #[test]
    fn an_unknown_environment_is_an_error() {
        assert!(run(&args(&["no-such-task"])).is_err());
    }
}
