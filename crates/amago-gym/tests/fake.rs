//! Programs in the place of Python that say what no worker says, and options that cannot be. No Python is needed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use amago_env::{Action, EnvError, Observation};
use amago_gym::{Gym, GymConfig};

const HELLO: &str = r#"{"horizon": null, "saves_state": true, "action": {"kind": "discrete", "n": 2},
    "leaves": [{"key": "observation", "kind": "box", "shape": [1], "low": [0], "high": [1]}]}"#;

fn reply(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &(payload.len() as u32).to_le_bytes(), payload].concat()
}

/// What a worker says until it has room for its copies.
fn hello() -> Vec<u8> {
    [reply(b'H', HELLO.as_bytes()), reply(b'K', b"")].concat()
}

/// A program that says these bytes and then does what the shell is told. Its standard input is the socket.
fn program(folder: &Path, says: &[u8], then: &str) -> GymConfig {
    let (file, script) = (folder.join("says"), folder.join("program"));
    fs::write(&file, says).expect("a file");
    fs::write(&script, format!("#!/bin/sh\ncat {} >&0\n{then}\n", file.display())).expect("a file");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
    let python = script.to_str().expect("UTF-8").to_owned();
    GymConfig { python, timeout: 0.3, start_timeout: 1.0, ..GymConfig::default() }
}

fn refused(config: GymConfig) -> String {
    let start = Instant::now();
    let error = Gym::with_config("X-v0", config).expect_err("refused");
    assert!(start.elapsed() < Duration::from_secs(5), "{error}");
    error.to_string()
}

#[test]
fn what_is_no_worker_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let huge = [&b"H"[..], &u32::MAX.to_le_bytes()].concat();
    for (says, then, expected) in [
        (&b""[..], "exit 3", "the Python worker ended by itself, with status 3"),
        (b"", "kill -9 $$", "the Python worker was ended by the signal SIGKILL"),
        (b"", "sleep 60", "the Python worker did not answer within 1 s and was given up"),
        (b"H", "sleep 60", "the Python worker did not answer within 1 s and was given up"),
        (b"nonsense", "sleep 60", "sent a reply of the unknown kind 'n' and was given up"),
        (&huge, "sleep 60", "sent a reply of 4294967295 bytes, 67108864 are allowed and was given up"),
        (&reply(b'H', b"{}"), "sleep 60", "described its environment in an unknown way"),
        (&reply(b'X', b"Traceback: no"), "sleep 60", "the environment cannot be made: Traceback: no"),
    ] {
        let error = refused(program(folder.path(), says, then));
        assert!(error.starts_with("environment \"gym:X-v0\": "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let python = "/no/such/python".to_owned();
    let error = refused(GymConfig { python, ..GymConfig::default() });
    let expected = "python \"/no/such/python\" cannot be started: No such file or directory (os error 2)";
    assert_eq!(error, format!("environment \"gym:X-v0\": {expected}"));
}

#[test]
fn what_a_worker_says_later_is_checked_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = 0.5f32.to_le_bytes();
    for (after, then, expected) in [
        (vec![], "exit 0", "the Python worker ended by itself, with status 0"),
        (vec![], "sleep 60", "did not answer within 0.3 s and was given up"),
        (reply(b'K', b""), "sleep 60", "sent a reply of the unknown kind 'K'"),
        (reply(b'O', &row[..3]), "sleep 60", "shorter than its content"),
        (reply(b'O', &[row, row].concat()), "sleep 60", "4 bytes too many"),
        (reply(b'O', &2.0f32.to_le_bytes()), "sleep 60", ""),
        (reply(b'O', &f32::NAN.to_le_bytes()), "sleep 60", "observation \"observation\"[0] is NaN"),
        (reply(b'E', b"Traceback: later"), "sleep 60", "the environment failed: Traceback: later"),
    ] {
        let says = [hello(), after].concat();
        let gym = match Gym::with_config("X-v0", program(folder.path(), &says, then)) {
            Ok(gym) => gym,
            // One that ends may be gone before it was told what to play.
            Err(error) => {
                assert!(then == "exit 0" && error.to_string().contains(expected), "{error}");
                continue;
            }
        };
        let mut env = gym.env().expect("an environment");
        let mut obs = Observation::new(&gym.spec().observation_space);
        match env.reset(0, &mut obs) {
            Ok(()) => {
                // Whoever steps it checks that.
                assert!(expected.is_empty() && obs.check(&gym.spec().observation_space).is_err());
                let error = env.step(&Action::Discrete(0), &mut obs).expect_err("nothing more comes");
                assert!(error.to_string().contains("did not answer within 0.3 s"), "{error}");
            }
            Err(error) => assert!(!expected.is_empty() && error.to_string().contains(expected), "{error}"),
        }
    }
}

/// A file that is named but is none, or too short: rows come in replies instead, or it is a fault.
#[test]
fn memory_that_is_not_there_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = HELLO.replace("\"shape\": [1]", "\"shape\": [10000]");
    let start = reply(b'H', large.as_bytes());
    let (row, k) = (vec![0; 40_000], |payload: &[u8]| reply(b'K', payload));
    for (number, then, expected) in [
        (1_000_000u32, [k(b""), reply(b'O', &row)].concat(), ""),
        // Its socket.
        (0, [k(b""), reply(b'O', &row)].concat(), ""),
        // The program itself, which is shorter.
        (9, reply(b'O', b""), "the memory of the Python worker cannot be read: failed to fill whole buffer"),
    ] {
        let says = [start.clone(), k(&number.to_le_bytes()), then].concat();
        let mut config = program(folder.path(), &says, "sleep 60");
        config.python = with_itself_open(&config.python);
        let gym = Gym::with_config("X-v0", config).expect("a description");
        let mut obs = Observation::new(&gym.spec().observation_space);
        match gym.env().expect("an environment").reset(0, &mut obs) {
            Ok(()) => assert_eq!(expected, "", "{number}"),
            Err(error) => assert!(!expected.is_empty() && error.to_string().contains(expected), "{error}"),
        }
    }
}

