//! Text for people and for pipes. `println!` panics when its reader is gone (`amago train | head`),
//! which would end a run and lose what it learned.

use std::fmt::{self, Display, Write as _};
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

/// A text in which no name from a file can drive the terminal: control characters, and those that turn the direction of
/// writing, become `\u001b` and the like. Lines and tabs stay.
pub struct Printable<T>(pub T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '\n' | '\t' => self.0.write_char(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => write!(self.0, "\\u{:04x}", u32::from(c)),
            c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c)),
            c => self.0.write_char(c),
        })
    }
}

/// A message on stderr, unless quiet is wanted. That nobody listens is no reason to stop.
pub fn tell(text: impl Display) {
    if !is_quiet() {
        complain(text);
    }
}

/// A warning or an error on stderr.
pub fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", Printable(text));
}

/// A result on stdout. A reader that has seen enough is no error; a full disk is.
pub fn print(text: impl Display) -> Result<()> {
    print_raw(Printable(text))
}

/// The same with the colours that are in it.
pub fn print_raw(text: impl Display) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_drive_the_terminal() {
        let hostile = "a\u{1b}]0;b\u{7}\r\u{9b}2J\u{202e}c\u{7f}\n\té";
        let shown = Printable(hostile).to_string();
        assert_eq!(shown, "a\\u001b]0;b\\u0007\\u000d\\u009b2J\\u202ec\\u007f\n\té");
    }
}
