//! Settings that cannot be used: each mistake is named.

use std::sync::Arc;

use amago_agent::LossMask;
use amago_env::{Action, Env, EnvError, Observation, Step, TaskSpec, registry};
use amago_seqmodel::{Identity, TrajEncoder};
use amago_trainer::{EncoderFactory, EnvFactory, OwnParts, Plan};

use crate::support::{Recorder, TINY, load, tiny, train};

/// Every part of the message must be there, and it is one line.
pub fn check_refused(text: &str, overrides: &[&str], parts: &[&str]) {
    let error =
        load(text, overrides).map(|c| format!("{c:?}")).expect_err(&format!("{overrides:?}")).to_string();
    let made = error.starts_with("test.toml:");
    assert!(made || error.starts_with("--set "), "{overrides:?}: the place is not named: {error}");
    for part in parts {
        assert!(error.contains(part), "{overrides:?}: \"{part}\" is not in: {error}");
    }
    assert!(!error.trim_end().contains('\n'), "{overrides:?}: more than one line: {error}");
}

#[test]
fn settings_of_another_kind_are_refused() {
    let minimal = "env.id = \"tmaze-passive\"\n";
    check_refused(
        minimal,
        &["agent.traj_encoder.kind=feed_forward", "agent.traj_encoder.n_heads=2"],
        &["agent.traj_encoder", "n_heads"],
    );
    check_refused(
        minimal,
        &["agent.traj_encoder.kind=mammoth"],
        &["agent.traj_encoder", "mammoth", "transformer", "feed_forward"],
    );
    check_refused(
        minimal,
        &["agent.traj_encoder.kind=identity", "agent.traj_encoder.d_model=2"],
        &["agent.traj_encoder", "d_model"],
    );
    check_refused(
        minimal,
        &["agent.traj_encoder.kind=gru", "agent.traj_encoder.n_heads=2"],
        &["agent.traj_encoder", "n_heads"],
    );
    check_refused(minimal, &["agent.traj_encoder.kind=own"], &["agent.traj_encoder", "name"]);
    check_refused(
        minimal,
        &["agent.traj_encoder.pos_emb=absolute"],
        &["agent.traj_encoder", "absolute", "rope"],
    );
    let cnn = "agent.tstep_encoder.kind=cnn";
    check_refused(minimal, &[cnn, "agent.tstep_encoder.d_hidden=8"], &["agent.tstep_encoder", "d_hidden"]);
    check_refused(minimal, &["agent.tstep_encoder.img_features=8"], &["agent.tstep_encoder", "img_features"]);
    check_refused(
        minimal,
        &[cnn, "agent.tstep_encoder.cnn={ kind = \"drqv2\", channels = [1, 1, 1] }"],
        &["agent.tstep_encoder", "channels"],
    );
    check_refused(minimal, &["agent.traj_encoder.kind=3"], &["agent.traj_encoder", "3"]);
    check_refused(
        minimal,
        &["agent.filter.kind=leaky_ramp", "agent.filter.threshold=1"],
        &["agent.filter", "threshold"],
    );
    check_refused(
        minimal,
        &["agent.actor.policy.kind=beta", "agent.actor.policy.std_low=1"],
        &["agent.actor.policy", "std_low"],
    );
    check_refused(
        minimal,
        &["agent.actor.policy.kind=gauss"],
        &["agent.actor.policy", "gauss", "tanh_gaussian"],
    );
    check_refused(minimal, &["exploration.kind=none", "exploration.eps_end=1"], &["exploration", "eps_end"]);
    check_refused(minimal, &["exploration.horizon=3"], &["exploration", "horizon"]);
    check_refused(
        minimal,
        &["exploration.kind=bilevel", "exploration.eps_end_end=low"],
        &["exploration", "low"],
    );
}

