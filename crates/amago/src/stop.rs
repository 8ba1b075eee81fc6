//! The wish to stop, as signals bring it: the first one saves everything, a second one ends at once.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use amago_trainer::StopFlag;
use anyhow::{Context, Result};

use crate::output::tell;

/// SIGINT, what Ctrl-C sends, on every system that has signals.
const SIGINT: i32 = 2;
/// SIGTERM, what `kill`, `docker stop`, systemd and batch systems send.
const SIGTERM: i32 = 15;

/// What arrives sooner after a signal is the same wish: `timeout` and `srun` send theirs twice.
const AGAIN: Duration = Duration::from_millis(500);

/// The first signal; zero before it.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// Exit code of a command that was stopped: 128 + the signal, as shells have it. Whoever leaves the dashboard
/// stops the run as Ctrl-C does.
pub fn exit_code() -> u8 {
    let signal = match FIRST.load(Ordering::Relaxed) {
        0 => SIGINT,
        signal => signal,
    };
    code(signal)
}

fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// From now on a signal asks to stop. A second SIGINT or SIGTERM ends at once; other signals, which only tell
/// that something else comes (a terminal is gone, time is nearly up), never do.
pub fn on_signals() -> Result<StopFlag> {
    let stop = StopFlag::default();
    let mut listener = Listener { stop: stop.clone(), commanded: None };
    listen(move |signal| listener.hear(signal)).context("cannot listen for signals")?;
    Ok(stop)
}

struct Listener {
    stop: StopFlag,
    /// When SIGINT or SIGTERM came first.
    commanded: Option<Instant>,
}

impl Listener {
    fn hear(&mut self, signal: i32) {
        if matches!(signal, SIGINT | SIGTERM) {
            if self.commanded.is_some_and(|at| at.elapsed() >= AGAIN) {
                std::process::exit(code(signal).into());
            }
            self.commanded.get_or_insert_with(Instant::now);
        }
        if FIRST.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.stop.stop();
            // A terminal that takes no more text must not keep the second signal from being heard.
            std::thread::spawn(move || {
                let name = name(signal);
                tell(format_args!(
                    "{name}: stopping: saving what was learned and collected (Ctrl-C or SIGTERM to end at once)"
                ));
            });
        }
    }
}

#[cfg(unix)]
fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("signal")
}

#[cfg(not(unix))]
fn name(_: i32) -> &'static str {
    "Ctrl-C"
}

/// Hands every signal that asks to stop to `heard`, on a thread of its own.
#[cfg(unix)]
fn listen(mut heard: impl FnMut(i32) + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

    // Batch systems announce with SIGUSR1, SIGUSR2 or SIGXCPU that the time is nearly up.
    let mut signals = vec![SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU];
    // `nohup` has it ignored, which must stay so. SIGINT is heard in any case: scripts start what runs in the
    // background with SIGINT ignored, and `kill -INT` means what it says.
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    let mut signals = signal_hook::iterator::Signals::new(signals)?;
    std::thread::spawn(move || signals.forever().for_each(&mut heard));
    Ok(())
}

#[cfg(not(unix))]
fn listen(mut heard: impl FnMut(i32) + Send + 'static) -> std::io::Result<()> {
    ctrlc::set_handler(move || heard(SIGINT)).map_err(std::io::Error::other)
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: a `sigaction` of zeros is valid, and without a new action the call only writes the present one.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}
