//! Reads a file of metrics as it grows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::line::{Line, parse};
use crate::{Machine, Record, ViewError};

/// A place in a file of metrics.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
    /// Lines read so far.
    lines: usize,
}

/// What a file has gained since the last look.
#[derive(Debug, Default)]
pub struct News {
    /// The file was replaced by a shorter one: what was read before is void.
    pub restarted: bool,
    /// The newest header.
    pub machine: Option<Machine>,
    /// Epochs.
    pub records: Vec<Record>,
}

impl Tail {
    /// Before the first line. The file need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), offset: 0, rest: Vec::new(), lines: 0 }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole lines that were added. A file that is not there has none.
    ///
    /// # Errors
    /// When the file cannot be read or a whole line is broken.
    pub fn poll(&mut self) -> Result<News, ViewError> {
        let mut news = News::default();
        // A pipe in its place would wait for a writer.
        match std::fs::metadata(&self.path) {
            Ok(found) if !found.is_file() => return Err(ViewError::format(&self.path, "not a regular file")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(news),
            _ => {}
        }
        let mut file = File::open(&self.path).map_err(ViewError::io(&self.path))?;
        let len = file.metadata().map_err(ViewError::io(&self.path))?.len();
        if len < self.offset {
            *self = Self::new(std::mem::take(&mut self.path));
            news.restarted = true;
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(ViewError::io(&self.path))?;
        let read = file.read_to_end(&mut self.rest).map_err(ViewError::io(&self.path))?;
        self.offset += read as u64;
        let whole = self.rest.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let bytes: Vec<u8> = self.rest.drain(..whole).collect();
        for text in String::from_utf8_lossy(&bytes).lines().filter(|text| !text.trim().is_empty()) {
            self.lines += 1;
            let at = |reason| ViewError::format(&self.path, format!("line {}: {reason}", self.lines));
            match parse(text).map_err(at)? {
                Some(Line::Header(machine)) => news.machine = Some(machine),
                Some(Line::Epoch(record)) => news.records.push(record),
                None => {}
            }
        }
        Ok(news)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_whole_lines_are_read_and_each_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("metrics.jsonl");
        let mut tail = Tail::new(&path);
        assert!(tail.poll().expect("no file yet").records.is_empty());
        let mut file = File::create(&path).expect("a file");
        write!(file, "{{\"kind\":\"header\"}}\n{{\"kind\":\"epoch\",\"ep").expect("written");
        let news = tail.poll().expect("readable");
        assert!(news.machine.is_some() && news.records.is_empty());
        write!(file, "och\":1}}\n{{\"kind\":\"epoch\",\"epoch\":2}}\n").expect("written");
        let epochs = |news: &News| news.records.iter().map(|r| r.epoch).collect::<Vec<_>>();
        assert_eq!(epochs(&tail.poll().expect("readable")), [1, 2]);
        assert!(tail.poll().expect("readable").records.is_empty());
        std::fs::write(&path, "{\"kind\":\"epoch\",\"epoch\":1}\n").expect("written");
        let news = tail.poll().expect("readable");
        assert!(news.restarted && epochs(&news) == [1]);
        writeln!(File::options().append(true).open(&path).expect("a file"), "nonsense").expect("written");
        let error = tail.poll().expect_err("broken").to_string();
        assert!(error.contains("metrics.jsonl: line 2"), "{error}");
    }
}
