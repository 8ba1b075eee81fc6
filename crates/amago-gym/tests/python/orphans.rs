//! No process is left behind, whatever ends ours.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use amago_env::{Action, Observation};
use amago_gym::GymConfig;

use super::faults::children;
use super::{config, of_file};

/// What the process that is to be ended does.
const ROLE: &str = "AMAGO_TEST_ORPHANS";

/// Plays in workers that have children of their own, tells their numbers, and waits for its end. Run by the tests below.
#[test]
#[ignore = "run by the other tests of this file"]
fn parent() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let kwargs = format!("hang = {}", role.contains("hang")).parse().expect("a table");
    let gym = of_file("child", GymConfig { kwargs, copies_per_worker: 1, ..config() });
    let mut envs = gym.envs(2).expect("made");
    let mut obs = Observation::new(&gym.spec().observation_space);
    envs.iter_mut().for_each(|env| env.reset(0, &mut obs).expect("a reset"));
    let workers = children();
    assert_eq!(workers.len(), 2);
    println!("workers {workers:?}");
    if role.contains("panic") {
        panic!("on purpose");
    }
    if role.contains("exit") {
        std::process::exit(0);
    }
    if role.contains("hang") {
        envs[0].start_step(&Action::Discrete(0), 0);
    }
    std::thread::sleep(Duration::from_secs(100));
}

fn start(role: &str) -> (Child, Vec<u32>) {
    let me = std::env::current_exe().expect("this program");
    let mut command = Command::new(me);
    command.args(["orphans::parent", "--exact", "--ignored", "--nocapture"]).env(ROLE, role).process_group(0);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = lines.map_while(Result::ok).find(|line| line.contains("workers [")).expect("workers");
    let list = line.split(['[', ']']).nth(1).expect("a list").split(", ");
    (child, list.map(|id| id.parse().expect("a number")).collect())
}

/// The processes of these groups.
fn alive(groups: &[u32]) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let found = processes.filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, after) = stat.rsplit_once(") ")?;
        let mut fields = after.split(' ');
        let state = fields.next()?;
        let group: u32 = fields.nth(1)?.parse().ok()?;
        // One that nobody waits for is gone all the same.
        (groups.contains(&group) && state != "Z").then(|| stat.clone())
    });
    found.collect()
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, "--", process]).status().expect("kill").success());
}

fn all_end(role: &str, end: impl FnOnce(&Child)) {
    let (mut child, workers) = start(role);
    if !role.contains("exit") && !role.contains("panic") {
        // Python and the child of each.
        assert_eq!(alive(&workers).len(), 4, "{role}");
    }
    end(&child);
    let status = child.wait().expect("its end");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !alive(&workers).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(alive(&workers), Vec::<String>::new(), "{role}, {status}");
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn nothing_outlives_us() {
    all_end("killed", |child| signal("-KILL", &child.id().to_string()));
    all_end("killed while one hangs", |child| signal("-KILL", &child.id().to_string()));
    // As the terminal does it: to the whole foreground group.
    all_end("interrupted", |child| signal("-INT", &format!("-{}", child.id())));
    all_end("panic", |_| {});
    all_end("exit", |_| {});
}

/// Ctrl-C must not reach a worker: the run still has to be saved.
#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn workers_have_groups_of_their_own() {
    let before = children();
    let gym = of_file("child", GymConfig { kwargs: "hang = false".parse().expect("a table"), ..config() });
    let new: Vec<u32> = children().into_iter().filter(|id| !before.contains(id)).collect();
    assert!(!new.is_empty());
    for id in new {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("alive");
        let group = stat
            .rsplit_once(") ")
            .and_then(|(_, after)| after.split(' ').nth(2))
            .expect("a group")
            .to_owned();
        assert_eq!(group, id.to_string());
    }
    drop(gym);
}
