//! Ends workers that this process has left behind.
//!
//! A worker sees the end of its socket, but not while it hangs, and what it has started itself sees nothing. So a shell
//! waits for the end of a pipe that only this process holds, and kills the process groups that are still listed: after a
//! `kill -9` of this process, too.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SCRIPT: &str = r#"g=" "
while read -r op p; do
  case $op in
    +) g="$g$p " ;;
    -) case $g in *" $p "*) g="${g%% $p *} ${g#* $p }" ;; esac ;;
  esac
done
for p in $g; do kill -9 -"$p" 2>/dev/null; done"#;

#[derive(Default)]
struct Reaper {
    shell: Option<Child>,
    groups: BTreeSet<u32>,
}

static REAPER: Mutex<Reaper> = Mutex::new(Reaper { shell: None, groups: BTreeSet::new() });

fn reaper() -> MutexGuard<'static, Reaper> {
    REAPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lists the process group of a worker.
///
/// # Errors
/// When the shell cannot be started.
pub(crate) fn add(group: u32) -> io::Result<()> {
    let mut reaper = reaper();
    reaper.groups.insert(group);
    reaper.say(&format!("+ {group}\n"))
}

/// Takes it off the list, before its number may be used again.
pub(crate) fn remove(group: u32) {
    let mut reaper = reaper();
    reaper.groups.remove(&group);
    // Without the shell there is no list to take it off.
    let _ = reaper.say(&format!("- {group}\n"));
}

impl Reaper {
    fn say(&mut self, line: &str) -> io::Result<()> {
        if let Some(pipe) = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut())
            && pipe.write_all(line.as_bytes()).is_ok()
        {
            return Ok(());
        }
        // It is started by the first worker, and again if somebody has ended it.
        if let Some(mut old) = self.shell.take() {
            let _ = old.kill();
            let _ = old.wait();
        }
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(SCRIPT).arg("amago-gym-reaper").current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn()?;
        let list: String = self.groups.iter().map(|group| format!("+ {group}\n")).collect();
        if let Some(pipe) = shell.stdin.as_mut() {
            pipe.write_all(list.as_bytes())?;
        }
        self.shell = Some(shell);
        Ok(())
    }
}
