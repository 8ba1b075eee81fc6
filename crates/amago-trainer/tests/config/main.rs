//! Configs: what loads, what is refused, and that a resolved config says everything.

mod keys;
mod refused;
mod sizes;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use amago_agent::{AgentConfig, CriticKind, Filter, PolicyConfig, StdActivation};
use amago_env::exploration::ExplorationConfig;
use amago_seqmodel::{CnnConfig, ImpalaConfig, NormKind, TrajEncoderConfig, TstepEncoderConfig};
use amago_trainer::{ActionChoice, Plan, RunConfig, RunDir};
use refused::check_refused;
use support::{TINY, load, tiny};

/// Loads what a run folder would hold.
fn reload(config: &RunConfig) -> RunConfig {
    let dir = tempfile::tempdir().expect("a folder");
    RunDir::create(&dir.path().join("run"), config).expect("a run folder");
    RunDir::open(&dir.path().join("run")).expect("its config").1
}

#[test]
fn every_committed_config_loads_and_plans() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut found = 0;
    for file in fs::read_dir(&dir).expect("configs/").map(|f| f.expect("an entry").path()) {
        if file.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        found += 1;
        let text = fs::read_to_string(&file).expect("a readable file");
        let config = load(&text, &[]).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let plan = Plan::new(config).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert_eq!(reload(&plan.config), plan.config, "{}", file.display());
    }
    assert!(found >= 2, "{} holds {found} configs", dir.display());
}

#[test]
fn a_preset_chooses_the_defaults_of_the_agent() {
    let minimal = "env.id = \"tmaze-passive\"\n";
    assert_eq!(load(minimal, &[]).unwrap().agent, AgentConfig::amago());
    assert_eq!(load(minimal, &["agent.preset=amago"]).unwrap().agent, AgentConfig::amago());
    assert_eq!(load(minimal, &["agent.preset=amago2"]).unwrap().agent, AgentConfig::amago2());
    let changed = load(minimal, &["agent.preset=amago2", "agent.tau=0.5"]).unwrap().agent;
    assert_eq!(changed, AgentConfig { tau: 0.5, ..AgentConfig::amago2() });
    assert_eq!(changed.critic.kind, CriticKind::Classification);
    check_refused(minimal, &["agent.preset=amago3"], &["agent.preset", "amago3", "amago2"]);
    check_refused(minimal, &["agent.preset=3"], &["agent.preset", "amago2"]);
}

