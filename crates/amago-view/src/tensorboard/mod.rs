//! TensorBoard event files.
//!
//! An event file is a sequence of records (`record`), each of which is a protocol buffer (`message`).
//! Scalars, histograms and images are written as TensorBoard's first layout has them, which every version
//! reads; a text is a tensor of strings for the plugin "text", as there is no other way.

mod message;
mod record;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use message::{Message, event, file_version, histogram, image, scalar, text};
use record::write_record;

use crate::{Axis, Record, Run, ViewError};

/// An event file in the making.
#[derive(Debug)]
pub struct EventFile {
    out: BufWriter<File>,
    path: PathBuf,
    axis: Axis,
    /// Seconds since 1970 UTC at which the run started.
    started: f64,
}

impl EventFile {
    /// Begins a file in a folder, which is made where it is missing. `started` is the start of the run in
    /// seconds since 1970 UTC; steps are whole numbers of `axis`.
    ///
    /// # Errors
    /// When it cannot be written, or is there already.
    pub fn create(dir: &Path, axis: Axis, started: f64) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(ViewError::io(dir))?;
        let path = dir.join(format!("events.out.tfevents.{started:.0}.amago"));
        let out = BufWriter::new(File::create_new(&path).map_err(ViewError::io(&path))?);
        let mut file = Self { out, path, axis, started };
        file.write(&file_version(started))?;
        Ok(file)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what describes the run: its settings, as text.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn describe(&mut self, run: &Run) -> Result<(), ViewError> {
        let config: String = run.config_text.lines().map(|line| format!("    {line}\n")).collect();
        let machine = &run.machine;
        let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
        let about = format!("{} on {cpu}, {}, amago {}", machine.device, machine.system, machine.version);
        let values = [text("run/config", &config), text("run/machine", &about)];
        self.write(&event(self.started, 0, &values))
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
        self.write(&event(self.started + time, step.unwrap_or(0.0) as i64, &values))
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
        self.write(&event(self.started + number("time/wall"), step, &values))
    }

    /// Makes what was written visible to readers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), ViewError> {
        self.out.flush().map_err(ViewError::io(&self.path))
    }

    fn write(&mut self, event: &Message) -> Result<(), ViewError> {
        write_record(&mut self.out, event.bytes()).map_err(ViewError::io(&self.path))
    }
}
