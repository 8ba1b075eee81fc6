//! Where a run happens.

use std::time::{SystemTime, UNIX_EPOCH};

use burn::tensor::Device;

/// Machine, device and program of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Machine {
    /// When the run started, seconds since 1970 UTC.
    started: f64,
    /// Version of this crate.
    version: &'static str,
    /// The tensor library's name of the device.
    device: String,
    /// Name of the processor, where the system tells it.
    cpu: Option<String>,
    /// Threads that the process may run at once.
    threads: Option<usize>,
    /// Operating system and architecture.
    system: String,
}

impl Machine {
    /// This machine, now.
    pub fn new(device: &Device) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64());
        Self {
            started,
            version: env!("CARGO_PKG_VERSION"),
            device: format!("{device:?}"),
            cpu: cpu(),
            threads: std::thread::available_parallelism().ok().map(Into::into),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// From Linux' `/proc/cpuinfo`.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Bytes of memory, where the system tells: Linux' `MemTotal`, or what the control group of the process may use where
/// that is less.
pub(crate) fn memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let installed = 1024.0 * line.split_whitespace().nth(1)?.parse::<f64>().ok()?;
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits =
        files.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<f64>().ok());
    // A container may have far less than the machine; "max" there is no number and drops out.
    Some(limits.fold(installed, f64::min))
}
