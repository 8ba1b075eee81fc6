//! The list of a checkpoint's files, by which it is known to be whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CheckpointMeta;

const VERSION: u32 = 3;
/// The version before, whose checksum was taken of the text that a debugger would show.
const DEBUG_VERSION: u32 = 2;

/// Names and checksums of a checkpoint's files.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    pub meta: CheckpointMeta,
    /// CRC-32 of each file.
    pub files: BTreeMap<String, u32>,
    /// CRC-32 of the others, see [`checksum`].
    checksum: u32,
}

/// CRC-32 of a manifest without its checksum, as compact JSON with sorted keys. It is taken of the names in the file,
/// not of those in this program: a field that is renamed here does not make earlier checkpoints look damaged.
fn checksum(manifest: &Value) -> u32 {
    let mut rest = manifest.clone();
    rest.as_object_mut().map(|fields| fields.remove("checksum"));
    crc32fast::hash(rest.to_string().as_bytes())
}

impl Manifest {
    /// The text of a file.
    pub fn write(meta: CheckpointMeta, files: &BTreeMap<String, u32>) -> String {
        let mut value = json!({ "version": VERSION, "meta": meta, "files": files });
        value["checksum"] = checksum(&value).into();
        format!("{value:#}")
    }

    /// Reads the text of a file and checks it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        let expected = checksum(&value);
        let manifest: Self = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let expected = match manifest.version {
            VERSION => expected,
            DEBUG_VERSION => {
                let text = format!("{} {:?} {:?}", manifest.version, manifest.meta, manifest.files);
                crc32fast::hash(text.as_bytes())
            }
            other => return Err(format!("version {other}, this program reads version {VERSION}")),
        };
        match manifest.checksum == expected {
            true => Ok(manifest),
            false => Err("damaged: it does not match its own checksum".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_checked_by_the_names_in_its_file() {
        let value = json!({ "version": 3, "files": { "b": 2, "a": 1 }, "checksum": 77 });
        assert_eq!(checksum(&value), crc32fast::hash(br#"{"files":{"a":1,"b":2},"version":3}"#));
    }

    #[test]
    fn manifests_of_before_are_still_read() {
        let (meta, files) =
            (CheckpointMeta { epoch: 3, ..CheckpointMeta::default() }, BTreeMap::from([("a".to_owned(), 1)]));
        let sum = crc32fast::hash(format!("2 {meta:?} {files:?}").as_bytes());
        let mut old = json!({ "version": 2, "meta": meta, "files": files, "checksum": sum });
        assert_eq!(Manifest::read(old.to_string().as_bytes()).expect("whole").meta, meta);
        old["meta"]["epoch"] = 4.into();
        let error = Manifest::read(old.to_string().as_bytes()).expect_err("another epoch");
        assert!(error.starts_with("damaged"), "{error}");
        old["version"] = 9.into();
        let error = Manifest::read(old.to_string().as_bytes()).expect_err("of the future");
        assert_eq!(error, "version 9, this program reads version 3");
    }
}