#[test]
fn a_resolved_config_loads_equal() {
    let minimal = "env.id = \"tmaze-passive\"\n";
    let cnn = "agent.tstep_encoder.kind=cnn";
    let token = "agent.tstep_encoder.goal={ kind = \"token\", key = \"aim\", max_token = 9 }";
    let cases: [(&str, &[&str]); 24] = [
        (minimal, &[]),
        (minimal, &["replay.max_trajectories=0"]),
        (TINY, &["agent.filter.kind=exponential"]),
        (minimal, &["agent.preset=amago2"]),
        (
            TINY,
            &["agent.preset=amago2", "agent.critic.bins.labels=hl-gauss", "agent.critic.bins.symlog=false"],
        ),
        (minimal, &["agent.traj_encoder.kind=feed_forward", "agent.traj_encoder.n_layers=2"]),
        (minimal, &["agent.traj_encoder.kind=gru", "agent.traj_encoder.d_hidden=64"]),
        (minimal, &["agent.traj_encoder={kind=\"mamba\", d_state=8, d_conv=2, expand=1}"]),
        (minimal, &["agent.traj_encoder.kind=identity"]),
        (minimal, &["agent.traj_encoder={kind=\"own\", name=\"mine\"}"]),
        (
            TINY,
            &[
                "agent.traj_encoder.pos_emb=learned",
                "agent.traj_encoder.max_time=9",
                "agent.traj_encoder.window_size=3",
                "agent.traj_encoder.sink_size=1",
                "agent.traj_encoder.sink_bias=0.3",
                "agent.traj_encoder.logit_clip=20",
                "agent.traj_encoder.activation=adaptive",
            ],
        ),
        (TINY, &["agent.actor.policy.kind=gmm", "agent.actor.policy.modes=3", "agent.actor.kind=residual"]),
        (TINY, &["agent.actor.policy={kind=\"tanh_gaussian\", std_activation=\"softplus\", std_high=3}"]),
        (TINY, &["agent.actor.policy.kind=bernoulli", "agent.critic.bins.init_value=-3"]),
        (TINY, &["agent.actor.policy={kind=\"categorical\", max_prob=1.0}", "agent.actor.norm=rmsnorm"]),
        (TINY, &["exploration={kind=\"bilevel\", horizon=4}", "agent.filter.kind=leaky_ramp"]),
        (
            TINY,
            &[
                "exploration.kind=tmaze",
                "replay.max_bytes=100000",
                "replay.traj_save_len=3",
                "replay.relabel=some",
            ],
        ),
        (TINY, &["agent.tstep_encoder.obs_keys=[\"observation\"]", "train.context_refresh=keep"]),
        (TINY, &[token, "agent.tstep_encoder.hide_rewards=true"]),
        (
            TINY,
            &[cnn, token, "agent.tstep_encoder.drqv2_aug=true", "agent.tstep_encoder.channels_first=true"],
        ),
        (TINY, &[cnn, "agent.tstep_encoder.cnn.kind=drqv2", "agent.tstep_encoder.hide_rl2s=true"]),
        (TINY, &[cnn, "agent.tstep_encoder.cnn={ kind = \"impala\", depths = [8, 4], group_norm = false }"]),
        (TINY, &[cnn, "agent.tstep_encoder.cnn={ kind = \"gridworld\", strides = [1, 2, 1] }"]),
        (TINY, &["agent.multi_gammas=[]", "agent.gamma=0.1", "optim.learning_rate=1", "replay.padding=both"]),
    ];
    for (text, overrides) in cases {
        let config = load(text, overrides).unwrap_or_else(|e| panic!("{overrides:?}: {e}"));
        assert_eq!(reload(&config), config, "{overrides:?}");
    }
}

#[test]
fn a_resolved_config_that_was_cut_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = RunDir::create(&dir.path().join("run"), &tiny(&[])).expect("a run folder");
    let file = fs::File::options().write(true).open(run.config_file()).expect("the config");
    let whole = file.metadata().expect("its size").len();
    for len in (0..whole - 2).rev().step_by(5) {
        file.set_len(len).expect("shorter");
        let error = RunDir::open(run.path()).expect_err("cut").to_string();
        assert!(error.contains("config.toml"), "cut to {len} bytes: {error}");
    }
}

#[test]
fn another_kind_drops_the_settings_of_the_old_one() {
    let file = "env.id = \"tmaze-passive\"\n[agent.traj_encoder]\nkind = \"transformer\"\nn_heads = 2\n";
    let settings = ["agent.traj_encoder.kind=feed_forward", "agent.traj_encoder.d_model=64"];
    let TrajEncoderConfig::FeedForward(encoder) = load(file, &settings).unwrap().agent.traj_encoder else {
        panic!("another kind")
    };
    assert_eq!(encoder.d_model, 64);
    let images = "env.id = \"a\"\n[agent.tstep_encoder]\nkind = \"cnn\"\n\
                  [agent.tstep_encoder.cnn]\nkind = \"gridworld\"\nkernels = [1, 1, 1]\n";
    let settings = ["agent.tstep_encoder.cnn.kind=impala", "agent.tstep_encoder.cnn.depths=[8]"];
    let TstepEncoderConfig::Cnn(encoder) = load(images, &settings).unwrap().agent.tstep_encoder else {
        panic!("another kind")
    };
    assert_eq!(encoder.cnn, CnnConfig::Impala(ImpalaConfig { depths: vec![8], group_norm: true }));
    // The same one drops nothing, whether the file names it or not.
    for file in [file, "env.id = \"tmaze-passive\"\nagent.traj_encoder.n_heads = 2\n"] {
        let same = load(file, &["agent.traj_encoder.kind=transformer"]).unwrap().agent.traj_encoder;
        assert!(matches!(same, TrajEncoderConfig::Transformer(t) if t.n_heads == 2));
    }
    // Nor does another one drop what was asked for together with it.
    let settings = ["agent.traj_encoder.d_hidden=64", "agent.traj_encoder.kind=gru"];
    let TrajEncoderConfig::Gru(encoder) = load(file, &settings).unwrap().agent.traj_encoder else {
        panic!("another kind")
    };
    assert_eq!(encoder.d_hidden, 64);
}

