//! The built-in environments, one file or folder each (POPGym: one file per family of tasks).
//!
//! They behave as the tasks of the original implementation; where one deliberately differs, its
//! struct says so. Make them by name with [`crate::registry::make`].
//!
//! What an episode hides is drawn in one place; `reset_to` starts an episode with a hidden part of
//! your own instead.

mod cells;
mod frozen_lake;
mod key_to_door;
mod mazerunner;
mod navigation;
mod popgym;
mod tmaze;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use frozen_lake::{FrozenLake, FrozenLakeOptions, LakeTask};
pub use key_to_door::{KeyToDoor, KeyToDoorOptions, KeyToDoorTask, Location};
pub use mazerunner::{MazeRunner, MazeRunnerOptions, MazeTask};
pub use navigation::{PointReward, PointRobot, PointRobotOptions, PointTask, Wind, WindOptions};
pub(crate) use popgym::TASKS as POPGYM_TASKS;
pub use popgym::{MultiDomain, MultiDomainOptions, PopGym, PopGymOptions};
pub use tmaze::{TMazeActive, TMazeActiveOptions, TMazePassive, TMazePassiveOptions};

use crate::{Env, EnvError};

/// What the registry needs to know of a built-in environment.
pub(crate) trait Builtin: Env + Sized + 'static {
    /// Options as written in a configuration file; the comments on its fields are what listings say of them.
    type Options: Default + Serialize + DeserializeOwned + JsonSchema;
    /// Name in configuration files and in metrics.
    const ID: &'static str;
    /// One line for listings.
    const SUMMARY: &'static str;

    /// Builds the environment, refusing unusable options.
    fn build(options: Self::Options) -> Result<Self, EnvError>;
}

/// An option error of environment `id` unless `ok`.
fn require(id: &str, ok: bool, message: impl FnOnce() -> String) -> Result<(), EnvError> {
    if ok { Ok(()) } else { Err(EnvError::Option { env: id.to_owned(), message: message() }) }
}
