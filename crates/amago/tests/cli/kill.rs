//! SIGKILL at random moments: every restart succeeds, and the run ends as if nothing had happened.
//! `AMAGO_KILLS` says how often; `cargo xtask kill` does it often.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use amago_env::{Rng, Role, rng};
use amago_replay::decode;
use amago_trainer::{Checkpoint, Plan, RunDir};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use rand::RngExt;

use crate::support::{Place, list};

/// Checkpoints and dropped trajectories all the time, noise, and enough epochs to be killed in.
const SETTINGS: &[&str] = &[
    "train.epochs=30",
    "train.checkpoint_interval=1",
    "replay.max_trajectories=12",
    "exploration.kind=epsilon_greedy",
    "eval.interval=10",
];

/// Longest life of a process in milliseconds.
const LIFE: u64 = 400;

fn start(place: &Place, run: &str, mode: &str) -> Child {
    let begun = place.path(run).exists();
    let mut args = vec!["train"];
    match begun {
        true => args.extend(["--resume", run]),
        false => args.extend(["tiny.toml", "--run-dir", run, "--set", mode]),
    }
    if !begun {
        args.extend(SETTINGS.iter().flat_map(|s| ["--set", s]));
    }
    place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Every visible trajectory is whole.
fn check_whole(run: &Path) {
    let Ok(files) = fs::read_dir(run.join("replay/buffer")) else { return };
    for file in
        files.map(|f| f.expect("an entry").path()).filter(|f| f.extension().is_some_and(|e| e == "traj"))
    {
        let bytes = fs::read(&file).expect("a file");
        decode(&bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

/// All weights of a run's newest checkpoint.
fn weights(place: &Place, run: &str) -> Vec<f32> {
    let (run, config) = RunDir::open(&place.path(run)).expect("a run");
    let (checkpoint, damaged) = Checkpoint::newest(&run.checkpoints()).expect("a checkpoint");
    assert!(damaged.is_empty(), "{damaged:?}");
    let plan = Plan::new(config).expect("a plan");
    let agent = checkpoint.load_agent(plan.agent(&Device::flex())).expect("it fits");
    let mut all = Values(Vec::new());
    agent.visit(&mut all);
    all.0
}

struct Values(Vec<f32>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.extend(param.val().into_data().iter::<f32>());
    }
}

fn check_equal(place: &Place, run: &str) {
    assert!(weights(place, run) == weights(place, "whole"), "{run}: other weights");
    let replay = |run: &str| -> Vec<(String, Vec<u8>)> {
        let files = list(&place.path(run).join("replay/buffer"));
        let name = |f: &Path| f.file_name().expect("a name").to_string_lossy().into_owned();
        files.iter().map(|f| (name(f), fs::read(f).expect("a file"))).collect()
    };
    assert!(replay(run) == replay("whole"), "{run}: another replay");
    let epochs = |run: &str| place.metrics(run)[1..].iter().map(|l| l["epoch"].clone()).collect::<Vec<_>>();
    assert_eq!(epochs(run), epochs("whole"), "{run}");
}

/// Kills processes until there were `kills`; a run that ends before its time is checked, and another begins.
fn survive(mode: &str, kills: usize, draws: &mut Rng) {
    let place = Place::new();
    start(&place, "whole", mode)
        .wait_with_output()
        .map(|o| assert!(o.status.success(), "{o:?}"))
        .expect("it ends");
    let (mut killed, mut number) = (0, 0);
    loop {
        let run = format!("run{number}");
        let mut child = start(&place, &run, mode);
        if killed < kills {
            sleep(Duration::from_millis(draws.random_range(0..LIFE)));
            child.kill().expect("a child");
        }
        let ended = child.wait_with_output().expect("it ends");
        check_whole(&place.path(&run));
        match ended.status.code() {
            // Killed.
            None => killed += 1,
            Some(0) => {
                check_equal(&place, &run);
                number += 1;
                if killed >= kills {
                    return;
                }
            }
            _ => panic!("{mode}, after {killed} kills: {}", String::from_utf8_lossy(&ended.stderr)),
        }
    }
}

#[test]
fn a_killed_run_goes_on_as_if_nothing_had_happened() {
    let kills = std::env::var("AMAGO_KILLS").map_or(4, |n| n.parse().expect("AMAGO_KILLS is a number"));
    let mut draws = rng(0, Role::Replay, 0, 0);
    for mode in ["train.mode=alternate", "train.mode=both"] {
        survive(mode, kills, &mut draws);
    }
}
