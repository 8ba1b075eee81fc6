//! The command as a user meets it: exit codes, messages, files.

mod config_errors;
mod damage;
#[cfg(unix)]
mod interrupt;
mod pipes;
mod policies;
mod runs;
mod support;
mod usage;
