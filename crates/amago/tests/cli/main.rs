//! The command as a user meets it: exit codes, messages, files.

mod config_errors;
mod damage;
mod dataset;
mod export;
mod hostile;
mod import;
mod inspect;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod kill;
mod pipes;
mod policies;
#[cfg(unix)]
mod python;
mod render;
mod runs;
mod seen;
mod settings;
mod support;
mod tasks;
mod usage;
