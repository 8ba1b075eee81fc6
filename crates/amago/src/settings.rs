//! `amago config`: what settings there are, what they mean, and whether a file can be used.

use std::fmt::Write;
use std::path::PathBuf;

use amago_agent::AgentConfig;
use amago_env::did_you_mean;
use amago_trainer::{RunConfig, Setting, config_schema, settings};
use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::commands::load_plan;
use crate::output::{print, tell};

/// `amago config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  amago config defaults > mine.toml                 everything that can be set, as it is by default
  amago config explain agent.traj_encoder           what settings of a table mean
  amago config check mine.toml                      whether a file can be used, without training
  amago config schema > amago.schema.json           for editors that complete TOML")]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub task: ConfigTask,
}

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigTask {
    /// Print every setting with its default, as TOML.
    Defaults {
        /// Whose defaults.
        #[arg(long, value_enum, default_value_t = Preset::Amago)]
        preset: Preset,
    },
    /// Say what a setting, or every setting of a table, means.
    Explain {
        /// For example `agent.gamma` or `agent.critic`.
        key: String,
        /// Print a JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Check a file: read it, make one environment of its task, and refuse what cannot work.
    Check {
        /// TOML file.
        config: PathBuf,
        /// Override one setting, as `amago train --set`. May be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Print a JSON schema of config files.
    Schema,
    /// Print the reference of all settings as a Markdown page.
    Reference,
}

/// Whose defaults.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Preset {
    /// Regression critics, mostly the online loss.
    Amago,
    /// Classification critics, filtered imitation alone.
    Amago2,
}

impl ConfigArgs {
    /// Does it.
    pub fn run(&self) -> Result<()> {
        match &self.task {
            ConfigTask::Defaults { preset } => {
                let agent = match preset {
                    Preset::Amago => AgentConfig::amago(),
                    Preset::Amago2 => AgentConfig::amago2(),
                };
                print(toml::to_string_pretty(&RunConfig::with_agent(agent))?)
            }
            ConfigTask::Explain { key, json } => {
                let found = explain(key)?;
                match json {
                    true => print(format!("{}\n", serde_json::to_string_pretty(&found)?)),
                    false => print(found.iter().map(paragraph).collect::<Vec<_>>().join("\n")),
                }
            }
            ConfigTask::Check { config, overrides } => {
                let (name, plan) = load_plan(Some(config), overrides)?;
                tell(format_args!("{name} can be used: {} in {}", plan.action_space, plan.task_name()));
                Ok(())
            }
            ConfigTask::Schema => print(format!("{}\n", serde_json::to_string_pretty(&config_schema())?)),
            ConfigTask::Reference => print(reference()),
        }
    }
}

/// A setting by its key, or all settings of a table.
fn explain(key: &str) -> Result<Vec<Setting>> {
    let (found, others): (Vec<Setting>, Vec<Setting>) = settings()
        .into_iter()
        .partition(|s| s.key == key || s.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')));
    if found.is_empty() {
        let hint = did_you_mean(key, others.iter().map(|s| s.key.as_str())).unwrap_or_default();
        bail!("there is no setting {key}{hint}");
    }
    Ok(found)
}

/// A setting as text for a terminal.
fn paragraph(setting: &Setting) -> String {
    let Setting { key, kind, accepts, default, doc, original } = setting;
    let kind = kind.as_ref().map_or_else(String::new, |kind| format!(" (kind = \"{kind}\")"));
    let default = default.as_ref().map_or_else(String::new, |default| format!(", default {default}"));
    let original = original.map_or_else(String::new, |name| format!("\n  In the original: {name}"));
    format!("{key}{kind}\n  {doc}\n  {accepts}{default}{original}\n")
}

/// The page `docs/book/src/settings.md`.
fn reference() -> String {
    let mut page = "# Every setting\n\n\
        Written by `amago config reference` from the types that hold the settings. Defaults are those of \
        `agent.preset = \"amago\"`; `amago config defaults --preset amago2` prints the others. A setting of one `kind` only \
        has that kind beside its name. Names of the PyTorch original stand in the last column.\n"
        .to_owned();
    let mut table = None;
    for setting in settings() {
        let (place, name) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
        if table.as_deref() != Some(place) {
            let title = if place.is_empty() { "The run".to_owned() } else { format!("`[{place}]`") };
            let _ = write!(
                page,
                "\n## {title}\n\n| setting | accepts | default | meaning | original |\n|---|---|---|---|---|\n"
            );
            table = Some(place.to_owned());
        }
        let cell = |text: &str| text.replace('|', "\\|");
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{}`", cell(text)) };
        let kind = setting.kind.as_ref().map_or_else(String::new, |kind| format!(" ({kind})"));
        let default = setting.default.as_deref().unwrap_or_default();
        let original = setting.original.unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{name}`{kind} | {} | {} | {} | {} |",
            cell(&setting.accepts),
            code(default),
            cell(&setting.doc),
            code(original),
        );
    }
    page
}