#[test]
fn each_mistake_is_named_with_its_key() {
    check_refused(TINY, &["train.epoch=3"], &["train.epoch", "did you mean \"epochs\""]);
    check_refused(TINY, &["trian.epochs=3"], &["trian", "train"]);
    check_refused(TINY, &["agent.tstep_encoder.d_hiden=3"], &["agent.tstep_encoder.d_hiden", "d_hidden"]);
    check_refused(TINY, &["train.epochs=many"], &["train.epochs", "many", "integer"]);
    check_refused(TINY, &["train.epochs=1.5"], &["train.epochs", "1.5", "integer"]);
    check_refused(TINY, &["train.epochs=-1"], &["train.epochs", "-1"]);
    check_refused(TINY, &["train.sample_actions=1"], &["train.sample_actions", "boolean"]);
    check_refused(TINY, &["train=3"], &["train", "table"]);
    check_refused(TINY, &["agent=3"], &["agent", "table"]);
    check_refused(TINY, &["seed=[1]"], &["seed", "integer"]);
    check_refused(TINY, &["env.id=3"], &["env.id", "string"]);
    check_refused(TINY, &["agent.multi_gammas=[0.9, \"b\"]"], &["agent.multi_gammas[1]"]);
    check_refused(TINY, &["optim.betas=[0.9]"], &["optim.betas"]);
    check_refused(TINY, &["train.context_refresh=never"], &["train.context_refresh", "never", "reencode"]);
    check_refused(TINY, &["replay.traj_save_len=-3"], &["replay.traj_save_len", "-3"]);
    check_refused(TINY, &["seed"], &["--set seed", "key=value"]);
    check_refused(TINY, &["=3"], &["--set =3", "empty"]);
    check_refused(TINY, &["seed.deep=3"], &["seed", "integer"]);
    check_refused(TINY, &["env.id.deep=3"], &["--set env.id.deep=3", "id is a value"]);
    check_refused("", &[], &["env.id", "missing"]);
}

#[test]
fn broken_toml_names_the_source_and_the_line() {
    let error = load("seed = 1\n[train\nepochs = 2\n", &[]).expect_err("broken").to_string();
    assert!(error.starts_with("test.toml") && error.contains("line 2"), "{error}");
}

/// Every part must be in what the plan says.
fn check_plans(cases: &[(&[&str], &[&str])]) {
    for (overrides, parts) in cases {
        let error = Plan::new(tiny(overrides)).map(|_| ()).expect_err(&format!("{overrides:?}")).to_string();
        for part in *parts {
            assert!(error.contains(part), "{overrides:?}: \"{part}\" is not in: {error}");
        }
    }
}

#[test]
fn a_plan_refuses_networks_that_cannot_work() {
    check_plans(&[
        (&["agent.traj_encoder.n_heads=3"], &["agent.traj_encoder.n_heads = 3", "d_model = 8"]),
        (
            &["agent.traj_encoder.pos_emb=rope", "agent.traj_encoder.n_heads=8"],
            &["agent.traj_encoder.pos_emb = \"rope\"", "d_model = 8", "n_heads = 8"],
        ),
        (
            &["agent.traj_encoder.pos_emb=learned", "agent.traj_encoder.max_time=3"],
            &["agent.traj_encoder.max_time = 3", "train.max_seq_len, 4", "pos_emb = \"learned\""],
        ),
        (
            &["agent.traj_encoder.pos_emb=learned", "env.options.corridor_length=2000"],
            &["agent.traj_encoder.max_time = 1024", "the horizon of env.id = \"tmaze-passive\", 2"],
        ),
        (&["agent.n_critics_td=3"], &["agent.n_critics_td = 3", "n_critics = 2"]),
        (&["agent.popart_beta=0"], &["agent.popart_beta = 0 must be above 0"]),
        (&["agent.popart_init_nu=-1"], &["agent.popart_init_nu = -1 must be"]),
        (
            &["agent.tstep_encoder.input_norm.beta=2"],
            &["agent.tstep_encoder.input_norm.beta = 2 must be above 0"],
        ),
        (&["agent.actor.dropout=1"], &["agent.actor.dropout = 1 must be at least 0 and below 1"]),
        (&["agent.critic.dropout=-0.5"], &["agent.critic.dropout = -0.5 must be"]),
        (
            &["agent.preset=amago2", "agent.critic.bins.sigma=0"],
            &["agent.critic.bins.sigma = 0 must be above 0 and at most critic.bins.count"],
        ),
        (
            &["agent.actor.policy={kind=\"categorical\", min_prob=-0.1}"],
            &["agent.actor.policy.min_prob = -0.1", "0 <= min"],
        ),
        (&["agent.traj_encoder.sink_size=2"], &["sink_size = 2", "window_size = 0"]),
        (&["agent.traj_encoder.sink_bias=1.5"], &["sink_bias = 1.5", "sink_size = 0"]),
        (
            &["agent.traj_encoder={kind=\"own\", name=\"mine\"}"],
            &["agent.traj_encoder.kind = \"own\"", "\"mine\"", "with_parts"],
        ),
    ]);
}

