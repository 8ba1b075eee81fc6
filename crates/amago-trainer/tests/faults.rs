//! Environments that fail, losses that are no numbers, damaged replay: what is lost and what is not.

mod support;

use std::fs;
use std::path::Path;

use amago_agent::Agent;
use amago_env::vector::{Phase, VecEnv};
use amago_env::{Role, rng};
use amago_replay::{Padding, Store, StoreConfig};
use amago_trainer::{Checkpoint, Plan, PolicyDriver, RunDir, TrainError};
use burn::module::Module;
use support::envs::{EPISODE, Fault, HEALTHY, all_fail, second_worker_fails};
use support::{Recorder, alone, device, lines, probabilities, tiny, train};

/// Transitions on disk, after drawing so often that damage would be met.
fn readable(run: &Path) -> u64 {
    let config = StoreConfig { cache_bytes: 0, ..StoreConfig::default() };
    let store = Store::open(run.join("replay"), config).expect("a store");
    store.sample_batch(200, 8, Padding::None, &mut rng(0, Role::Replay, 0, 0)).expect("readable");
    assert_eq!((store.damage(), store.open_report().temp_files), (vec![], 0));
    store.transitions()
}

fn newest(run: &Path) -> Checkpoint {
    let (checkpoint, damaged) = Checkpoint::newest(&run.join("checkpoints")).expect("a checkpoint");
    assert!(damaged.is_empty(), "{damaged:?}");
    checkpoint
}

/// Probabilities in the first states of four environments.
fn first_probabilities(plan: &Plan, run: &Path) -> Vec<f32> {
    let _alone = alone();
    let fresh = Agent::new(&plan.config.agent, &plan.spec, &device().autodiff());
    let agent = newest(run).load_agent(fresh).expect("it fits").valid();
    let mut envs = VecEnv::new(plan.make_envs(4).expect("envs"), 0, Role::EvalEnv).expect("equal spaces");
    envs.reset_all().expect("no faults");
    let mut driver = PolicyDriver::new(&agent, &envs, 4, &device());
    probabilities(&driver.policy(&agent, envs.results()))
}

/// A run whose second worker fails in epoch 2, and what must be left of it: the steps that were
/// taken, and the two updates of the first epoch.
fn check_env_fault(fault: Fault, phase: Phase, transitions: usize, parts: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    let plan = second_worker_fails(tiny(&["train.epochs=9", "train.max_fault_rate=0"]), fault);
    let mut seen = Recorder::default();
    let error = train(&plan, &run, &mut seen).expect_err("a fault");
    let TrainError::VecEnv(inner) = &error else { panic!("{error}") };
    let [only] = inner.faults() else { panic!("{error}") };
    assert_eq!((only.worker, only.env.as_str(), only.episode), (1, "fragile", HEALTHY as u64));
    assert_eq!(only.phase, phase);
    for part in ["worker 1 (fragile)"].iter().chain(parts) {
        assert!(error.to_string().contains(part), "{fault:?}: \"{part}\" is not in: {error}");
    }
    assert_eq!(readable(&run), transitions as u64, "{fault:?}");
    assert_eq!((newest(&run).meta.updates, seen.updates), (2, 2), "{fault:?}");
    assert_eq!(seen.checkpoints.last().map(|p| p.as_path()), Some(newest(&run).path()));
}

#[test]
fn a_failing_environment_is_named_and_nothing_is_lost() {
    let steps = 2 * HEALTHY * EPISODE;
    check_env_fault(Fault::NanReward, Phase::Step, steps, &["the reward is NaN"]);
    check_env_fault(Fault::NanObservation, Phase::Step, steps, &["observation", "NaN"]);
    check_env_fault(Fault::WrongWidth, Phase::Step, steps, &["observation", "3 f32 entries", "2 f32"]);
    check_env_fault(Fault::OtherBuffer, Phase::Step, steps, &["observation", "3 f32 entries"]);
    check_env_fault(Fault::Panic, Phase::Step, steps, &["panicked", "broken on purpose"]);
}

#[test]
fn a_failing_reset_keeps_the_episode_before_it() {
    check_env_fault(Fault::Reset, Phase::Reset, 2 * HEALTHY * EPISODE, &["no more levels"]);
}

#[test]
fn an_evaluation_that_fails_ends_the_run_with_everything_saved() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    // Three steps per epoch: the workers never reach the fault; an evaluation of five episodes in
    // each of its 64 environments does.
    let config = tiny(&["train.timesteps_per_epoch=3", "eval.episodes=320", "train.max_fault_rate=0"]);
    let error =
        train(&all_fail(config, Fault::NanReward), &run, &mut Recorder::default()).expect_err("a fault");
    assert!(error.to_string().contains("failed in episode 4, step: the reward is NaN"), "{error}");
    assert_eq!((readable(&run), newest(&run).meta.updates), (2 * 2 * 3, 4));
}

