//! Settings that cannot be used: each mistake is named.

use std::sync::Arc;

use amago_seqmodel::{Identity, TrajEncoder};
use amago_trainer::{EncoderFactory, OwnParts, Plan};

use crate::support::{TINY, load, tiny};

/// Every part of the message must be there, and it is one line.
pub fn check_refused(text: &str, overrides: &[&str], parts: &[&str]) {
    let error =
        load(text, overrides).map(|c| format!("{c:?}")).expect_err(&format!("{overrides:?}")).to_string();
    for part in ["test.toml"].iter().chain(parts) {
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
    check_refused(TINY, &["train.epoch=3"], &["train.epoch", "epochs", "batch_size"]);
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

#[test]
fn a_plan_refuses_settings_that_cannot_work() {
    let cases: [(&[&str], &[&str]); 21] = [
        (&["agent.traj_encoder.n_heads=3"], &["agent.traj_encoder.n_heads = 3", "d_model = 8"]),
        (
            &["agent.traj_encoder.pos_emb=rope", "agent.traj_encoder.n_heads=8"],
            &["agent.traj_encoder.pos_emb = \"rope\"", "d_model = 8", "n_heads = 8"],
        ),
        (&["agent.traj_encoder.sink_size=2"], &["sink_size = 2", "window_size = 0"]),
        (&["agent.traj_encoder.sink_bias=1.5"], &["sink_bias = 1.5", "sink_size = 0"]),
        (
            &["agent.traj_encoder={kind=\"own\", name=\"mine\"}"],
            &["agent.traj_encoder.kind = \"own\"", "\"mine\"", "with_parts"],
        ),
        (&["env.id=tmaze-pasive"], &["tmaze-pasive", "meta-frozen-lake", "did you mean \"tmaze-passive\""]),
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
    ];
    for (overrides, parts) in cases {
        let error = Plan::new(tiny(overrides)).map(|_| ()).expect_err(&format!("{overrides:?}")).to_string();
        for part in parts {
            assert!(error.contains(part), "{overrides:?}: \"{part}\" is not in: {error}");
        }
    }
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
