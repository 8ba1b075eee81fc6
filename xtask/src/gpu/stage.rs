//! One program of many, under a limit of time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A program that runs, and where its output goes.
pub struct Stage {
    name: String,
    child: Child,
    started: Instant,
    limit: Duration,
    log: PathBuf,
}

impl Stage {
    /// Starts a program. Its output goes to `NAME.log` in the folder.
    pub fn start(name: &str, mut command: Command, limit: Duration, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        eprintln!("{name}: {command:?}");
        let child = command.spawn().with_context(|| format!("{name}: cannot start {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, started: Instant::now(), limit, log })
    }

    /// Waits until it ends or its time is over; it is killed then. The last line of its output that is JSON is its
    /// result. What the card's memory held at most meanwhile is noted, where the driver tells.
    pub fn finish(mut self) -> Result<Value> {
        let mut memory = None;
        let mut next = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break Some(status);
            }
            if self.started.elapsed() > self.limit {
                self.child.kill()?;
                self.child.wait()?;
                break None;
            }
            if next <= Instant::now() {
                memory = memory.max(memory_used());
                next = Instant::now() + Duration::from_secs(1);
            }
            thread::sleep(Duration::from_millis(20));
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let text = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        let result = text
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object));
        let ended = match status {
            Some(status) if status.success() => "done".to_owned(),
            Some(status) => format!("failed: {status}: {}", tail(&text)),
            None => format!("not done after {:.0} s: {}", self.limit.as_secs_f64(), tail(&text)),
        };
        eprintln!("{}: {} after {seconds:.1} s", self.name, ended.lines().next().unwrap_or_default());
        Ok(
            json!({ "stage": self.name, "ended": ended, "seconds": seconds, "card_memory_mb": memory, "result": result }),
        )
    }
}

/// The end of an output, for a report.
fn tail(text: &str) -> String {
    let start = text.char_indices().rev().nth(1500).map_or(0, |(at, _)| at);
    text[start..].to_owned()
}

/// Megabytes of the first card in use, where NVIDIA's driver tells.
fn memory_used() -> Option<u64> {
    let query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"];
    let output = Command::new("nvidia-smi").args(query).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: f64) -> Value {
        let folder = std::env::temp_dir().join(format!("stage-{}-{}", std::process::id(), script.len()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let stage =
            Stage::start("sh", command, Duration::from_secs_f64(limit), &folder).expect("there is a shell");
        let found = stage.finish().expect("it is waited for");
        fs::remove_dir_all(folder).expect("it was made above");
        found
    }

    #[test]
    fn the_last_json_line_is_the_result() {
        let found = sh("echo '{\"a\":1}'; echo '{\"a\":2}'; echo words", 20.0);
        assert_eq!((&found["result"]["a"], &found["ended"]), (&json!(2), &json!("done")));
    }

    #[test]
    fn a_failure_and_a_hang_are_told_with_the_end_of_the_output() {
        let failed = sh("echo broken; exit 3", 20.0);
        assert!(
            failed["ended"].as_str().is_some_and(|s| s.contains("status: 3") && s.contains("broken")),
            "{failed}"
        );
        let hung = sh("echo here; exec sleep 60", 0.3);
        assert!(
            hung["ended"].as_str().is_some_and(|s| s.starts_with("not done after") && s.contains("here")),
            "{hung}"
        );
    }
}