/// The same program, with its own text open for reading as file 9.
fn with_itself_open(program: &str) -> String {
    let text = fs::read_to_string(program).expect("the program");
    fs::write(program, text.replacen('\n', "\nexec 9<\"$0\"\n", 1)).expect("the program");
    program.to_owned()
}

#[test]
fn an_environment_is_reset_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = program(folder.path(), &hello(), "sleep 60");
    let gym = Gym::with_config("X-v0", config).expect("a description");
    let mut env = gym.env().expect("an environment");
    let mut obs = Observation::new(&gym.spec().observation_space);
    let error = env.step(&Action::Discrete(0), &mut obs).expect_err("no episode");
    assert_eq!(error.to_string(), "it was not reset");
    assert!(!env.start_step(&Action::Discrete(0), 0));
    assert_eq!((env.save_state(), env.render(), env.success()), (None, None, None));
    // Nothing was asked of the process, which is ended although it hears nothing.
    let start = Instant::now();
    drop((env, gym));
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn options_are_refused_by_name() {
    let refused = |options: &str| {
        let error = Gym::new("gym:X-v0", &options.parse().expect("a table")).expect_err("refused");
        assert!(matches!(error, EnvError::Option { .. }), "{error}");
        error.to_string()
    };
    for (options, expected) in [
        ("pyhton = \"x\"", "pyhton is no option; did you mean \"python\"?"),
        ("timeout = \"long\"", "timeout cannot be \"long\": invalid type: string \"long\", expected f64"),
        ("timeout = 0.0", "timeout must be above 0 and at most 86400, not 0"),
        ("start_timeout = nan", "start_timeout must be above 0 and at most 86400, not NaN"),
        ("k_shot = 0", "k_shot must be a whole number of at least 1, not 0"),
        ("python = \"\"", "python names no interpreter"),
        ("imports = [\"\"]", "imports has an empty name"),
        ("text_length = 0", "text_length must be from 1 to 4096, not 0"),
        ("copies_per_worker = 5000", "copies_per_worker must be at most 4096, not 5000"),
        ("text_vocabulary = [\"go\", \"Go\"]", "text_vocabulary has \"go\" twice"),
        ("wrapper = \"file.py\"", "wrapper cannot be \"file.py\": it must be FILE.py:NAME"),
        (
            "wrapper = \"none.py:make\"",
            "wrapper cannot be \"none.py:make\": none.py: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(refused(options), format!("environment \"gym:X-v0\": {expected}"));
    }
}

#[test]
fn every_option_is_described() {
    let options = amago_gym::options();
    let names: Vec<&str> = options.iter().map(|option| option.name.as_str()).collect();
    let fields = serde_json::to_value(GymConfig::default()).expect("JSON");
    assert_eq!(names.len(), fields.as_object().expect("an object").len());
    assert_eq!((names[0], names[names.len() - 2]), ("python", "kwargs"));
    assert!(options.iter().all(|option| !option.doc.is_empty()), "{options:?}");
    assert_eq!(options[options.len() - 2].default, "{}");
}
