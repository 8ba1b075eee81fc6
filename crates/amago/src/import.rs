//! `amago import`: weights of the original become a run folder.

use amago_trainer::import;
use anyhow::Result;

use crate::args::ImportArgs;
use crate::commands::load_plan;
use crate::device;
use crate::output::{print, tell};

/// Runs the subcommand.
pub fn run(args: &ImportArgs) -> Result<()> {
    let device = device::by_name(&args.device)?;
    let (_, plan) = load_plan(Some(&args.config), &args.overrides)?;
    let imported = import(&args.weights, &plan, &args.run_dir, &device)?;
    for name in &imported.unused {
        tell(format_args!("left aside, the config implies it: {name}"));
    }
    let folder = args.run_dir.display();
    print(format_args!("imported {} tensors into {folder}\nplay it: amago eval {folder}\n", imported.tensors))
}
