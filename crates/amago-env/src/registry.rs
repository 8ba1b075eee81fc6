//! Built-in environments by name, with documented options.

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use crate::builtin::{
    Builtin, FrozenLake, KeyToDoor, MazeRunner, MultiDomain, POPGYM_TASKS, PointRobot, PopGym, PopGymOptions,
    TMazeActive, TMazePassive, Wind,
};
use crate::kshot::KShot;
use crate::{Env, EnvError};

type Made = Result<Box<dyn Env>, EnvError>;

/// A built-in environment.
#[derive(Debug)]
pub struct EnvSpec {
    /// Name in configuration files.
    pub id: &'static str,
    /// What the task is, in one line.
    pub summary: &'static str,
    docs: &'static [(&'static str, &'static str)],
    defaults: fn() -> Table,
    build: fn(&EnvSpec, &Table) -> Made,
}

/// One option of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDoc {
    /// Key in the configuration file.
    pub name: &'static str,
    /// Default value as TOML text.
    pub default: String,
    /// What it does.
    pub doc: &'static str,
}

impl EnvSpec {
    /// The options with their defaults and meanings: the environment's own, then `k_shot`.
    pub fn options(&self) -> Vec<OptionDoc> {
        let defaults = (self.defaults)();
        let text = |name: &str| defaults.get(name).map(ToString::to_string).unwrap_or_default();
        let own = self.docs.iter().map(|&(name, doc)| OptionDoc { name, default: text(name), doc });
        let doc = "episodes on the same task that make one; above 1 it adds the observation \"attempt\"";
        own.chain([OptionDoc { name: K_SHOT, default: "1".to_owned(), doc }]).collect()
    }

    const fn of<B: Builtin>() -> Self {
        Self {
            id: B::ID,
            summary: B::SUMMARY,
            docs: B::OPTION_DOCS,
            defaults: defaults::<B::Options>,
            build: |spec, options| Ok(Box::new(B::build(parse(spec, options)?)?)),
        }
    }

    fn known(&self) -> String {
        self.docs.iter().map(|(name, _)| *name).chain([K_SHOT]).collect::<Vec<_>>().join(", ")
    }
}

static SPECS: LazyLock<Vec<EnvSpec>> = LazyLock::new(|| {
    let mut specs = vec![
        EnvSpec::of::<FrozenLake>(),
        EnvSpec::of::<KeyToDoor>(),
        EnvSpec::of::<TMazePassive>(),
        EnvSpec::of::<TMazeActive>(),
        EnvSpec::of::<MazeRunner>(),
        EnvSpec::of::<Wind>(),
        EnvSpec::of::<PointRobot>(),
        EnvSpec::of::<MultiDomain>(),
    ];
    specs.extend(POPGYM_TASKS.iter().map(|task| EnvSpec {
        id: task.id,
        summary: task.summary,
        docs: PopGymOptions::DOCS,
        defaults: defaults::<PopGymOptions>,
        build: |spec, options| Ok(Box::new(PopGym::new(spec.id, parse(spec, options)?)?)),
    }));
    specs
});

/// Option of every environment, see [`make`].
const K_SHOT: &str = "k_shot";

/// All built-in environments.
pub fn specs() -> &'static [EnvSpec] {
    &SPECS
}

/// Makes a built-in environment. Every one takes the option `k_shot` besides its own: how many of its
/// episodes on the same task make one episode, see [`KShot`]; 1, the default, leaves it as it is.
///
/// # Errors
/// When no environment has this id, or an option is unknown, of the wrong type or out of its range.
pub fn make(id: &str, options: &Table) -> Result<Box<dyn Env>, EnvError> {
    let spec = SPECS.iter().find(|s| s.id == id).ok_or_else(|| unknown(id))?;
    let mut own = options.clone();
    let k_shot = match own.remove(K_SHOT) {
        None => 1,
        Some(value) => {
            value.as_integer().and_then(|k| usize::try_from(k).ok()).filter(|k| *k > 0).ok_or_else(|| {
                EnvError::Option {
                    env: id.to_owned(),
                    message: format!("{K_SHOT} must be a whole number of at least 1, not {value}"),
                }
            })?
        }
    };
    let env = (spec.build)(spec, &own)?;
    if k_shot == 1 { Ok(env) } else { Ok(Box::new(KShot::new(env, k_shot)?)) }
}

fn unknown(id: &str) -> EnvError {
    let mut known = SPECS.iter().map(|s| s.id).collect::<Vec<_>>().join(", ");
    let nearest = SPECS.iter().map(|s| (distance(id, s.id), s.id)).min();
    // A third of the letters wrong is still likely a slip; more is another name.
    if let Some((errors, name)) = nearest.filter(|(errors, name)| errors * 3 <= name.len()) {
        debug_assert!(errors > 0);
        known.push_str(&format!("; did you mean \"{name}\"?"));
    }
    EnvError::UnknownEnv { id: id.to_owned(), known }
}

/// Edit distance (Levenshtein), in bytes: ids are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn defaults<O: Default + Serialize>() -> Table {
    Table::try_from(O::default()).unwrap_or_default()
}

fn parse<O: DeserializeOwned>(spec: &EnvSpec, options: &Table) -> Result<O, EnvError> {
    O::deserialize(options.clone()).map_err(|e| explain::<O>(spec, options, &e))
}

/// Names the option at fault: the first that is refused on its own.
fn explain<O: DeserializeOwned>(spec: &EnvSpec, options: &Table, all: &toml::de::Error) -> EnvError {
    let alone = |(k, v): (&String, &toml::Value)| {
        let one = Table::from_iter([(k.clone(), v.clone())]);
        O::deserialize(one).err().map(|e| (k.clone(), e))
    };
    let message = match options.iter().find_map(alone) {
        Some((name, _)) if !spec.docs.iter().any(|(n, _)| *n == name) => {
            format!("{name} is no option; known options are {}", spec.known())
        }
        Some((name, e)) => {
            let value = &options[&name];
            format!("{name} cannot be {value}: {}; known options are {}", e.message(), spec.known())
        }
        None => format!("{}; known options are {}", all.message(), spec.known()),
    };
    EnvError::Option { env: spec.id.to_owned(), message }
}
