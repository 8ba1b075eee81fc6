//! The command as a user meets it: exit codes, messages, files.

mod config_errors;
mod damage;
mod import;
#[cfg(unix)]
mod interrupt;
mod pipes;
mod policies;
mod runs;
mod support;
mod usage;
