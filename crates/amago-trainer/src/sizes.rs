//! Refuses sizes that no machine has room for, before anything is built.

use toml::Value;

use crate::{RunConfig, TrainError};

/// Largest count of networks, layers, heads or samples: settings whose names begin with `n_` or `k_`.
const MOST_PARTS: u64 = 10_000;
/// Largest width, and any other size of the agent.
const MOST_WIDE: u64 = 1 << 20;
/// Most episodes that a report can tell of.
pub const MAX_EPISODES: usize = 1_000_000_000;
/// Largest sizes of the loop and of an evaluation.
const MOST: [(&str, u64); 3] = [
    ("train.parallel_actors", 1 << 16),
    ("train.batch_size", 1 << 20),
    ("eval.episodes", MAX_EPISODES as u64),
];

/// Refuses a setting that is larger than anybody means it, by its whole key: sizes are multiplied with each other, and
/// a product that does not fit in a number is no size.
pub(crate) fn check_sizes(config: &RunConfig) -> Result<(), TrainError> {
    let table = Value::try_from(config)
        .map_err(|e| TrainError::Config { source_name: "sizes".to_owned(), message: e.to_string() })?;
    let agent = table.get("agent").map_or(Ok(()), |agent| check_agent(agent, "agent"));
    let loops = MOST.iter().try_for_each(|(key, most)| {
        let value = key.split('.').try_fold(&table, |at, part| at.get(part)).and_then(Value::as_integer);
        check(key, value.unwrap_or(0), *most)
    });
    agent.and(loops)
}

fn check_agent(value: &Value, path: &str) -> Result<(), TrainError> {
    match value {
        Value::Table(table) => {
            table.iter().try_for_each(|(key, value)| check_agent(value, &format!("{path}.{key}")))
        }
        Value::Array(items) => items.iter().try_for_each(|value| check_agent(value, path)),
        Value::Integer(number) => {
            let name = path.rsplit('.').next().unwrap_or(path);
            // By the form of the name, so that no new setting is forgotten.
            let parts = name.starts_with("n_") || name.starts_with("k_");
            check(path, *number, if parts { MOST_PARTS } else { MOST_WIDE })
        }
        _ => Ok(()),
    }
}

fn check(name: &str, value: i64, most: u64) -> Result<(), TrainError> {
    match value.unsigned_abs() <= most {
        true => Ok(()),
        false => Err(TrainError::TooLarge { name: name.to_owned(), value, most }),
    }
}