#[test]
fn another_kind_replaces_a_table() {
    let minimal = "env.id = \"tmaze-passive\"\n";
    let config =
        load(minimal, &["agent.traj_encoder.kind=feed_forward", "agent.traj_encoder.d_model=64"]).unwrap();
    let TrajEncoderConfig::FeedForward(encoder) = &config.agent.traj_encoder else { panic!("{config:?}") };
    assert_eq!((encoder.d_model, encoder.n_layers), (64, 1));

    let config = load(minimal, &["agent.filter.kind=leaky_ramp", "agent.filter.beta=3"]).unwrap();
    let Filter::LeakyRamp { beta, hinge, add_binary, .. } = config.agent.filter else { panic!("{config:?}") };
    assert_eq!((beta, hinge, add_binary), (3.0, 1e-2, true));

    let config = load(minimal, &["exploration.kind=bilevel", "exploration.eps_end_end=0"]).unwrap();
    let ExplorationConfig::Bilevel(noise) = &config.exploration else { panic!("{config:?}") };
    assert_eq!((noise.eps_end_end, noise.eps_end_start, noise.horizon), (0.0, 0.8, None));
    let config = load(minimal, &["exploration.kind=none"]).unwrap();
    assert_eq!(config.exploration, ExplorationConfig::None {});

    // The default's own kind keeps the other defaults.
    let config = load(minimal, &["exploration.kind=epsilon_greedy", "exploration.eps_end=0.5"]).unwrap();
    let ExplorationConfig::EpsilonGreedy(noise) = &config.exploration else { panic!("{config:?}") };
    assert_eq!((noise.eps_start, noise.eps_end, noise.steps_anneal), (1.0, 0.5, 1_000_000));
}

#[test]
fn overrides_reach_nested_keys_and_take_plain_text() {
    let config = tiny(&[
        "env.id = meta-frozen-lake",
        "env.options={ size = 4 }",
        "env.options.k_episodes=3",
        "agent.traj_encoder.dropout_ff=0",
        "optim.learning_rate=1",
        "optim.betas=[0, 0.5]",
        "train.batch_size=1_000",
        "seed=7",
        "seed=8",
    ]);
    assert_eq!(config.env.id, "meta-frozen-lake");
    assert_eq!(config.env.options, "size = 4\nk_episodes = 3".parse().unwrap());
    assert_eq!((config.optim.learning_rate, config.optim.betas), (1.0, [0.0, 0.5]));
    assert_eq!((config.train.batch_size, config.seed), (1000, 8));
    let TrajEncoderConfig::Transformer(encoder) = &config.agent.traj_encoder else { panic!("{config:?}") };
    assert_eq!((encoder.dropout_ff, encoder.d_model), (0.0, 8));
}

