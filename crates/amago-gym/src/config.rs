//! Options of a Gymnasium environment.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::Table;

use crate::GymError;

/// Longest time limit, in seconds.
const LONGEST: f64 = 86_400.0;

/// Options of an environment `gym:ENV_ID`: `env.options` of a config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GymConfig {
    /// Python interpreter, such as `venv/bin/python`; a name without a slash is looked for in `PATH`. It needs numpy and
    /// gymnasium 0.29 or newer.
    pub python: String,
    /// Modules to import first, such as those that register the environment.
    pub imports: Vec<String>,
    /// A Python callable in a file, as `FILE.py:NAME`, that gets the environment and gives the one to play. The latter
    /// may offer `save_state() -> bytes` and `load_state(bytes)`, with which a run is resumed.
    pub wrapper: String,
    /// One environment per worker that is vectorised already (EnvPool as `gym:envpool:ENV_ID`, Atari's, those of
    /// `gymnasium.vector`), instead of copies.
    pub vectorized: bool,
    /// Copies of the environment in each worker process; 0 times a step and chooses: as many workers as cores where it is
    /// cheap, one for each copy where it is expensive, and one for all lanes of a vectorised environment.
    pub copies_per_worker: usize,
    /// Seconds for one reset or step of one copy; at a vectorised environment, for those of all.
    pub timeout: f64,
    /// Seconds for starting Python, importing, and making one environment.
    pub start_timeout: f64,
    /// Words that an observation of text may have, in lower case; punctuation marks are words, too.
    pub text_vocabulary: Vec<String>,
    /// Most words of an observation of text.
    pub text_length: usize,
    /// Takes the legal choices of each step from `info["action_mask"]`.
    pub action_mask: bool,
    /// Lets observations be outside the bounds that the environment declares; otherwise that is a fault.
    pub ignore_bounds: bool,
    /// Entry of `info` that tells whether an episode is a success; empty for `success`, else `is_success`, where
    /// there is one. Parts of a path are joined by a slash.
    pub success_key: String,
    /// Counts an episode as a success where any of its steps was; otherwise its last one decides.
    pub success_once: bool,
    /// Entries of `info` at the end of an episode that become metrics; parts of a path are joined by a slash.
    pub metrics: Vec<String>,
    /// Makes the environment with `render_mode = "rgb_array"`, for films.
    pub render: bool,
    /// Arguments of the environment.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub kwargs: Table,
    /// `options` of each reset.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub reset_options: Table,
}

impl Default for GymConfig {
    fn default() -> Self {
        Self {
            python: "python3".to_owned(),
            imports: Vec::new(),
            wrapper: String::new(),
            vectorized: false,
            copies_per_worker: 0,
            timeout: 60.0,
            start_timeout: 300.0,
            text_vocabulary: Vec::new(),
            text_length: 16,
            action_mask: false,
            ignore_bounds: false,
            success_key: String::new(),
            success_once: false,
            metrics: Vec::new(),
            render: false,
            kwargs: Table::new(),
            reset_options: Table::new(),
        }
    }
}

impl GymConfig {
    /// Refuses what cannot be used, and makes the path of the wrapper absolute.
    pub(crate) fn check(mut self) -> Result<Self, GymError> {
        let refuse = |message: String| Err(GymError::Option(message));
        if self.python.is_empty() {
            return refuse("python names no interpreter".to_owned());
        }
        for (name, value) in [("timeout", self.timeout), ("start_timeout", self.start_timeout)] {
            if !(value > 0.0 && value <= LONGEST) {
                return refuse(format!("{name} must be above 0 and at most {LONGEST}, not {value}"));
            }
        }
        if self.copies_per_worker > 4096 {
            return refuse(format!("copies_per_worker must be at most 4096, not {}", self.copies_per_worker));
        }
        if !(1..=4096).contains(&self.text_length) {
            return refuse(format!("text_length must be from 1 to 4096, not {}", self.text_length));
        }
        for (name, names) in [("imports", &self.imports), ("metrics", &self.metrics)] {
            if names.iter().any(String::is_empty) {
                return refuse(format!("{name} has an empty name"));
            }
        }
        self.text_vocabulary.iter_mut().for_each(|word| *word = word.to_lowercase());
        let mut words = self.text_vocabulary.clone();
        words.sort();
        if let Some(pair) = words.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse(format!("text_vocabulary has \"{}\" twice", pair[0]));
        }
        if !self.wrapper.is_empty() {
            self.wrapper = absolute(&self.wrapper)?;
        }
        Ok(self)
    }

    /// What the worker with this number is told, as JSON.
    pub(crate) fn for_worker(&self, id: &str, worker: usize) -> Vec<u8> {
        let told = json!({
            "id": id,
            "worker": worker,
            "imports": self.imports,
            "wrapper": self.wrapper,
            "vectorized": self.vectorized,
            "text_vocabulary": self.text_vocabulary,
            "text_length": self.text_length,
            "action_mask": self.action_mask,
            "ignore_bounds": self.ignore_bounds,
            "success_key": self.success_key,
            "metrics": self.metrics,
            "render": self.render,
            "kwargs": self.kwargs,
            "reset_options": self.reset_options,
        });
        told.to_string().into_bytes()
    }
}

fn absolute(wrapper: &str) -> Result<String, GymError> {
    let refuse = |why: String| GymError::Option(format!("wrapper cannot be \"{wrapper}\": {why}"));
    let (file, name) = wrapper
        .rsplit_once(':')
        .filter(|(file, name)| !file.is_empty() && !name.is_empty())
        .ok_or_else(|| refuse("it must be FILE.py:NAME".to_owned()))?;
    let path = Path::new(file).canonicalize().map_err(|e| refuse(format!("{file}: {e}")))?;
    let path = path.to_str().ok_or_else(|| refuse("the path is not UTF-8".to_owned()))?;
    Ok(format!("{path}:{name}"))
}