#[test]
fn a_plan_refuses_settings_that_cannot_work() {
    check_plans(&[
        (&["env.id=tmaze-pasive"], &["tmaze-pasive", "did you mean \"tmaze-passive\""]),
        (&["env.options.corridor=3"], &["tmaze-passive", "corridor", "corridor_length"]),
        (&["env.options.corridor_length=far"], &["corridor_length", "far"]),
        (&["env.options.corridor_length=0"], &["corridor_length", "at least 1"]),
        (&["agent.tstep_encoder.obs_keys=[\"image\"]"], &["obs_keys", "image", "observation"]),
        (&["agent.gamma=1"], &["gamma", "1", "below 1"]),
        (&["agent.gamma=nan"], &["gamma", "NaN"]),
        (&["optim.learning_rate=0"], &["optim.learning_rate"]),
        (&["optim.micro_batches=0"], &["optim.micro_batches must be at least 1"]),
        (
            &["optim.micro_batches=3", "train.batch_size=2"],
            &["optim.micro_batches = 3", "train.batch_size = 2"],
        ),
        (&["train.batch_size=0"], &["train.batch_size", "at least 1"]),
        (&["train.epochs=0"], &["train.epochs", "at least 1"]),
        (&["exploration.kind=epsilon_greedy", "exploration.eps_start=2"], &["exploration", "eps_start", "2"]),
        (
            &["train.min_trajectories=5", "replay.max_trajectories=4"],
            &["train.min_trajectories", "5", "replay.max_trajectories"],
        ),
        (&["replay.relabel=all"], &["replay.relabel", "env.id = \"tmaze-passive\"", "\"goals\" [k, d]"]),
        (
            &["env.id=mazerunner", "env.options={ k_shot = 2 }", "replay.relabel=some"],
            &["replay.relabel", "env.options.k_shot"],
        ),
    ]);
}

#[test]
fn an_encoder_that_nobody_asked_for_is_refused() {
    let encoder: EncoderFactory = Arc::new(|d, _| TrajEncoder::new(Identity::new(d)));
    let parts = OwnParts { encoder: Some(encoder), ..OwnParts::default() };
    let error = Plan::with_parts(tiny(&[]), parts.clone()).map(|_| ()).expect_err("unused").to_string();
    assert!(error.contains("OwnParts::encoder") && error.contains("agent.traj_encoder.kind"), "{error}");
    let own = "agent.traj_encoder={kind=\"own\", name=\"mine\"}";
    Plan::with_parts(tiny(&[own]), parts).expect("a legal plan");
}

