//! Environments that break in every way.

use std::fs;
use std::time::{Duration, Instant};

use amago_env::vector::{VecEnv, VecEnvError};
use amago_env::{Action, Env, EnvError, Observation, Role, guard};
use amago_gym::{Gym, GymConfig};

use super::{config, of_file, python};

fn broken(fault: &str, timeout: f64) -> Gym {
    let kwargs = format!("fault = \"{fault}\"").parse().expect("a table");
    of_file("broken", GymConfig { kwargs, timeout, ..config() })
}

/// Resets, and steps until something goes wrong.
fn fault(env: &mut dyn Env) -> EnvError {
    let space = env.spec().observation_space.clone();
    let mut obs = Observation::new(&space);
    if let Err(e) = env.reset(0, &mut obs) {
        return e;
    }
    for _ in 0..3 {
        if let Err(e) = env.step(&Action::Discrete(0), &mut obs) {
            return e;
        }
    }
    panic!("nothing went wrong");
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn each_fault_has_a_clear_message() {
    for (kind, parts) in [
        (
            "exception",
            &["the environment failed: Traceback", "envs.py\", line", "ZeroDivisionError: division by zero"]
                [..],
        ),
        ("exit", &["the environment failed: Traceback", "SystemExit: 3"]),
        ("reset", &["the environment failed: Traceback", "RuntimeError: cannot begin"]),
        ("values", &["not enough values to unpack (expected 5, got 3)"]),
        ("end", &["the Python worker ended by itself, with status 3"]),
        ("killed", &["the Python worker was ended by the signal SIGKILL, perhaps for want of memory"]),
        (
            "segfault",
            &["was ended by the signal SIGSEGV:\nFatal Python error: Segmentation fault", "string_at"],
        ),
        ("abort", &["was ended by the signal SIGABRT:\nFatal Python error: Aborted", "in <lambda>"]),
        ("hang", &["did not answer within 0.5 s and was given up; it was here:\nStack", "in <lambda>"]),
        (
            "hang_with_gil",
            &["did not answer within 0.5 s and was given up; it was here:\nStack", "in <lambda>"],
        ),
        ("half", &["ended by itself, with status 3"]),
        ("half_and_hang", &["did not answer within 0.5 s", "in half"]),
        ("garbage", &["the Python worker sent a reply of the unknown kind 'È' and was given up"]),
        ("huge", &["and was given up"]),
        ("text", &["sent a reply of the unknown kind 'E' and was given up"]),
        ("shape", &["observation \"observation\" has the shape (5,), its space has (4,)"]),
        ("empty", &["has the shape (0,), its space has (4,)"]),
        ("type", &["observation \"observation\" is of the type <U1, which is no number"]),
        ("none", &["observation \"observation\" has the shape (), its space has (4,)"]),
        ("nan", &["observation \"observation\"[0] is NaN, not a finite number"]),
        ("infinite", &["observation \"observation\"[0] is inf, not a finite number"]),
        ("reward_text", &["could not convert string to float: 'much'"]),
        ("reward_none", &["TypeError: float() argument must be"]),
    ] {
        let gym = broken(kind, 0.5);
        let mut env = gym.env().expect("made");
        let start = Instant::now();
        let message = fault(&mut *env).to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{kind}: {message}");
        assert!(!message.contains("amago-gym worker"), "{kind}: {message}");
        assert!(start.elapsed() < Duration::from_secs(30), "{kind}");
        // It can be reset all the same: another copy is made, in another process where that is needed.
        if kind != "reset" {
            env.reset(1, &mut Observation::new(&gym.spec().observation_space)).expect(kind);
        }
    }
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn what_cannot_be_made_says_why() {
    let refused =
        |id: &str, config: GymConfig| Gym::with_config(id, config).expect_err("refused").to_string();
    let error = refused("CartPole-v99", config());
    assert!(
        error.starts_with("environment \"gym:CartPole-v99\": the environment cannot be made: "),
        "{error}"
    );
    assert!(error.contains("CartPole"), "{error}");
    let error = refused("CartPole-v1", GymConfig { imports: vec!["no_such_package".to_owned()], ..config() });
    assert!(error.ends_with("ModuleNotFoundError: No module named 'no_such_package'"), "{error}");
    let kwargs = "wrong = 1".parse().expect("a table");
    let error = refused("CartPole-v1", GymConfig { kwargs, ..config() });
    assert!(error.contains("unexpected keyword argument 'wrong'"), "{error}");
    let error = refused("CartPole-v1", super::wrapped("Missing"));
    assert!(error.contains("has no attribute 'Missing'"), "{error}");
    // An interpreter without the package: the isolated mode has no packages of the user's, so a fresh folder does.
    let folder = tempfile::tempdir().expect("a folder");
    let bare = folder.path().join("bare");
    fs::write(&bare, format!("#!/bin/sh\nexec {} -S -I \"$@\"\n", python())).expect("a script");
    fs::set_permissions(&bare, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let error =
        refused("CartPole-v1", GymConfig { python: bare.to_str().expect("a path").to_owned(), ..config() });
    assert!(error.ends_with("ModuleNotFoundError: No module named 'numpy'"), "{error}");
    let error = refused("CartPole-v1", GymConfig { start_timeout: 0.01, ..config() });
    assert!(error.contains("did not answer within 0.01 s and was given up"), "{error}");
}

/// One copy's exception harms no other; a lost process is replaced by one for all of its copies.
#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn the_others_go_on() {
    for (kind, concerned) in [("exception", 1), ("end", 3)] {
        let kwargs = format!("fault = \"{kind}\"").parse().expect("a table");
        let gym = of_file("broken", GymConfig { kwargs, copies_per_worker: 3, ..config() });
        let mut envs = VecEnv::new(gym.envs(3).expect("made"), 0, Role::TrainEnv).expect("alike");
        envs.reset_all().expect("no faults");
        // So that only the first one is in its third step.
        let actions = [Action::Discrete(0), Action::Discrete(1), Action::Discrete(0)];
        envs.step(&actions).expect("no faults");
        envs.step(&actions).expect("no faults");
        envs.restart(1, None).expect("no faults");
        envs.restart(2, None).expect("no faults");
        let error = envs.step(&actions).expect_err("a fault");
        assert_eq!(error.faults().len(), concerned, "{error}");
        let workers: Vec<_> = error.faults().iter().map(|fault| fault.worker).collect();
        let processes = children().len();
        for worker in workers {
            envs.restart(worker, Some(gym.env().expect("made"))).expect("replaced");
        }
        assert_eq!(children().len() - processes, usize::from(kind == "end"), "{kind}: workers started");
        envs.step(&actions).expect("no faults");
    }
}

/// The time limit is for one copy: several slow ones in one worker may take longer together.
#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn slow_copies_are_not_taken_for_one_that_hangs() {
    let config = GymConfig { timeout: 0.5, copies_per_worker: 3, ..super::wrapped("Slow") };
    let gym = Gym::with_config("CartPole-v1", config).expect("made");
    let mut envs = VecEnv::new(gym.envs(3).expect("made"), 0, Role::TrainEnv).expect("alike");
    envs.reset_all().expect("no faults");
    let start = Instant::now();
    envs.step(&[const { Action::Discrete(0) }; 3]).expect("no faults");
    assert!(start.elapsed() > Duration::from_millis(850), "one after the other");
}

/// Numbers of the processes that this one has started and that are still there, the shell apart.
pub fn children() -> Vec<u32> {
    let me = format!(" {} ", std::process::id());
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let found = processes.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        // State, then the parent.
        (after.get(2..)?.starts_with(&me) && !before.ends_with("(sh")).then_some(id)
    });
    found.collect()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Faults of every kind, one after the other, in one run.