#[test]
fn a_loss_that_is_no_number_keeps_the_last_good_weights() {
    let dir = tempfile::tempdir().expect("a folder");
    let [good, bad] = ["good", "bad"].map(|name| dir.path().join(name));
    // The first epoch is healthy; after the second only its last, spoilt episodes are kept.
    let settings = ["train.timesteps_per_epoch=12", "replay.max_trajectories=2", "optim.warmup=0"];
    let first = all_fail(tiny(&[&settings[..], &["train.epochs=1"]].concat()), Fault::HugeReward);
    train(&first, &good, &mut Recorder::default()).expect("no fault in the first epoch");
    let plan = all_fail(tiny(&[&settings[..], &["train.epochs=3"]].concat()), Fault::HugeReward);
    let error = train(&plan, &bad, &mut Recorder::default()).expect_err("a loss that is no number");
    assert!(matches!(error, TrainError::BadUpdate { update: 3, .. }), "{error}");
    assert!(error.to_string().contains("update 3"), "{error}");
    assert_eq!(newest(&bad).meta.updates, 2);
    let kept = first_probabilities(&plan, &bad);
    assert_eq!(kept, first_probabilities(&plan, &good));
    assert!(kept.iter().all(|p| p.is_finite()), "{kept:?}");
    assert!(readable(&bad) > 0);
}

/// Squares of a gradient overflow long before the loss does.
#[test]
fn a_gradient_that_is_no_number_ends_the_run_too() {
    let mut only_gradient = 0;
    for multiplier in ["1e14", "1e16", "1e18", "1e20", "1e37"] {
        let dir = tempfile::tempdir().expect("a folder");
        let multiplier = format!("agent.reward_multiplier={multiplier}");
        let config = tiny(&[&multiplier, "agent.popart=false", "env.options.penalty=-1"]);
        let mut seen = Recorder::default();
        match train(&Plan::new(config).expect("a legal plan"), &dir.path().join("run"), &mut seen) {
            Err(TrainError::BadUpdate { loss, grad_norm, .. }) => {
                assert!(!(loss.is_finite() && grad_norm.is_finite()));
                only_gradient += usize::from(loss.is_finite());
            }
            other => assert!(seen.updates == 4 && other.is_ok(), "{multiplier}: {other:?}"),
        }
    }
    assert!(only_gradient > 0, "no case in which only the gradient overflows");
}

/// The loss of such a critic is tiny: nothing else tells that it cannot learn.
#[test]
fn targets_outside_the_bins_are_told_once() {
    let run = |settings: &[&str]| {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = [&["agent.preset=amago2", "env.options.penalty=-1"], settings].concat();
        let (plan, mut seen) = (Plan::new(tiny(&settings)).expect("a legal plan"), Recorder::default());
        let run = dir.path().join("run");
        train(&plan, &run, &mut seen).expect("it runs");
        let shares = lines(&run).into_iter().filter_map(|line| line["train"]["parts"]["bins_left"].as_f64());
        (seen.warnings, shares.collect::<Vec<_>>())
    };
    let narrow = ["agent.critic.bins.min=-1", "agent.critic.bins.max=2", "agent.reward_multiplier=1000"];
    let (warnings, shares) = run(&narrow);
    assert_eq!(shares.len(), 2, "one of each epoch");
    assert!(shares.iter().all(|share| *share > 0.01), "{shares:?}");
    let told: Vec<_> = warnings.iter().filter(|text| text.contains("TD targets")).collect();
    assert_eq!(told.len(), 1, "{warnings:?}");
    for part in ["agent.critic.bins.min = -1", "max = 2", "agent.reward_multiplier"] {
        assert!(told[0].contains(part), "{part} is not in: {told:?}");
    }
    let (warnings, shares) = run(&[]);
    assert_eq!((warnings.len(), shares), (0, vec![0.0, 0.0]), "{warnings:?}");
}

#[test]
fn damaged_trajectories_are_set_aside_and_learning_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    let plan = Plan::new(tiny(&["train.batches_per_epoch=40"])).expect("a legal plan");
    train(&plan, &first, &mut Recorder::default()).expect("a whole run");
    let run = RunDir::create(&second, &plan.config).expect("a run folder");
    fs::create_dir_all(run.replay()).expect("a folder");
    fs::rename(first.join("replay/buffer"), run.replay().join("buffer")).expect("moved");
    let mut files: Vec<_> = fs::read_dir(run.replay().join("buffer"))
        .expect("files")
        .map(|f| f.expect("a file").path())
        .collect();
    files.sort();
    // One is cut within its header, which opening meets; in one a bit of the body is flipped, which
    // only reading meets.
    let mut bytes = fs::read(&files[0]).expect("a file");
    fs::write(&files[0], &bytes[..10]).expect("cut");
    bytes = fs::read(&files[1]).expect("a file");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&files[1], &bytes).expect("flipped");

    let _alone = alone();
    let mut seen = Recorder::default();
    let mut trainer = amago_trainer::Trainer::new(plan, run, &device()).expect("damage is no reason to stop");
    let outcome = trainer.run(&Default::default(), &mut seen).expect("nor while learning");
    assert_eq!(outcome.meta.updates, 80);
    assert_eq!(seen.warnings.len(), 2, "{:?}", seen.warnings);
    for file in &files[..2] {
        let name = file.file_name().and_then(|n| n.to_str()).expect("a name");
        assert!(seen.warnings.iter().any(|w| w.contains(name)), "{name}: {:?}", seen.warnings);
        assert!(second.join("replay/damaged").join(name).is_file(), "{name}");
    }
    drop(trainer);
    assert!(readable(&second) > 0);
}