/// A table of learned positions that is long enough for the task, and one that nobody reads.
#[test]
fn positions_need_a_vector_for_every_timestep() {
    let learned = "agent.traj_encoder.pos_emb=learned";
    let horizon = Plan::new(tiny(&[])).and_then(|plan| plan.make_envs(1)).expect("a task")[0].spec().horizon;
    let horizon = horizon.expect("a corridor ends");
    let plan =
        |max_time: usize| Plan::new(tiny(&[learned, &format!("agent.traj_encoder.max_time={max_time}")]));
    plan(horizon + 1).expect("the observation after the last step has one");
    let error = plan(horizon).map(|_| ()).expect_err("it has none").to_string();
    assert!(error.contains(&format!("agent.traj_encoder.max_time = {horizon} must be above")), "{error}");
    Plan::new(tiny(&["agent.traj_encoder.max_time=1"])).expect("sinusoids need no table");
}

/// A task that names no horizon may last longer than any table.
#[test]
fn learned_positions_of_an_endless_task_are_worth_a_warning() {
    struct Endless(Box<dyn Env>, TaskSpec);
    impl Env for Endless {
        fn spec(&self) -> &TaskSpec {
            &self.1
        }
        fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
            self.0.reset(seed, obs)
        }
        fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
            self.0.step(action, obs)
        }
    }
    let learned = ["agent.traj_encoder.pos_emb=learned", "agent.traj_encoder.max_time=9"];
    for (settings, told) in [(&learned[..], 1), (&[], 0)] {
        let config = tiny(settings);
        let task = config.env.clone();
        let make: EnvFactory = Arc::new(move || {
            let env = registry::make(&task.id, &task.options)?;
            let spec = TaskSpec { horizon: None, ..env.spec().clone() };
            Ok(Box::new(Endless(env, spec)))
        });
        let plan = Plan::with_env(config, make).expect("a legal plan");
        assert_eq!(plan.warnings().len(), told);
        assert!(plan.warnings().iter().all(|text| text.contains("agent.traj_encoder.max_time = 9")));
    }
}

/// Told once at the start of a run, and only where the floor reaches that high.
#[test]
fn a_floor_that_hides_the_best_option_is_worth_a_warning() {
    let policy = |min_prob: f32| format!("agent.actor.policy={{kind=\"categorical\", min_prob={min_prob}}}");
    let warnings = |overrides: &[&str]| Plan::new(tiny(overrides)).expect("a legal plan").warnings().to_vec();
    assert!(warnings(&[]).is_empty());
    assert!(warnings(&[&policy(0.0)]).is_empty());
    // Four options: 0.99 / (0.99 + 3 · 0.3).
    let high = policy(0.3);
    let told = warnings(&[&high]);
    assert_eq!(told.len(), 1);
    for part in ["agent.actor.policy.min_prob", "best of 4 options", "at most 0.52"] {
        assert!(told[0].contains(part), "{part} is not in: {told:?}");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (plan, mut seen) = (Plan::new(tiny(&[&high])).expect("a legal plan"), Recorder::default());
    train(&plan, &dir.path().join("run"), &mut seen).expect("it runs");
    assert_eq!(seen.warnings.iter().filter(|text| **text == told[0]).count(), 1, "{:?}", seen.warnings);
}

/// Masks that look at the batch alone are exact in any number of parts.
#[test]
fn a_mask_that_sees_the_losses_excludes_micro_batches() {
    #[derive(Debug)]
    struct Sees(bool);
    impl LossMask for Sees {
        fn sees_losses(&self) -> bool {
            self.0
        }
    }
    let plan = |sees, micro_batches| {
        let parts = OwnParts { loss_mask: Some(Arc::new(Sees(sees))), ..OwnParts::default() };
        Plan::with_parts(tiny(&[&format!("optim.micro_batches={micro_batches}")]), parts).map(|_| ())
    };
    plan(false, 2).expect("it sees the batch alone");
    plan(true, 1).expect("the whole batch is there");
    let error = plan(true, 2).expect_err("the losses come one part after the other").to_string();
    assert!(error.contains("optim.micro_batches = 2") && error.contains("LossMask::sees_losses"), "{error}");
}
