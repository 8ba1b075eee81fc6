//! `amago import`: weights of the original become a run folder.

use std::path::PathBuf;

use amago_trainer::{ConfigSource, Plan, import, load_config};
use anyhow::{Context, Result};
use clap::Args;

use crate::device;
use crate::output::{print, tell};

/// `amago import`.
#[derive(Debug, Args)]
#[command(
    after_help = "The config says what the weights cannot: activations, norms without weights, discounts, \
    attention window, dropout and the environment. What the weights do show must fit the config exactly; every \
    tensor that is missing, left over or of another shape is named, and then nothing is written."
)]
pub struct ImportArgs {
    /// What `torch.save(policy.state_dict())` wrote, or the same as .safetensors.
    pub weights: PathBuf,
    /// TOML file of the environment and the agent that the weights belong to.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Override one setting, for example `--set agent.gamma=0.99`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Folder of the run that is made; must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub run_dir: PathBuf,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, as compiled in.
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
}

/// Runs the subcommand.
pub fn run(args: &ImportArgs) -> Result<()> {
    let device = device::by_name(&args.device)?;
    let name = args.config.display().to_string();
    let text = std::fs::read_to_string(&args.config).with_context(|| name.clone())?;
    let config = load_config(&ConfigSource { name: &name, text: &text, overrides: &args.overrides })?;
    let plan = Plan::new(config)?;
    let imported = import(&args.weights, &plan, &args.run_dir, &device)?;
    for name in &imported.unused {
        tell(format_args!("left aside, the config implies it: {name}"));
    }
    let folder = args.run_dir.display();
    print(format_args!("imported {} tensors into {folder}\nplay it: amago eval {folder}\n", imported.tensors))
}
