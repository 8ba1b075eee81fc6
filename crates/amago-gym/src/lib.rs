//! Any Python environment with the Gymnasium interface as an [`amago_env::Env`]: played by worker processes, so that
//! nothing is linked and each task may name the interpreter it needs.
//!
//! ```no_run
//! use amago_env::{Role, vector::VecEnv};
//! use amago_gym::Gym;
//!
//! let options = "python = \"venv/bin/python\"\nkwargs.sutton_barto_reward = true".parse().unwrap();
//! let gym = Gym::new("gym:CartPole-v1", &options)?;
//! let mut envs = VecEnv::new(gym.envs(24)?, 0, Role::TrainEnv).unwrap();
//! envs.reset_all().unwrap();
//! # Ok::<(), amago_env::EnvError>(())
//! ```
//!
//! One worker process holds many copies of the environment and steps all of them in one round trip
//! ([`amago_env::Env::start_step`]). An exception of one copy is a fault of that copy; a process that ends, hangs or
//! says what makes no sense is killed, and each of its copies has a fault. Whoever resets a copy after its fault gets
//! another one, in a new process where that is needed.
//!
//! Workers are in process groups of their own, so that Ctrl-C does not reach them before the run is saved. They end
//! with the last environment that uses them, and, whatever happens to this process, with this process.
//!
//! Unix only.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod batch;
mod config;
mod env;
mod error;
mod group;
mod layout;
mod pool;
mod process;
mod reaper;
mod seat;
#[cfg(test)]
mod tests;
mod wire;

pub use config::GymConfig;
use error::GymError;
pub use pool::{Gym, PREFIX, options};

/// The seed that an environment gets for a seed of ours: its lowest 31 bits, because not every package takes more.
///
/// ```
/// assert_eq!(amago_gym::gym_seed(7), 7);
/// assert_eq!(amago_gym::gym_seed((1 << 40) + (1 << 31) + 7), 7);
/// ```
pub fn gym_seed(seed: u64) -> u32 {
    (seed & 0x7fff_ffff) as u32
}
