//! Files of a run folder, whoever may have put something else in their place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Reads a whole file. A pipe or a device is not opened: it might never end. What does not fit into memory, like a
/// sparse file of terabytes, is an error.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let len = regular(path)?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    // No more than was asked room for, should somebody be writing to it.
    File::open(path)?.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Bytes of a file, if it is a regular one.
pub(crate) fn regular(path: &Path) -> io::Result<u64> {
    let found = fs::metadata(path)?;
    match found.is_file() {
        true => Ok(found.len()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Writes a file that is new, in the place of what had its name: a link there is removed, not followed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Run folders may come from strangers: a link in one must not make us write elsewhere.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    File::create_new(path)?.write_all(bytes)
}
