//! From TOML text and `--set` overrides to a typed config.
//!
//! Mistakes are named with file, line and column, or with the `--set` that made them.
//!
//! The user's table is laid over the defaults of the chosen agent. A key that the defaults do not
//! have is refused with its full path. A table whose `kind` differs from the default's replaces it
//! whole, because its settings are others.

use amago_agent::AgentConfig;
use amago_env::did_you_mean;
use serde::Deserialize;
use toml::{Table, Value};

use crate::{Mode, RunConfig, TrainError};

mod place;
use place::{Position, locate};

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct ConfigSource<'a> {
    /// Name for messages, for example a file name.
    pub name: &'a str,
    /// TOML text.
    pub text: &'a str,
    /// `key=value` overrides, applied in order, but those of a `kind` first.
    pub overrides: &'a [String],
}

impl ConfigSource<'_> {
    /// Where the setting was made that an error begins with: `--set KEY=VALUE` or `FILE:LINE:COLUMN`; absent where the
    /// error names none, or one that was left to its default.
    pub fn place_of(&self, error: &TrainError) -> Option<String> {
        let message = error.to_string();
        let key = message.split([' ', ':', ',']).next().filter(|key| key.contains('.'))?;
        Some(self.place(key)).filter(|place| place != self.name)
    }

    /// Where a setting was made, or the name alone where it was not.
    fn place(&self, key: &str) -> String {
        let inside =
            |key: &str, of: &str| key.strip_prefix(of).is_some_and(|rest| rest.starts_with(['.', '[']));
        let set = |entry: &str| entry.split('=').next().unwrap_or_default().trim().to_owned();
        let last = |fits: &dyn Fn(&str) -> bool| self.overrides.iter().rev().find(|entry| fits(&set(entry)));
        // What was set last goes before the file; a table may also have come of a setting inside of it.
        let made = last(&|set| key == set || inside(key, set));
        match (made, locate(self.text, key)) {
            (Some(entry), _) => format!("--set {entry}"),
            (None, Some(Position { line, column })) => format!("{}:{line}:{column}", self.name),
            (None, None) => match last(&|set| inside(set, key)) {
                Some(entry) => format!("--set {entry}"),
                None => self.name.to_owned(),
            },
        }
    }
}

/// A setting that cannot be used, by its whole key.
struct Misfit {
    key: String,
    message: String,
}

/// Settings that have no default and so are not in the default table.
const OPTIONAL: [&str; 7] = [
    "agent.tstep_encoder.obs_keys",
    "agent.tstep_encoder.goal",
    "agent.critic.bins.init_value",
    "exploration.horizon",
    "replay.initial_weight",
    "tasks",
    "eval.tasks",
];

/// Reads a config.
///
/// # Errors
/// When the TOML is broken, a key is unknown or a value has the wrong type; the message names the
/// source and the key.
pub fn load_config(source: &ConfigSource<'_>) -> Result<RunConfig, TrainError> {
    let fail = |message: String| TrainError::Config { source_name: source.name.to_owned(), message };
    let mut table: Table = source.text.parse().map_err(|e: toml::de::Error| fail(e.to_string()))?;
    understand_greedy(&mut table, false).map_err(&fail)?;
    for entry in kinds_first(source.overrides) {
        let done = set(&mut table, entry).and_then(|()| understand_greedy(&mut table, true));
        done.map_err(|message| fail(format!("--set {entry}: {message}")))?;
    }
    let misfit =
        |Misfit { key, message }: Misfit| TrainError::Config { source_name: source.place(&key), message };
    let preset = take_preset(&mut table).map_err(misfit)?;
    let defaults = Value::try_from(RunConfig::with_agent(preset)).map_err(|e| fail(e.to_string()))?;
    let merged = merge(defaults, Value::Table(table), "").map_err(misfit)?;
    let config: RunConfig = serde_path_to_error::deserialize(merged.clone()).map_err(|e| {
        let message = e.inner().message();
        let key = whole_key(merged, e.path().to_string(), message);
        misfit(Misfit { message: format!("{key}: {message}"), key })
    })?;
    match (config.env.id.is_empty(), config.tasks.is_empty()) {
        (true, true) if config.train.mode != Mode::Learn => {
            let only = "only train.mode = \"learn\" can do without";
            Err(fail(format!(
                "env.id is missing: name an environment (`amago envs` lists them), or several as [[tasks]]; {only}"
            )))
        }
        (false, false) => {
            Err(fail("env and tasks exclude each other: make env.id one of [[tasks]]".to_owned()))
        }
        _ => Ok(()),
    }?;
    Ok(config)
}

/// `eval.greedy = true` or `false` of run folders and configs before `eval.actions` was there. One that is given
/// later goes before the other.
fn understand_greedy(table: &mut Table, later: bool) -> Result<(), String> {
    let Some(eval) = table.get_mut("eval").and_then(Value::as_table_mut) else { return Ok(()) };
    let Some(greedy) = eval.remove("greedy") else { return Ok(()) };
    let actions = match greedy {
        Value::Boolean(true) => "greedy",
        Value::Boolean(false) => "sampled",
        other => {
            return Err(format!(
                "eval.greedy = {other}: write eval.actions = \"sampled\" or \"greedy\" instead"
            ));
        }
    };
    if eval.contains_key("actions") && !later {
        return Err("eval.greedy and eval.actions are one setting: leave eval.greedy out".to_owned());
    }
    eval.insert("actions".to_owned(), actions.into());
    Ok(())
}

