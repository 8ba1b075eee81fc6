//! `data/metadata.json`.

use std::path::Path;

use super::episode::Task;
use super::{bytes, space};
use crate::DatasetError;

/// Name of the file.
pub(super) const FILE: &str = "metadata.json";

/// Most bytes of it. The bounds of images are in it, number by number.
const MAX_BYTES: usize = 64 << 20;

/// How episodes are stored.
pub(super) enum DataFormat {
    Hdf5,
    Arrow,
}

/// What is used of the file.
pub(super) struct Metadata {
    pub format: DataFormat,
    pub task: Task,
}

#[derive(serde::Deserialize)]
struct Raw {
    data_format: String,
    observation_space: String,
    action_space: String,
    /// Whether images are packed. Versions that do not say so did not.
    #[serde(default)]
    jpeg_encoding: bool,
}

impl Metadata {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let text = bytes(path, MAX_BYTES).map_err(|cause| DatasetError::metadata(path, cause.to_string()))?;
        let raw: Raw = serde_json::from_slice(&text).map_err(|e| {
            DatasetError::metadata(path, format!("not the metadata of a Minari dataset: {e}"))
        })?;
        let format = match raw.data_format.as_str() {
            "hdf5" => DataFormat::Hdf5,
            "arrow" => DataFormat::Arrow,
            other => {
                let reason = format!("data_format is \"{other}\"; \"hdf5\" and \"arrow\" can be read");
                return Err(DatasetError::metadata(path, reason));
            }
        };
        let fail = |name: &str, reason| DatasetError::metadata(path, format!("{name}: {reason}"));
        let observation = space::leaves(&raw.observation_space, raw.jpeg_encoding)
            .map_err(|reason| fail("observation_space", reason))?;
        let action = space::leaf(&raw.action_space).map_err(|reason| fail("action_space", reason))?;
        let task = Task::new(observation, action).map_err(|reason| DatasetError::metadata(path, reason))?;
        Ok(Self { format, task })
    }
}
