//! TensorBoard event files.
//!
//! An event file is a sequence of records (`record`), each of which is a protocol buffer (`message`).
//! Scalars, histograms and images are written as TensorBoard's first layout has them, which every version
//! reads; a text is a tensor of strings for the plugin "text", as there is no other way.

mod message;
mod record;

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use message::{Message, event, file_version, histogram, image, scalar, session_start, text};
use record::write_record;

use crate::{Axis, Record, Run, ViewError};

/// What names of the files that follow a run end in.
const LIVE: &str = "amago";
/// What names of exported files end in.
const EXPORTED: &str = "amago-export";

/// An event file in the making. Until it is begun there is nothing in it, and it goes away when it is dropped.
#[derive(Debug)]
pub struct EventFile {
    out: BufWriter<File>,
    path: PathBuf,
    axis: Axis,
    /// Seconds since 1970 UTC at which the run started; absent until the file is begun.
    started: Option<f64>,
    /// To be moved to its place once it is whole.
    exports: bool,
}

impl EventFile {
    /// Opens a file that is to follow a run, in a folder which is made where it is missing. Its name sorts after those
    /// of all event files that are there: readers take them in that order. Steps are whole numbers of `axis`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn follow(dir: &Path, axis: Axis) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(ViewError::io(dir))?;
        let entries = fs::read_dir(dir).map_err(ViewError::io(dir))?.flatten();
        let newest = entries.filter_map(|entry| seconds(&entry.file_name().to_string_lossy())).max();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let mut number = newest.map_or(now, |newest| now.max(newest.saturating_add(1)));
        loop {
            let path = dir.join(name(number, LIVE));
            match File::create_new(&path) {
                // Somebody else began at the same time.
                Err(e) if e.kind() == ErrorKind::AlreadyExists && number < u64::MAX => number += 1,
                file => return Ok(Self::at(path.clone(), file.map_err(ViewError::io(&path))?, axis, false)),
            }
        }
    }

    /// Opens a file that is to hold all of a run, in a folder which is made where it is missing. It takes the place of
    /// what was exported there before when it is finished.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn export(dir: &Path, axis: Axis) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(ViewError::io(dir))?;
        let path = dir.join(format!(".{EXPORTED}-{}.tmp", std::process::id()));
        let file = File::create(&path).map_err(ViewError::io(&path))?;
        Ok(Self::at(path, file, axis, true))
    }

    fn at(path: PathBuf, file: File, axis: Axis, exports: bool) -> Self {
        Self { out: BufWriter::new(file), path, axis, started: None, exports }
    }

    /// Writes what a file begins with, and what describes the run: its settings, as text. `started` is the start of the
    /// run in seconds since 1970 UTC. With `again`, what earlier files tell of that step and later ones is void: the
    /// run was resumed there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&mut self, run: &Run, started: f64, again: Option<i64>) -> Result<(), ViewError> {
        self.started = Some(started);
        self.write(&file_version(started))?;
        if let Some(step) = again {
            self.write(&session_start(started, step))?;
        }
        let config: String = run.config_text.lines().map(|line| format!("    {line}\n")).collect();
        let machine = &run.machine;
        let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
        let about = format!("{} on {cpu}, {}, amago {}", machine.device, machine.system, machine.version);
        let values = [text("run/config", &config), text("run/machine", &about)];
        self.write(&event(started, again.unwrap_or(0), &values))
    }

    /// Writes every scalar and histogram of an epoch, under the names of the record.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&mut self, record: &Record) -> Result<(), ViewError> {
        let axes = Axis::ALL.map(Axis::metric);
        let shown = record.scalars.iter().filter(|(name, _)| !axes[..3].contains(&name.as_str()));
        let mut values: Vec<Message> = shown.map(|(name, x)| scalar(name, *x)).collect();
        values.extend(record.histograms.iter().map(|(name, h)| histogram(name, h)));
        let (time, step) = (record.get("time/wall").unwrap_or(0.0), record.get(self.axis.metric()));
        self.write(&event(self.started.unwrap_or(0.0) + time, step.unwrap_or(0.0) as i64, &values))
    }

    /// Writes an encoded picture (PNG, JPEG or GIF, which may move) of a size in pixels, at the step of a
    /// record.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn picture(
        &mut self,
        name: &str,
        at: Option<&Record>,
        [width, height]: [u32; 2],
        encoded: &[u8],
    ) -> Result<(), ViewError> {
        let number = |name| at.and_then(|r| r.get(name)).unwrap_or(0.0);
        let values = [image(name, [width, height], encoded)];
        let step = number(self.axis.metric()) as i64;
        self.write(&event(self.started.unwrap_or(0.0) + number("time/wall"), step, &values))
    }

    /// Makes what was written visible to readers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), ViewError> {
        self.out.flush().map_err(ViewError::io(&self.path))
    }

    /// Moves an exported file to its place, instead of those that were exported there before.
    ///
    /// # Errors
    /// When it cannot be written; those before it stay then.
    pub fn finish(mut self) -> Result<PathBuf, ViewError> {
        self.flush()?;
        let dir = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let path = dir.join(name(self.started.unwrap_or(0.0) as u64, EXPORTED));
        let old = fs::read_dir(&dir).map_err(ViewError::io(&dir))?.flatten();
        fs::rename(&self.path, &path).map_err(ViewError::io(&path))?;
        self.exports = false;
        for entry in old.filter(|entry| entry.path() != path) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if seconds(&name).is_some() && name.ends_with(&format!(".{EXPORTED}")) {
                fs::remove_file(entry.path()).map_err(ViewError::io(&entry.path()))?;
            }
        }
        Ok(path)
    }

    fn write(&mut self, event: &Message) -> Result<(), ViewError> {
        write_record(&mut self.out, event.bytes()).map_err(ViewError::io(&self.path))
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        if self.exports || self.started.is_none() {
            let _ = fs::remove_file(&self.path);
            // Only where it was made for this file: others would keep it.
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

/// `events.out.tfevents` is what readers look for, and the time is what they sort by.
fn name(seconds: u64, end: &str) -> String {
    format!("events.out.tfevents.{seconds:010}.{end}")
}

/// The time in a name.
fn seconds(name: &str) -> Option<u64> {
    name.strip_prefix("events.out.tfevents.")?.split('.').next()?.parse().ok()
}
