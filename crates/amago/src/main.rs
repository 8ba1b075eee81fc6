//! The `amago` command.

mod args;
mod commands;
mod dataset;
mod device;
mod film;
mod memory;
mod output;
mod progress;
mod render;
mod report;
mod settings;
mod stop;
mod summary;
mod train;
mod view_args;
mod views;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    memory::keep_freed_pages();
    let args = args::Cli::parse();
    if args.quiet {
        output::be_quiet();
    }
    match commands::run(args.command) {
        Ok(commands::Ending::Done) => ExitCode::SUCCESS,
        Ok(commands::Ending::Interrupted) => ExitCode::from(stop::exit_code()),
        Err(error) => {
            output::complain(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
