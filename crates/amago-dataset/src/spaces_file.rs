//! `spaces.toml` beside trajectories that were converted: what the spaces of their task are.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use amago_env::{DictSpace, Space};
use amago_replay::Spaces;

use crate::DatasetError;

/// Name of the file. TOML has the infinities that bounds need.
const FILE: &str = "spaces.toml";
/// Most bytes of it: bounds are in it number by number.
const MAX_BYTES: u64 = 64 << 20;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    action: Space,
    observation: DictSpace,
}

/// Writes the file into a folder.
pub(crate) fn write(dir: &Path, spaces: &Spaces) -> Result<(), DatasetError> {
    let path = dir.join(FILE);
    let contents = Contents { action: spaces.action().clone(), observation: spaces.observation().clone() };
    let text = toml::to_string(&contents).map_err(|e| DatasetError::metadata(&path, e.to_string()))?;
    fs::write(&path, text).map_err(DatasetError::io(path))
}

/// Reads the file of a folder, if there is one.
pub(crate) fn read(dir: &Path) -> Result<Option<Spaces>, DatasetError> {
    let path = dir.join(FILE);
    let wrong = |reason: String| DatasetError::metadata(&path, format!("not the spaces of a task: {reason}"));
    let len = match fs::metadata(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.map_err(DatasetError::io(&path))?,
    };
    if !len.is_file() || len.len() > MAX_BYTES {
        return Err(wrong("not a file of a reasonable size".to_owned()));
    }
    let text = fs::read_to_string(&path).map_err(DatasetError::io(&path))?;
    let Contents { action, observation } =
        toml::from_str(&text).map_err(|e| wrong(e.message().to_owned()))?;
    // Sizes are multiplied from here on.
    let sizes = observation.0.values().chain([&action]);
    for space in sizes {
        let product = match space {
            Space::Box(b) => b.shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)),
            Space::MultiDiscrete { nvec } => nvec.iter().try_fold(0_usize, |n, d| n.checked_add(*d)),
            Space::Discrete { n } | Space::MultiBinary { n } => Some(*n),
        };
        if product.is_none_or(|n| n > MAX_BYTES as usize) {
            return Err(wrong("a size that nobody means".to_owned()));
        }
        space.validate().map_err(|e| wrong(e.to_string()))?;
    }
    observation.validate().map_err(|e| wrong(e.to_string()))?;
    Ok(Some(Spaces::new(&observation, &action)))
}
