//! The store's folder: names, atomic publication and scanning.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::index::Part;
use crate::format::{Header, PREFIX, Prefix};
use crate::{FormatError, ReplayError};

/// After the name, so that half a file never looks like a trajectory.
const TEMP_SUFFIX: &str = ".tmp";
const SUFFIX: &str = ".traj";

/// Bytes of a file that is read in one go, whatever it says of itself.
const SHORT: u64 = 1 << 20;

/// The greatest id of a file that is a trajectory, so that counting on never begins again at zero.
pub(super) const MAX_ID: u64 = u64::MAX / 2;

/// Folder of a part.
pub(super) fn part_dir(root: &Path, part: Part) -> PathBuf {
    root.join(match part {
        Part::Fifo => "buffer",
        Part::Protected => "protected",
        Part::Foreign => return root.to_owned(),
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
    digits.parse().ok().filter(|id| *id <= MAX_ID)
}

/// Takes a folder for this process alone, as long as the file is held: a second writer would give out the same names
/// and remove the first one's temporary files. The operating system lets go when the process ends.
///
/// # Errors
/// When another one holds it, or the file `lock` in it cannot be written or is a link.
pub fn lock(root: &Path) -> Result<File, ReplayError> {
    let path = root.join("lock");
    match fs::symlink_metadata(&path).map(|kind| kind.file_type()) {
        Ok(kind) if kind.is_symlink() => return Err(ReplayError::Link { path }),
        Ok(kind) if !kind.is_file() => return Err(ReplayError::NotAFile { path }),
        _ => {}
    }
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
        let is_file = item.file_type().is_ok_and(|kind| kind.is_file());
        if name.ends_with(TEMP_SUFFIX) && is_file {
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

/// Opens a regular file and tells its length; `own` ones may not be links. What is no regular file is not opened: a
/// pipe would wait for a writer, a device may never end.
pub(crate) fn open(path: &Path, own: bool) -> Result<(File, u64), ReplayError> {
    let kind = if own { fs::symlink_metadata(path) } else { fs::metadata(path) };
    let kind = kind.map_err(ReplayError::io(path))?.file_type();
    if kind.is_symlink() {
        return Err(ReplayError::Link { path: path.to_owned() });
    }
    if !kind.is_file() {
        return Err(ReplayError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(ReplayError::io(path))?;
    let len = file.metadata().map_err(ReplayError::io(path))?.len();
    Ok((file, len))
}

/// A trajectory file whose body was not read.
pub(super) struct Head {
    file: File,
    start: Vec<u8>,
    /// Bytes of the file.
    pub len: u64,
    /// What it says of itself.
    pub header: Header,
}

impl Head {
    /// Reads the header of a file; the numbers in it are checked before anything is allocated for them.
    pub fn read(path: &Path, own: bool) -> Result<Self, ReplayError> {
        let (mut file, len) = open(path, own)?;
        let mut start = Vec::with_capacity(PREFIX);
        (&mut file).take(PREFIX as u64).read_to_end(&mut start).map_err(ReplayError::io(path))?;
        let prefix = Prefix::read(&start, len).map_err(ReplayError::format(path))?;
        start.resize(PREFIX + prefix.header_len, 0);
        file.read_exact(&mut start[PREFIX..]).map_err(ReplayError::io(path))?;
        let header = Header::read(&prefix, &start[PREFIX..]).map_err(ReplayError::format(path))?;
        Ok(Self { file, start, len, header })
    }
}

/// All bytes of a trajectory file; of a long one only when its header is right.
pub(super) fn read(path: &Path, own: bool) -> Result<Vec<u8>, ReplayError> {
    let (mut file, mut len) = open(path, own)?;
    let mut bytes = Vec::new();
    if len > SHORT {
        let head = Head::read(path, own)?;
        (file, len, bytes) = (head.file, head.len, head.start);
    }
    let rest = len.saturating_sub(bytes.len() as u64);
    let room = bytes.try_reserve_exact(usize::try_from(rest).unwrap_or(usize::MAX));
    room.map_err(|_| ReplayError::io(path)(io::ErrorKind::OutOfMemory.into()))?;
    file.take(rest).read_to_end(&mut bytes).map_err(ReplayError::io(path))?;
    Ok(bytes)
}

/// Refuses symbolic links in a folder, at any depth. The folder itself may be reached through one.
///
/// # Errors
/// Names the first link, or the folder that cannot be read.
pub fn refuse_links(dir: &Path) -> Result<(), ReplayError> {
    for item in fs::read_dir(dir).map_err(ReplayError::io(dir))? {
        let item = item.map_err(ReplayError::io(dir))?;
        let (path, kind) = (item.path(), item.file_type());
        match kind.map_err(ReplayError::io(&path))? {
            kind if kind.is_symlink() => return Err(ReplayError::Link { path }),
            kind if kind.is_dir() => match refuse_links(&path) {
                // Whoever works on the folder has renamed it, as a checkpoint that is published.
                Err(ReplayError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            },
            _ => {}
        }
    }
    Ok(())
}

/// The `.npz` files of a folder and of those in it where the original saves trajectories, by name.
pub(super) fn npz_files(root: &Path) -> Result<Vec<PathBuf>, ReplayError> {
    let mut paths = Vec::new();
    for part in ["", "fifo", "buffer", "protected", "buffer/fifo", "buffer/protected"] {
        let dir = root.join(part);
        let items = match fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !part.is_empty() => continue,
            items => items.map_err(ReplayError::io(&dir))?,
        };
        for item in items {
            let path = item.map_err(ReplayError::io(&dir))?.path();
            if path.extension().is_some_and(|e| e == "npz") {
                paths.push(path);
            }
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Opens a regular file that somebody else has written, and tells its length. Pipes and devices are not opened: one
/// might wait, or never end.
///
/// # Errors
/// When there is no such file, or it cannot be opened.
pub fn open_file(path: &Path) -> Result<(File, u64), ReplayError> {
    open(path, false)
}

/// Whether the file itself is to blame. An intact file of another version is not damage, and
/// neither is, for example, a lack of file handles: setting such files aside would lose good data.
pub(super) fn is_damage(error: &ReplayError) -> bool {
    match error {
        ReplayError::Format { cause, .. } => !matches!(cause, FormatError::UnsupportedVersion { .. }),
        ReplayError::Npz { .. }
        | ReplayError::Episode { .. }
        | ReplayError::Unstorable(_)
        | ReplayError::NotAFile { .. } => true,
        ReplayError::Io { cause, .. } => {
            matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}
