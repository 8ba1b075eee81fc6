//! Text for people and for pipes. `println!` panics when its reader is gone (`amago train | head`),
//! which would end a run and lose what it learned.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on [`tell`] says nothing.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether only results, warnings and errors are wanted.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// A message on stderr, unless quiet is wanted. That nobody listens is no reason to stop.
pub fn tell(text: impl Display) {
    if !is_quiet() {
        complain(text);
    }
}

/// A warning or an error on stderr.
pub fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A result on stdout. A reader that has seen enough is no error; a full disk is.
pub fn print(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if !is_gone(&e) => Err(e).context("cannot write to stdout"),
        _ => Ok(()),
    }
}

/// Whether a write to stdout failed because nobody reads: a closed pipe, or a terminal that is gone.
pub fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe || is_hang_up(error)
}

/// What a terminal answers after its end. A file answers so when its disk is broken.
#[cfg(unix)]
fn is_hang_up(error: &std::io::Error) -> bool {
    use std::os::fd::AsFd;
    let stdout = || std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?).metadata();
    error.raw_os_error() == Some(libc::EIO) && !stdout().is_ok_and(|found| found.is_file())
}

#[cfg(not(unix))]
fn is_hang_up(_: &std::io::Error) -> bool {
    false
}

/// Whether stdout shows colours: a terminal, and nobody has asked for none (<https://no-color.org>).
pub fn is_colored() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !refused
}
