//! A worker process: started, given up, ended.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::wire::{MAX_TEXT, Wire, WireError};
use crate::{GymConfig, GymError, reaper};

/// Gets socket, source and config, and runs the source.
const BOOT: &str = include_str!("boot.py");
const WORKER: &str = include_str!("worker.py");
/// What a worker has for closing its environments when nobody needs it any more.
const GRACE: Duration = Duration::from_secs(2);

/// A worker and the socket to it.
#[derive(Debug)]
pub(crate) struct Process {
    pub wire: Wire,
    /// Absent once it was waited for.
    child: Option<Child>,
}

impl Process {
    /// Starts Python and waits until it has made one environment; gives its description.
    ///
    /// # Errors
    /// When there is no such interpreter, or the environment cannot be made.
    pub fn start(config: &GymConfig, id: &str, worker: usize) -> Result<(Self, Vec<u8>), GymError> {
        let refuse =
            |e: io::Error| GymError::Interpreter { python: config.python.clone(), cause: e.to_string() };
        let (ours, theirs) = UnixStream::pair().map_err(refuse)?;
        let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(refuse)?;
        let mut command = Command::new(&config.python);
        command.arg("-c").arg(BOOT).arg(id).process_group(0);
        // What is printed must not come between replies, so these travel on the standard input, both ways.
        command.stdin(OwnedFd::from(theirs)).stdout(stderr);
        let child = command.spawn().map_err(refuse)?;
        // Holds the other end of the socket.
        drop(command);
        let mut process = Self { wire: Wire::new(ours), child: Some(child) };
        process.list().map_err(refuse)?;
        let limit = Duration::from_secs_f64(config.start_timeout);
        let hello = process.greet(&config.for_worker(id, worker), limit);
        match hello {
            Ok(Ok(hello)) => Ok((process, hello)),
            Ok(Err(told)) => Err(GymError::Make(told)),
            Err(e) => Err(GymError::Make(format!("the Python worker {}", process.give_up(e, limit)))),
        }
    }

    fn list(&self) -> io::Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| reaper::add(child.id()))
    }

    fn greet(&mut self, config: &[u8], limit: Duration) -> Result<Result<Vec<u8>, String>, WireError> {
        self.wire.set_limit(limit)?;
        for part in [WORKER.as_bytes(), config] {
            self.wire.write(&(part.len() as u32).to_le_bytes())?;
            self.wire.write(part)?;
        }
        match self.wire.reply()? {
            b'H' => Ok(Ok(self.wire.payload(crate::wire::MAX_HELLO)?)),
            b'X' => Ok(Err(String::from_utf8_lossy(&self.wire.payload(MAX_TEXT)?).into_owned())),
            kind => Err(unexpected(kind)),
        }
    }

    /// Ends it at once, and says what was wrong with it: continues "the Python worker".
    pub fn give_up(&mut self, error: WireError, limit: Duration) -> String {
        match error {
            WireError::TimedOut => {
                let stack = self.signal(Signal::SIGUSR1).and_then(|()| self.wire.stack());
                self.end();
                let stack =
                    stack.map_or(String::new(), |text| format!("; it was here:\n{}", without_worker(&text)));
                format!("did not answer within {} s and was given up{stack}", limit.as_secs_f64())
            }
            WireError::Protocol(what) => {
                self.end();
                format!("{what} and was given up")
            }
            WireError::Ended => self.how_it_ended(),
            WireError::Fatal(text) => format!("{}:\n{}", self.how_it_ended(), without_worker(&text)),
        }
    }

    /// A file of the process, by its number.
    pub fn open(&self, number: u32) -> io::Result<File> {
        let id = self.child.as_ref().map_or(0, Child::id);
        let path = format!("/proc/{id}/fd/{number}");
        // Opening anything else might wait for somebody, or do something.
        match fs::metadata(&path)?.is_file() {
            true => File::open(path),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn signal(&self, signal: Signal) -> Option<()> {
        kill(Pid::from_raw(i32::try_from(self.child.as_ref()?.id()).ok()?), signal).ok()
    }

    fn how_it_ended(&mut self) -> String {
        // The socket is closed a moment before the process is gone.
        let mut status = None;
        for _ in 0..100 {
            match self.child.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => thread::sleep(Duration::from_millis(5)),
                Some(Ok(found)) => {
                    status = found;
                    break;
                }
                _ => break,
            }
        }
        self.end();
        status.map_or_else(|| "closed its socket and was given up".to_owned(), ended)
    }

    /// Kills the process, and all that it has started and that is in its group.
    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let id = child.id();
        if let Ok(group) = i32::try_from(id) {
            // Fails where all of them are gone.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        reaper::remove(id);
        for _ in 0..200 {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        // The kernel may need its time; nobody waits for that, but somebody must ask.
        thread::spawn(move || child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.wire.close();
            self.wire.drain(GRACE);
        }
        self.end();
    }
}

/// A traceback without what is the same in all of them: the frames of the worker, and the list of modules.
fn without_worker(text: &str) -> String {
    let own = ["File \"amago-gym worker\"", "File \"<string>\", line", "Extension modules:"];
    let lines: Vec<&str> =
        text.lines().filter(|line| !own.iter().any(|own| line.trim_start().starts_with(own))).collect();
    lines.join("\n").trim().to_owned()
}

/// A reply of another kind than was asked for.
pub(crate) fn unexpected(kind: u8) -> WireError {
    WireError::Protocol(format!("sent a reply of the unknown kind {:?}", char::from(kind)))
}

fn ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = Signal::try_from(signal).map_or_else(|_| signal.to_string(), |s| s.to_string());
            let hint = if signal == Signal::SIGKILL as i32 { ", perhaps for want of memory" } else { "" };
            format!("was ended by the signal {name}{hint}")
        }
        (None, code) => format!("ended by itself, with status {}", code.unwrap_or_default()),
    }
}
