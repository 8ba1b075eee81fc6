//! The store's folder: names, atomic publication and scanning.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::index::{Entry, Part};
use crate::format::{Header, PREFIX, Prefix};
use crate::{FormatError, Layout, ReplayError};

/// After the name, so that half a file never looks like a trajectory.
const TEMP_SUFFIX: &str = ".tmp";
const SUFFIX: &str = ".traj";

/// Folder of a part.
pub(super) fn part_dir(root: &Path, part: Part) -> PathBuf {
    root.join(match part {
        Part::Fifo => "buffer",
        Part::Protected => "protected",
    })
}

/// Where damaged files are put.
pub(super) fn damaged_dir(root: &Path) -> PathBuf {
    root.join("damaged")
}

/// Path of a trajectory. The zeros make the order of names the order of ages.
pub(super) fn path(root: &Path, part: Part, id: u64) -> PathBuf {
    part_dir(root, part).join(name(id))
}

/// File name of a trajectory.
pub(super) fn name(id: u64) -> String {
    format!("{id:020}{SUFFIX}")
}

fn parse_id(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Takes a folder for this process alone, as long as the file is held: a second writer would give out the same names
/// and remove the first one's temporary files. The operating system lets go when the process ends.
///
/// # Errors
/// When another one holds it, or the file `lock` in it cannot be written.
pub fn lock(root: &Path) -> Result<File, ReplayError> {
    let path = root.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(ReplayError::io(&path))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ReplayError::InUse { dir: root.to_owned() }),
        // Some network file systems have no locks; one process alone works there as well.
        Err(TryLockError::Error(e)) if e.kind() != io::ErrorKind::Unsupported => {
            Err(ReplayError::Io { path, cause: e })
        }
        _ => Ok(file),
    }
}

/// Writes a file that is either whole and visible or not there at all. It is not forced to the disk: a power cut may
/// damage the newest files, which their checksums then find out.
pub(super) fn publish(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ReplayError> {
    let temp = dir.join(format!("{name}{TEMP_SUFFIX}"));
    let target = dir.join(name);
    let written = write(&temp, bytes).and_then(|()| fs::rename(&temp, &target));
    written.map_err(|cause| {
        // Failing to clean up must not hide why the write failed; open removes what is left.
        let _ = fs::remove_file(&temp);
        ReplayError::Io { path: target, cause }
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.flush()
}

/// Names found in one folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Ids of trajectories, ascending.
    pub ids: Vec<u64>,
    /// Temporary files of interrupted writes that were removed.
    pub temp_files: usize,
    /// Files that are not the store's.
    pub foreign: usize,
}

/// Lists a folder and, if `clean`, removes the temporary files of interrupted writes.
pub(super) fn scan(dir: &Path, clean: bool) -> Result<Scan, ReplayError> {
    let mut scan = Scan::default();
    for item in fs::read_dir(dir).map_err(ReplayError::io(dir))? {
        let item = item.map_err(ReplayError::io(dir))?;
        let name = item.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(TEMP_SUFFIX) {
            if !clean {
                continue;
            }
            fs::remove_file(item.path()).map_err(ReplayError::io(&item.path()))?;
            scan.temp_files += 1;
        } else if let Some(id) = parse_id(&name) {
            scan.ids.push(id);
        } else {
            scan.foreign += 1;
        }
    }
    scan.ids.sort_unstable();
    Ok(scan)
}

/// What the header of a file says, without reading the body.
pub(super) fn summary(path: &Path, id: u64) -> Result<(Entry, Layout), ReplayError> {
    let mut file = File::open(path).map_err(ReplayError::io(path))?;
    let len = file.metadata().map_err(ReplayError::io(path))?.len();
    let mut start = Vec::with_capacity(PREFIX);
    (&mut file).take(PREFIX as u64).read_to_end(&mut start).map_err(ReplayError::io(path))?;
    let prefix = Prefix::read(&start, len).map_err(ReplayError::format(path))?;
    let mut header = vec![0; prefix.header_len];
    file.read_exact(&mut header).map_err(ReplayError::io(path))?;
    let header = Header::read(&prefix, &header).map_err(ReplayError::format(path))?;
    Ok((Entry { id, bytes: len, transitions: header.transitions }, header.layout))
}

/// Whether the file itself is to blame. An intact file of another version is not damage, and
/// neither is, for example, a lack of file handles: setting such files aside would lose good data.
pub(super) fn is_damage(error: &ReplayError) -> bool {
    match error {
        ReplayError::Format { cause, .. } => !matches!(cause, FormatError::UnsupportedVersion { .. }),
        ReplayError::Io { cause, .. } => {
            matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}
