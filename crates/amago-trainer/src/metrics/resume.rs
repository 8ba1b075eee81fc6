//! A file of metrics that an earlier process wrote.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;

use super::{MetricsLog, header};
use crate::{TrainError, files};

/// Key of the header with the epochs whose lines were lost, as "1-12, 15".
const LOST: &str = "lost_epochs";

impl MetricsLog {
    /// Opens the file of an earlier process, without the lines after an epoch: those epochs come again. Gives what is
    /// to be said of it: where lines are missing, the header says so from then on; a file with lines that cannot be
    /// read is kept beside the one with the others.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn resume(path: &Path, epoch: usize, device: &Device) -> Result<(Self, Option<String>), TrainError> {
        let text = match files::read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            text => text.map_err(TrainError::io(path))?,
        };
        let found = Found::read(&text, epoch);
        let lost = ranges((1..=epoch).filter(|e| !found.epochs.contains(e)));
        let known = found.header.as_ref().map(|header| header[LOST].as_str().unwrap_or_default());
        let open = || File::options().append(true).open(path).map_err(TrainError::io(path));
        if let Some(len) = found.prefix().filter(|_| known == Some(&lost)) {
            let file = open()?;
            // Cut in place where that is all: a follower keeps its place in the file.
            file.set_len(len as u64).map_err(TrainError::io(path))?;
            return Ok((Self { file, path: path.to_owned() }, None));
        }
        let mut notes = Vec::new();
        if found.broken > 0 {
            let aside = set_aside(path)?;
            notes.push(format!(
                "{} lines of metrics.jsonl are damaged; it is kept as {}",
                found.broken,
                aside.display()
            ));
        }
        if known.unwrap_or_default() != lost {
            notes.push(format!("metrics.jsonl has lost the lines of epochs {lost}; its header says so now"));
        }
        let mut header = found.header.unwrap_or_else(|| header(device));
        if !lost.is_empty() {
            header[LOST] = lost.into();
        }
        let mut whole = format!("{header}\n").into_bytes();
        found.kept.iter().for_each(|line| whole.extend_from_slice(line));
        // Written beside it and renamed: whoever follows the file sees the old one or the new one.
        let temp = path.with_extension("jsonl.tmp");
        let written = files::write(&temp, &whole).and_then(|()| fs::rename(&temp, path));
        written.map_err(TrainError::io(path))?;
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok((Self { file: open()?, path: path.to_owned() }, note))
    }
}

/// What a file holds.
#[derive(Default)]
struct Found<'a> {
    /// Its first line.
    header: Option<Value>,
    /// Lines after the header that stay.
    kept: Vec<&'a [u8]>,
    /// Epochs of those.
    epochs: BTreeSet<usize>,
    /// Bytes of the header and the lines that stay, up to the first one that does not.
    len: usize,
    /// Whether a line stays behind one that does not.
    scattered: bool,
    /// Whole lines that cannot be read.
    broken: usize,
}

impl<'a> Found<'a> {
    fn read(text: &'a [u8], epoch: usize) -> Self {
        let mut found = Self::default();
        let mut gap = false;
        // Of a last line that was cut, the epoch comes again.
        for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let value = serde_json::from_slice::<Value>(line).ok().filter(|value| value["kind"].is_string());
            let number = value.as_ref().and_then(|v| usize::try_from(v["epoch"].as_u64()?).ok());
            match value {
                Some(value)
                    if value["kind"] == "header" && found.header.is_none() && found.kept.is_empty() =>
                {
                    found.header = Some(value);
                }
                // Lines of a kind that is not known are those of a later version: kept.
                Some(value) if value["kind"] != "epoch" || number.is_some_and(|e| e <= epoch) => {
                    found.kept.push(line);
                    found.epochs.extend(number);
                }
                Some(_) => {
                    gap = true;
                    continue;
                }
                None => {
                    found.broken += 1;
                    gap = true;
                    continue;
                }
            }
            found.scattered |= gap;
            found.len += line.len();
        }
        found
    }

    /// Length to which the file is cut; absent where that is not all that is to be done.
    fn prefix(&self) -> Option<usize> {
        (self.header.is_some() && self.broken == 0 && !self.scattered).then_some(self.len)
    }
}

/// Numbers in ascending order, as "1-3, 5".
fn ranges(numbers: impl Iterator<Item = usize>) -> String {
    let mut found: Vec<[usize; 2]> = Vec::new();
    for n in numbers {
        match found.last_mut() {
            Some([_, last]) if *last + 1 == n => *last = n,
            _ => found.push([n, n]),
        }
    }
    let text = |[first, last]: &[usize; 2]| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    found.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Copies a file to a name that is free.
fn set_aside(path: &Path) -> Result<PathBuf, TrainError> {
    let mut names = (1..).map(|i| path.with_extension(format!("damaged-{i}.jsonl")));
    let free = names.find(|name| fs::symlink_metadata(name).is_err()).expect("there is always a free number");
    fs::copy(path, &free).map_err(TrainError::io(&free))?;
    Ok(free)
}
