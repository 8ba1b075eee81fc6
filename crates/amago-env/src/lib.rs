//! Environments: the [`Env`] trait, spaces, vectorised stepping, exploration and the built-in tasks.
//!
//! This crate knows nothing of neural networks and never links burn. To plug in your own task,
//! implement [`Env`] and check it with [`conformance::check`].
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod action;
pub mod builtin;
pub mod conformance;
mod env;
pub mod exploration;
pub mod film;
pub mod guard;
pub mod kshot;
mod observation;
pub mod registry;
pub mod render;
mod seed;
mod space;
mod spec;
mod suggest;
pub mod tasks;
pub mod vector;
pub mod watchdog;

pub use action::{Action, ActionError};
pub use env::{Env, EnvError, Step};
pub use observation::{Column, Observation};
pub use seed::{Rng, Role, rng, stream_seed};
pub use space::{BoxSpace, DictSpace, Dtype, Space, SpaceError};
pub use spec::TaskSpec;
pub use suggest::did_you_mean;
