//! Every action space from the environment through replay and learning back to the environment.
//!
//! The ignored tests train the tasks until they must have been learned, minutes each, and print the returns before
//! and after: `cargo test --release --workspace --test actions -- --ignored --nocapture`.

mod support;

use std::sync::Arc;
use std::time::Instant;

use amago_env::conformance::{self, CheckOptions};
use amago_env::vector::VecEnv;
use amago_env::{Action, Env, EnvError, Role, rng};
use amago_golden::modules::values;
use amago_replay::{Slice, TrajectoryBuilder, collate};
use amago_trainer::{
    Episodes, EvalReport, Plan, Play, RunConfig, Silent, StopFlag, TrainError, evaluate, obs_layout,
    train_batch,
};
use support::tasks::{Aim, Match, Pick};
use support::{Recorder, device, load, tiny, train};

type Make = fn() -> Result<Box<dyn Env>, EnvError>;

fn aim() -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(Aim::new()))
}

fn pick() -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(Pick::new()))
}

fn bits() -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(Match::new()))
}

/// Trains to the end and returns the last evaluation and the number of updates.
fn run(config: RunConfig, make: Make) -> (EvalReport, usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = Plan::with_env(config, Arc::new(make)).expect("a legal plan");
    let mut seen = Recorder::default();
    let outcome = train(&plan, &dir.path().join("run"), &mut seen).expect("a whole run");
    (outcome.eval.expect("an evaluation at the end"), seen.updates)
}

fn random(config: &RunConfig, make: Make) -> f64 {
    let plan = Plan::with_env(config.clone(), Arc::new(make)).expect("a legal plan");
    let report = evaluate(&plan, &Play::Random, &Episodes::of(&plan), &StopFlag::default(), &mut Silent);
    report.expect("random play is legal").return_mean
}

#[test]
fn the_tasks_keep_the_contract() {
    for make in [aim, pick, bits] {
        let report = conformance::check(&make, &CheckOptions::default()).expect("the contract holds");
        assert!(report.varies_with_seed);
    }
}

/// A few updates with noise, sampled and greedy actions. An illegal action would end the run.
#[test]
fn every_policy_acts_explores_and_learns() {
    let noise = "exploration={kind=\"epsilon_greedy\", steps_anneal=20}";
    let cases: [(Make, &[&str]); 9] = [
        (aim, &[]),
        (aim, &["agent.preset=amago2"]),
        (aim, &["agent.preset=amago2", "agent.online_coeff=0.1"]),
        (aim, &["agent.actor.policy.kind=beta", "agent.k_actor=2"]),
        (aim, &["agent.actor.policy.kind=gmm", "agent.online_coeff=0", "agent.offline_coeff=1"]),
        (pick, &["agent.actor.kind=residual", "agent.actor.d_ff=16"]),
        (pick, &["agent.preset=amago2"]),
        (pick, &["agent.preset=amago2", "agent.online_coeff=0.1", "agent.critic.bins.init_value=5"]),
        (bits, &["agent.online_coeff=0", "agent.offline_coeff=1"]),
    ];
    for (make, overrides) in cases {
        let all: Vec<&str> = [noise, "eval.actions=greedy"].iter().chain(overrides).copied().collect();
        let (report, updates) = run(tiny(&all), make);
        assert_eq!(updates, 4, "{overrides:?}");
        assert!(report.return_mean.is_finite(), "{overrides:?}");
        let sampled: Vec<&str> = all.iter().copied().chain(["eval.actions=sampled"]).collect();
        run(tiny(&sampled), make);
    }
}

/// The mask of every state reaches the learner; padding allows nothing, which stands for everything.
#[test]
fn masks_go_through_replay() {
    let mut envs = VecEnv::new(vec![pick().expect("a task")], 5, Role::TrainEnv).expect("legal spaces");
    let (observation, action) = (envs.observation_space().clone(), envs.action_space().clone());
    let mut draws = rng(5, Role::Policy, 0, 0);
    let mut builder = TrajectoryBuilder::new(&observation, &action);
    let mut masks = Vec::new();
    builder.start(&envs.reset_all().expect("no faults")[0].obs).expect("it fits");
    for _ in 0..3 {
        let mask = envs.results()[0].obs.action_mask().expect("there is one").to_vec();
        let chosen = Action::random(&action, Some(&mask), &mut draws);
        masks.extend(mask);
        let next = &envs.step(std::slice::from_ref(&chosen)).expect("legal")[0];
        builder.push(&chosen, &next.step, &next.obs).expect("it fits");
    }
    masks.extend(envs.results()[0].obs.action_mask().expect("there is one"));
    let trajectory = Arc::new(builder.finish());
    let batch = collate(&[Slice::new(trajectory.clone(), 0, 3), Slice::new(trajectory, 2, 3)]);
    let batch = train_batch(batch, &obs_layout(&observation), &device());
    let legal = values(&batch.legal.expect("the observations have a mask"));
    let width = action.width();
    assert_eq!(legal[..4 * width], masks);
    assert_eq!(legal[4 * width..6 * width], masks[2 * width..]);
    assert_eq!(legal[6 * width..], vec![0.0; 2 * width]);
}

