//! Built-in environments by name, with documented options.

use std::sync::LazyLock;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use crate::builtin::{
    Builtin, FrozenLake, KeyToDoor, MazeRunner, MultiDomain, POPGYM_TASKS, PointRobot, PopGym, PopGymOptions,
    TMazeActive, TMazePassive, Wind,
};
use crate::kshot::KShot;
use crate::{Env, EnvError, did_you_mean};

type Made = Result<Box<dyn Env>, EnvError>;

/// A built-in environment.
#[derive(Debug)]
pub struct EnvSpec {
    /// Name in configuration files.
    pub id: &'static str,
    /// What the task is, in one line.
    pub summary: &'static str,
    options: fn() -> Vec<OptionDoc>,
    build: fn(&EnvSpec, &Table) -> Made,
}

/// One option of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDoc {
    /// Key in the configuration file.
    pub name: String,
    /// Default value as TOML text.
    pub default: String,
    /// What it does: the comment on the field of the options.
    pub doc: String,
}

impl EnvSpec {
    /// The options with their defaults and meanings: the environment's own, then `k_shot`.
    pub fn options(&self) -> Vec<OptionDoc> {
        with_k_shot((self.options)())
    }

    const fn of<B: Builtin>() -> Self {
        Self {
            id: B::ID,
            summary: B::SUMMARY,
            options: options::<B::Options>,
            build: |spec, options| Ok(Box::new(B::build(parse(spec.id, options)?)?)),
        }
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
        options: options::<PopGymOptions>,
        build: |spec, options| Ok(Box::new(PopGym::new(spec.id, parse(spec.id, options)?)?)),
    }));
    specs
});

/// Option of every environment, see [`make`].
const K_SHOT: &str = "k_shot";

/// Options of an environment's own, and `k_shot`, see [`make`].
pub fn with_k_shot(own: Vec<OptionDoc>) -> Vec<OptionDoc> {
    let doc = "Episodes on the same task that make one; above 1 it adds the observation \"attempt\".";
    let k_shot = OptionDoc { name: K_SHOT.to_owned(), default: "1".to_owned(), doc: doc.to_owned() };
    own.into_iter().chain([k_shot]).collect()
}

/// All built-in environments.
pub fn specs() -> &'static [EnvSpec] {
    &SPECS
}

/// The built-in environment of an id.
///
/// # Errors
/// When there is none.
pub fn find(id: &str) -> Result<&'static EnvSpec, EnvError> {
    SPECS.iter().find(|s| s.id == id).ok_or_else(|| unknown(id, SPECS.iter().map(|s| s.id)))
}

/// Makes a built-in environment. Every one takes the option `k_shot` besides its own: how many of its
/// episodes on the same task make one episode, see [`KShot`]; 1, the default, leaves it as it is.
///
/// # Errors
/// When no environment has this id, or an option is unknown, of the wrong type or out of its range.
pub fn make(id: &str, options: &Table) -> Result<Box<dyn Env>, EnvError> {
    let spec = find(id)?;
    let (own, k_shot) = take_k_shot(id, options)?;
    let env = (spec.build)(spec, &own)?;
    if k_shot == 1 { Ok(env) } else { Ok(Box::new(KShot::new(env, k_shot)?)) }
}

/// An environment's own options, and `k_shot`, which is 1 where it is not given.
///
/// # Errors
/// When `k_shot` is no whole number of at least 1.
pub fn take_k_shot(id: &str, options: &Table) -> Result<(Table, usize), EnvError> {
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
    Ok((own, k_shot))
}

/// What is said of an id that is none of the known ones.
pub(crate) fn unknown<'a>(id: &str, known: impl IntoIterator<Item = &'a str>) -> EnvError {
    let hint = did_you_mean(id, known).unwrap_or_else(|| "; `amago envs` lists all".to_owned());
    EnvError::UnknownEnv { id: id.to_owned(), hint }
}

/// The fields of `O` with their defaults and comments.
pub fn options<O: Default + Serialize + JsonSchema>() -> Vec<OptionDoc> {
    let schema = schema_for!(O);
    let option = |(name, default): (&str, &str)| {
        let doc = schema.pointer(&format!("/properties/{name}/description")).and_then(|doc| doc.as_str());
        // As one line, wherever the comment breaks.
        let doc = doc.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        OptionDoc { name: name.to_owned(), default: default.to_owned(), doc }
    };
    // One line for each field, in the order of the struct, which the schema forgets. Those that are tables come last
    // and are empty.
    let defaults = toml::to_string(&O::default()).unwrap_or_default();
    let table =
        |line: &'_ str| Some((line.strip_prefix('[')?.strip_suffix(']')?.to_owned(), "{}".to_owned()));
    let value =
        |line: &'_ str| line.split_once(" = ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let fields = defaults.lines().filter_map(|line| value(line).or_else(|| table(line)));
    fields.map(|(name, default)| option((&name, &default))).collect()
}

/// Reads the options of the environment `id`, without `k_shot`: see [`take_k_shot`].
///
/// # Errors
/// Names the option that is unknown or cannot be what it is.
pub fn parse<O>(id: &str, options: &Table) -> Result<O, EnvError>
where
    O: Default + Serialize + JsonSchema + DeserializeOwned,
{
    O::deserialize(options.clone()).map_err(|e| explain::<O>(id, options, &e))
}

/// Names the option at fault: the first that is refused on its own.
fn explain<O>(id: &str, given: &Table, all: &toml::de::Error) -> EnvError
where
    O: Default + Serialize + JsonSchema + DeserializeOwned,
{
    let alone = |(k, v): (&String, &toml::Value)| {
        let one = Table::from_iter([(k.clone(), v.clone())]);
        O::deserialize(one).err().map(|e| (k.clone(), e))
    };
    let known: Vec<String> = with_k_shot(options::<O>()).into_iter().map(|option| option.name).collect();
    let list = || format!("known options are {}", known.join(", "));
    let message = match given.iter().find_map(alone) {
        Some((name, _)) if !known.contains(&name) => {
            let hint = did_you_mean(&name, known.iter().map(String::as_str))
                .unwrap_or_else(|| format!("; {}", list()));
            format!("{name} is no option{hint}")
        }
        Some((name, e)) => format!("{name} cannot be {}: {}", given[&name], e.message()),
        None => format!("{}; {}", all.message(), list()),
    };
    EnvError::Option { env: id.to_owned(), message }
}
