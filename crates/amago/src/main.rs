//! The `amago` command.

mod args;
mod commands;
mod device;
mod memory;
mod output;
mod progress;
mod render;
mod summary;

use std::process::ExitCode;

use clap::Parser;

/// Exit code after Ctrl-C: 128 + SIGINT, as shells expect.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    memory::keep_freed_pages();
    match commands::run(args::Cli::parse().command) {
        Ok(commands::Ending::Done) => ExitCode::SUCCESS,
        Ok(commands::Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            output::tell(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
