//! Sizes that no machine can hold, one by one and together.

use amago_trainer::Plan;

use crate::support::{device, load, tiny};

/// Every size, by its whole key, and before anything is built.
#[test]
fn absurd_sizes_are_refused() {
    let actor = "agent.actor={ kind = \"residual\", d_ff = 4294967296 }";
    let gru = "agent.traj_encoder={ kind = \"gru\", d_hidden = 4294967296 }";
    let cases = [
        ("agent.n_critics=4294967296", "agent.n_critics = 4294967296"),
        ("agent.n_critics_td=4294967296", "agent.n_critics_td = 4294967296"),
        ("agent.k_actor=4294967296", "agent.k_actor = 4294967296"),
        ("agent.tstep_encoder.n_layers=4294967296", "agent.tstep_encoder.n_layers = 4294967296"),
        ("agent.tstep_encoder.d_output=4294967296", "agent.tstep_encoder.d_output = 4294967296"),
        ("agent.traj_encoder.d_model=4294967296", "agent.traj_encoder.d_model = 4294967296"),
        ("agent.traj_encoder.sink_size=4294967296", "agent.traj_encoder.sink_size = 4294967296"),
        (gru, "agent.traj_encoder.d_hidden = 4294967296"),
        (actor, "agent.actor.d_ff = 4294967296"),
        ("agent.critic.bins.count=4294967296", "agent.critic.bins.count = 4294967296"),
        ("train.parallel_actors=4294967296", "train.parallel_actors = 4294967296"),
        ("train.batch_size=9223372036854775807", "train.batch_size = 9223372036854775807"),
        ("eval.episodes=4294967296", "eval.episodes = 4294967296"),
    ];
    for (setting, part) in cases {
        let error = Plan::new(tiny(&[setting])).map(|_| ()).expect_err(setting).to_string();
        assert!(error.starts_with(part) && error.contains("at most"), "{setting}: {error}");
    }
    Plan::new(tiny(&["train.max_seq_len=9223372036854775807"])).expect("a window that holds everything");
}

/// Sizes that are possible one by one, but not together.
#[test]
fn a_run_without_room_is_refused() {
    let check = |overrides: &[&str], parts: &[&str]| {
        let plan = Plan::new(tiny(overrides)).expect("each size is possible");
        let error = plan.check_memory(&device()).expect_err("no machine has this").to_string();
        for part in parts {
            assert!(error.contains(part), "{overrides:?}: \"{part}\" is not in: {error}");
        }
    };
    if !amago_ops::is_fused(&device()) || !std::path::Path::new("/proc/meminfo").exists() {
        return;
    }
    check(
        &["agent.tstep_encoder.d_hidden=1000000", "agent.tstep_encoder.n_layers=9"],
        &["[agent]", "machine has"],
    );
    check(&["train.batch_size=1000000", "agent.traj_encoder.d_ff=1000000"], &["train.batch_size"]);
    let long = ["env.options.corridor_length=100000000", "train.max_seq_len=100000000"];
    check(&[&long[..], &["train.parallel_actors=60000"]].concat(), &["train.parallel_actors"]);
    Plan::new(tiny(&[])).expect("legal").check_memory(&device()).expect("a tiny run has room");
}

/// The estimate is one from below, but not from far below.
#[test]
fn estimates_of_weights_are_close() {
    use burn::module::Module;
    let recurrent = ["agent.traj_encoder={ kind = \"gru\" }", "agent.actor.kind=residual"];
    let mamba = ["agent.traj_encoder={ kind = \"mamba\" }", "agent.preset=amago2"];
    let wide = ["agent.traj_encoder.kind=feed_forward"];
    for overrides in [&[][..], &["agent.preset=amago2"], &recurrent, &mamba, &wide] {
        let plan = Plan::new(load("env.id = \"tmaze-passive\"\n", overrides).expect("legal")).expect("legal");
        let agent = plan.agent(&device());
        let (critics, actor) = (agent.critics.num_params(), agent.actor.num_params());
        let trained =
            agent.tstep_encoder.num_params() + Module::num_params(&agent.traj_encoder) + critics + actor;
        let exact = 4.0 * (5 * trained + actor + 2 * critics) as f64;
        let share = plan.memory().weights / exact;
        assert!((0.8..=1.0).contains(&share), "{overrides:?}: {share}");
    }
}