#[test]
fn a_plan_refuses_policies_that_cannot_work() {
    let cases: [(Make, &[&str], &[&str]); 4] = [
        (aim, &["agent.actor.policy.kind=gmm"], &["online_coeff", "actor.policy.kind = \"gmm\""]),
        (bits, &[], &["online_coeff = 1", "actor.policy.kind = \"bernoulli\""]),
        (pick, &["agent.actor.policy.kind=beta"], &["actor.policy.kind = \"beta\"", "MultiDiscrete([3, 4])"]),
        (aim, &["agent.actor.policy={kind=\"beta\", alpha_low=0}"], &["actor.policy.alpha_low = 0"]),
    ];
    for (make, overrides, parts) in cases {
        let error = Plan::with_env(tiny(overrides), Arc::new(make)).map(|_| ()).expect_err("refused");
        assert!(matches!(error, TrainError::Agent(_)), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{overrides:?}: \"{part}\" is not in: {error}");
        }
    }
}

/// Small enough for minutes on one core.
const LEARN: &str = r#"
[env]
id = "own"
[exploration]
kind = "epsilon_greedy"
steps_anneal = 2_000
[train]
epochs = 20
parallel_actors = 24
timesteps_per_epoch = 60
batches_per_epoch = 100
batch_size = 32
max_seq_len = 6
min_trajectories = 24
[eval]
interval = 20
episodes = 256
[optim]
learning_rate = 1e-3
warmup = 50
[agent]
gamma = 0.9
multi_gammas = [0.5]
tau = 0.01
tstep_encoder = { d_hidden = 64, d_output = 32 }
traj_encoder = { kind = "transformer", d_model = 32, n_heads = 4, d_ff = 64, n_layers = 1 }
actor = { d_hidden = 64 }
critic = { d_hidden = 64 }
"#;

/// Trains and compares the return with that of the random policy.
fn check_learning(name: &str, make: Make, overrides: &[&str], at_least: f64) {
    let extra = std::env::var("AMAGO_LEARN_SET").unwrap_or_default();
    let extra: Vec<&str> =
        overrides.iter().copied().chain(extra.split(';').filter(|x| !x.is_empty())).collect();
    let config = load(LEARN, &extra).expect("a legal config");
    let steps = config.train.epochs * config.train.parallel_actors * config.train.timesteps_per_epoch;
    let before = random(&config, make);
    let start = Instant::now();
    let (report, updates) = run(config, make);
    let (after, seconds) = (report.return_mean, start.elapsed().as_secs_f64());
    println!("{name}: return {before:.2} -> {after:.2}, {steps} steps, {updates} updates, {seconds:.0} s");
    assert!(after >= at_least, "{name}: {after} is below {at_least}");
}

/// The best return is 6; without memory about 3.
#[test]
#[ignore = "trains for minutes"]
fn numbers_are_learned() {
    check_learning("tanh-Gaussian, AMAGO", aim, &[], 5.0);
    check_learning("Beta, AMAGO", aim, &["agent.actor.policy.kind=beta"], 5.0);
    let two = ["agent.preset=amago2", "agent.critic.bins={min=-100, max=100, count=64}"];
    check_learning("tanh-Gaussian, AMAGO-2", aim, &two, 4.2);
}

/// The best return under the masks is about 4.2.
#[test]
#[ignore = "trains for minutes"]
fn masked_choices_are_learned() {
    check_learning("masked choices, AMAGO", pick, &[], 3.8);
    // Classes are learned from fewer samples when there are few of them, over near rewards.
    let two = [
        "agent.preset=amago2",
        "agent.critic.bins={min=0, max=20, count=11, symlog=false}",
        "agent.critic_loss_weight=1",
        "agent.gamma=0.5",
        "agent.multi_gammas=[]",
        "train.epochs=40",
        "eval.interval=40",
    ];
    check_learning("masked choices, AMAGO-2", pick, &two, 3.6);
}

/// The best return is 6.
#[test]
#[ignore = "trains for minutes"]
fn bits_are_learned() {
    let offline = ["agent.online_coeff=0", "agent.offline_coeff=1"];
    check_learning("bits, AMAGO offline", bits, &offline, 4.8);
}