#[test]
fn settings_of_networks_are_read() {
    let config = tiny(&[
        "agent.popart_beta=0.1",
        "agent.popart_init_nu=7",
        "agent.tstep_encoder.input_norm={ beta = 0.2, init_nu = 3 }",
        "agent.actor.dropout=0.3",
        "agent.actor.policy={kind=\"beta\", alpha_high=9, beta_high=8, std_activation=\"tanh\"}",
        "agent.critic.dropout=0.4",
        "agent.critic.bins.sigma=0.9",
        "agent.traj_encoder={kind=\"feed_forward\", d_model=8, dropout=0.5, norm=\"layer\", out_norm=\"rmsnorm\"}",
    ]);
    assert_eq!(reload(&config), config);
    let agent = &config.agent;
    assert_eq!((agent.popart_beta, agent.popart_init_nu), (0.1, 7.0));
    assert_eq!((agent.actor.dropout, agent.critic.dropout, agent.critic.bins.sigma), (0.3, 0.4, 0.9));
    let TstepEncoderConfig::FeedForward(tstep) = &agent.tstep_encoder else { panic!("{config:?}") };
    assert_eq!((tstep.input_norm.beta, tstep.input_norm.init_nu), (0.2, 3.0));
    let PolicyConfig::Beta(policy) = &agent.actor.policy else { panic!("{config:?}") };
    assert_eq!((policy.alpha_high, policy.beta_high), (9.0, 8.0));
    assert_eq!(policy.std_activation, StdActivation::Tanh);
    let TrajEncoderConfig::FeedForward(traj) = &agent.traj_encoder else { panic!("{config:?}") };
    assert_eq!((traj.d_ff, traj.width_of_blocks(), traj.dropout), (None, 32, 0.5));
    assert_eq!((traj.norm, traj.out_norm), (NormKind::Layer, NormKind::Rmsnorm));
    // The defaults are those of the original.
    let config = tiny(&[]).agent;
    assert_eq!((config.popart_beta, config.popart_init_nu), (5e-4, 100.0));
    assert_eq!((config.actor.dropout, config.critic.dropout, config.critic.bins.sigma), (0.0, 0.0, 0.75));
    let TstepEncoderConfig::FeedForward(tstep) = &config.tstep_encoder else { panic!("{config:?}") };
    assert_eq!((tstep.input_norm.beta, tstep.input_norm.init_nu), (1e-4, 1.0));
}

/// What folders of older versions hold: settings that came later have their defaults.
#[test]
fn a_config_without_newer_settings_still_loads() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = RunDir::create(&dir.path().join("run"), &tiny(&[])).expect("a run folder");
    let text = fs::read_to_string(run.config_file()).expect("the config");
    let newer =
        ["popart_beta", "popart_init_nu", "dropout =", "sigma =", "beta = 0.0001", "init_nu", ".input_norm]"];
    let old: Vec<&str> = text.lines().filter(|line| !newer.iter().any(|new| line.contains(new))).collect();
    assert!(old.len() + 7 < text.lines().count() + 1, "{text}");
    fs::write(run.config_file(), old.join("\n")).expect("an older config");
    assert_eq!(RunDir::open(run.path()).expect("it loads").1, tiny(&[]));
}

#[test]
fn settings_of_the_optimiser_are_read() {
    let optim = tiny(&[]).optim;
    assert_eq!((optim.micro_batches, optim.reset_interval), (1, 0));
    let optim = tiny(&["optim.micro_batches=2", "optim.reset_interval=300"]).optim;
    assert_eq!((optim.micro_batches, optim.reset_interval), (2, 300));
    // A batch has two sequences.
    Plan::new(tiny(&["optim.micro_batches=2"])).expect("as many parts as sequences");
    check_refused(TINY, &["optim.reset_interval=-1"], &["optim.reset_interval", "-1"]);
}

/// Run folders and configs of before `eval.actions` go on as they were.
#[test]
fn the_setting_of_before_is_understood() {
    let eval = |text: &str, overrides: &[&str]| load(text, overrides).expect("legal").eval.actions;
    let old = |value| format!("env.id = \"tmaze-passive\"\n[eval]\ngreedy = {value}\n");
    assert_eq!(eval("env.id = \"tmaze-passive\"\n", &[]), ActionChoice::Sampled);
    assert_eq!(eval(&old("true"), &[]), ActionChoice::Greedy);
    assert_eq!(eval(&old("false"), &[]), ActionChoice::Sampled);
    assert_eq!(eval(&old("true"), &["eval.actions=sampled"]), ActionChoice::Sampled);
    assert_eq!(eval(&old("true"), &["eval.greedy=false"]), ActionChoice::Sampled);
    assert_eq!(eval(TINY, &["eval.greedy=true"]), ActionChoice::Greedy);
    check_refused(&old("1"), &[], &["eval.greedy = 1", "eval.actions", "sampled"]);
    check_refused(&format!("{}actions = \"greedy\"\n", old("true")), &[], &["eval.greedy", "eval.actions"]);
    check_refused(TINY, &["eval.actions=mean"], &["eval.actions", "mean", "sampled", "greedy"]);
}
