//! `xtask bench`: one file per thing measured, each printing one JSON object.

mod env;
mod example;
mod growth;
mod median;
mod replay;
mod startup;
mod train;

use anyhow::Result;
use clap::Subcommand;

/// What to measure.
#[derive(Subcommand)]
pub enum Bench {
    /// Steps per second of the built-in environments under random actions.
    Env(env::Args),
    /// Time and memory of an update against context, batch, discounts, critics and bins, and of a batch against
    /// the size of the replay.
    Growth(growth::Args),
    /// Full updates per second on random data.
    Learner(example::Args),
    /// Time of drawing a batch, of opening and memory against the number of stored trajectories.
    Replay(replay::Args),
    /// Steps per second of a policy with memory in environments.
    Rollout(example::Args),
    /// Seconds from the start of the program to its first update, and other waits.
    Startup(startup::Args),
    /// Updates and steps per second of whole training runs of the program.
    Train(train::Args),
}

impl Bench {
    /// Measures and prints the result.
    pub fn run(self) -> Result<()> {
        let report = match self {
            Bench::Env(args) => env::run(&args)?,
            Bench::Growth(args) => growth::run(&args)?,
            Bench::Startup(args) => startup::run(&args)?,
            Bench::Replay(args) => replay::run(&args)?,
            Bench::Learner(args) => example::run(&example::LEARNER, &args)?,
            Bench::Rollout(args) => example::run(&example::ROLLOUT, &args)?,
            Bench::Train(args) => train::run(&args)?,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
        Ok(())
    }
}