#[test]
#[ignore = "needs Python with gymnasium, and minutes: AMAGO_TEST_PYTHON, alone with --test-threads 1"]
fn a_thousand_faults_leave_nothing_behind() {
    let wanted: usize = std::env::var("AMAGO_TEST_FAULTS").map_or(1000, |n| n.parse().expect("a number"));
    let (files, processes) = (open_files(), children().len());
    let kwargs = "fault = \"seed\"".parse().expect("a table");
    let gym = of_file("broken", GymConfig { kwargs, timeout: 0.5, copies_per_worker: 3, ..config() });
    let mut envs = VecEnv::new(gym.envs(6).expect("made"), 1, Role::TrainEnv).expect("alike");
    let (mut faults, mut rounds, mut kinds, mut steps) =
        (0, 0usize, std::collections::BTreeMap::new(), 0usize);
    let mut error = envs.reset_all().map(drop).err();
    let slowest = Duration::from_secs(60);
    while faults < wanted {
        let start = Instant::now();
        rounds += 1;
        if let Some(error) = error.take() {
            faults += revive(&gym, &mut envs, error, &mut kinds);
        }
        if rounds.is_multiple_of(50) {
            // An interpreter or package that is missing.
            let python = if rounds.is_multiple_of(100) { "/no/such/python" } else { "/bin/cat" };
            let refused =
                Gym::with_config("CartPole-v1", GymConfig { python: python.to_owned(), ..config() });
            refused.expect_err("not Python");
            faults += 1;
        }
        let actions: Vec<_> = (0..6).map(|i| Action::Discrete((i + rounds) % 2)).collect();
        error = envs.step(&actions).map(drop).err();
        steps += 6;
        assert!(start.elapsed() < slowest, "a hang");
    }
    println!("{faults} faults in {steps} steps, by message: {kinds:#?}");
    envs.close().expect("no fault");
    drop(gym);
    // Whoever waits for the process that was killed last has a thread of its own.
    let deadline = Instant::now() + Duration::from_secs(10);
    while children().len() > processes && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(children().len(), processes, "processes");
    // The pipe to the shell stays.
    assert!(open_files() <= files + 1, "{} files, {files} before", open_files());
}

fn revive(
    gym: &Gym,
    envs: &mut VecEnv,
    error: VecEnvError,
    kinds: &mut std::collections::BTreeMap<String, usize>,
) -> usize {
    let VecEnvError::Workers(first) = error else { panic!("{error}") };
    let mut queue = std::collections::VecDeque::from(first);
    // A process that is gone concerns all of its copies, with one message: that is one fault.
    let lost: std::collections::BTreeSet<String> = queue
        .iter()
        .map(|f| f.cause.to_string())
        .filter(|text| text.starts_with("the Python worker"))
        .collect();
    let mut faults = lost.len();
    while let Some(fault) = queue.pop_front() {
        let text = fault.cause.to_string();
        let kind: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
        let kind = if kind.starts_with("the environment failed") {
            text.lines().last().unwrap_or_default().into()
        } else {
            kind
        };
        *kinds.entry(kind).or_insert(0) += 1;
        faults += usize::from(!text.starts_with("the Python worker"));
        let env = guard::guard(|| gym.env()).expect("made");
        match envs.restart(fault.worker, Some(env)) {
            Ok(_) => {}
            Err(VecEnvError::Workers(again)) => queue.extend(again),
            Err(other) => panic!("{other}"),
        }
    }
    faults
}