/// The key at fault, where only the table is known: the values of a table with a kind are read twice, and the second
/// time nobody keeps count of where. It is the one without which the error is another one or none.
fn whole_key(mut config: Value, mut path: String, message: &str) -> String {
    loop {
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let Some(table) = at(&mut config, &path) else { return path };
        // What is missing may still be missing in a table further in.
        let tried = table.iter().filter(|(_, value)| missing.is_none() || value.is_table());
        let mut trials: Vec<String> = tried.map(|(key, _)| key.clone()).collect();
        // Without its kind a table means nothing at all.
        trials.sort_by_key(|key| key == "kind");
        let blamed = trials.into_iter().find(|key| {
            let mut without = config.clone();
            at(&mut without, &path).and_then(|table| table.remove(key));
            RunConfig::deserialize(without).map_or_else(|e| e.message() != message, |_| true)
        });
        match (blamed, missing) {
            (Some(key), _) => path = format!("{path}.{key}"),
            (None, Some(key)) => return format!("{path}.{key}"),
            (None, None) => return path,
        }
    }
}

/// The table of a path.
fn at<'a>(config: &'a mut Value, path: &str) -> Option<&'a mut Table> {
    path.split('.').try_fold(config, |at, part| at.get_mut(part))?.as_table_mut()
}

/// A table made of `key=value` overrides alone.
///
/// # Errors
/// When one is not of that form.
pub fn parse_overrides(overrides: &[String]) -> Result<Table, TrainError> {
    let mut table = Table::new();
    for entry in kinds_first(overrides) {
        set(&mut table, entry).map_err(|message| TrainError::Config {
            source_name: "command line".to_owned(),
            message: format!("--set {entry}: {message}"),
        })?;
    }
    Ok(table)
}

/// A kind removes settings of another one, and kinds inside of it: so the outermost come first.
fn kinds_first(overrides: &[String]) -> Vec<&String> {
    let mut entries: Vec<_> = overrides.iter().collect();
    entries.sort_by_key(|entry| {
        let key = entry.split('=').next().unwrap_or_default().trim();
        if key.ends_with(".kind") { key.matches('.').count() } else { usize::MAX }
    });
    entries
}

/// The kind of a table that does not name one.
fn default_kind(path: &str) -> Option<Value> {
    let defaults = Value::try_from(RunConfig::with_agent(AgentConfig::amago())).ok()?;
    path.split('.').try_fold(&defaults, |at, part| at.get(part))?.get("kind").cloned()
}

/// Applies one `a.b.c=value`. The value is TOML; what is not TOML is taken as a string.
fn set(table: &mut Table, entry: &str) -> Result<(), String> {
    let (key, value) = entry.split_once('=').ok_or("expected key=value")?;
    let value = value.trim();
    let parsed = format!("x = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("x"));
    let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts = key.trim().split('.').collect::<Vec<_>>();
    let last = parts.pop().filter(|k| !k.is_empty()).ok_or("the key is empty")?;
    let path = parts.join(".");
    let mut at = table;
    for part in parts {
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = next.as_table_mut().ok_or_else(|| format!("{part} is a value, not a table"))?;
    }
    if last == "kind" && is_tagged(&path) && at.get("kind").or(default_kind(&path).as_ref()) != Some(&value) {
        // The other settings belong to the kind that is replaced.
        at.clear();
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

/// `agent.preset` chooses the defaults of the agent and is not stored.
fn take_preset(table: &mut Table) -> Result<AgentConfig, Misfit> {
    let agent = table.get_mut("agent").and_then(Value::as_table_mut);
    match agent.and_then(|a| a.remove("preset")) {
        None => Ok(AgentConfig::amago()),
        Some(Value::String(s)) if s == "amago" => Ok(AgentConfig::amago()),
        Some(Value::String(s)) if s == "amago2" => Ok(AgentConfig::amago2()),
        Some(other) => Err(Misfit {
            key: "agent.preset".to_owned(),
            message: format!("agent.preset = {other} must be \"amago\" or \"amago2\""),
        }),
    }
}

fn merge(base: Value, over: Value, path: &str) -> Result<Value, Misfit> {
    let misfit = |key: &str, message: String| Err(Misfit { key: key.to_owned(), message });
    let (mut base, over) = match (base, over) {
        (Value::Table(base), Value::Table(over)) => (base, over),
        (Value::Table(_), other) => {
            return misfit(path, format!("{path} is a table, not {}", other.type_str()));
        }
        // A whole number is a legal float.
        (Value::Float(_), Value::Integer(i)) => return Ok(Value::Float(i as f64)),
        (base, over) if base.same_type(&over) => return Ok(over),
        (base, over) => {
            return misfit(path, format!("{path} = {over} must be of type {}", base.type_str()));
        }
    };
    if over.get("kind").is_some_and(|kind| Some(kind) != base.get("kind")) && is_tagged(path) {
        return Ok(Value::Table(over));
    }
    let known: Vec<String> = base.keys().cloned().collect();
    for (key, value) in over {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let open = path == "env.options" || OPTIONAL.contains(&full.as_str());
        let merged = match base.remove(&key) {
            Some(old) if !open => merge(old, value, &full)?,
            None if !open => {
                let hint = did_you_mean(&key, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("; known here are {}", known.join(", ")));
                return misfit(&full, format!("unknown key {full}{hint}"));
            }
            _ => value,
        };
        base.insert(key, merged);
    }
    Ok(Value::Table(base))
}

/// Tables whose settings depend on their `kind`.
fn is_tagged(path: &str) -> bool {
    const TAGGED: [&str; 7] = [
        "agent.tstep_encoder",
        "agent.tstep_encoder.cnn",
        "agent.tstep_encoder.goal",
        "agent.traj_encoder",
        "agent.filter",
        "agent.actor.policy",
        "exploration",
    ];
    TAGGED.contains(&path)
}
