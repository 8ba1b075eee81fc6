//! Many tasks in one run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

/// One of the tasks of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// Name in metrics; the `id` where it is empty. Several tasks of one name are numbered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Environment, as `env.id`.
    pub id: String,
    /// Its options, as `env.options`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub options: Table,
    /// How often an episode is this task, relative to the other tasks that have no actors of their own.
    #[serde(default = "one")]
    pub weight: f64,
    /// Actors that play this task alone; the others draw a task for each episode. 0 for none.
    #[serde(default)]
    pub actors: usize,
    /// Rewards are learned from times this; metrics are told without it.
    #[serde(default = "one")]
    pub reward_scale: f64,
    /// Returns that count as 0 and 1 in the normalised score of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// One of the tasks of evaluations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalTaskConfig {
    /// Name in metrics; the `id` where it is empty. Several tasks of one name are numbered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Environment, as `env.id`.
    pub id: String,
    /// Its options, as `env.options`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub options: Table,
    /// The policy sees rewards times this, as in training; metrics are told without it.
    #[serde(default = "one")]
    pub reward_scale: f64,
    /// Returns that count as 0 and 1 in the normalised score of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// Returns of a task in its own units: `score = (return - low) / (high - low)`, for example a random player's and a
/// human's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The return whose score is 0.
    pub low: f64,
    /// The return whose score is 1.
    pub high: f64,
}

impl Reference {
    /// The score of a return.
    ///
    /// ```
    /// let reference = amago_trainer::Reference { low: -10.0, high: 30.0 };
    /// assert_eq!(reference.score(20.0), 0.75);
    /// ```
    pub fn score(&self, episode_return: f64) -> f64 {
        (episode_return - self.low) / (self.high - self.low)
    }
}

fn one() -> f64 {
    1.0
}
