use amago_agent::{ActorKind, AgentConfig, ConfigError, CriticKind, Filter, OptimConfig};
use amago_seqmodel::{
    FfTstepConfig, ModelError, NormKind, TrajEncoderConfig, TransformerConfig, TstepEncoderConfig,
};

/// The error of AMAGO's defaults with one change.
fn error(change: impl FnOnce(&mut AgentConfig)) -> ConfigError {
    let mut config = AgentConfig::amago();
    change(&mut config);
    config.validate().expect_err("the change cannot be built")
}

/// The error of the default optimiser with one change.
fn optim_error(change: impl FnOnce(&mut OptimConfig)) -> ConfigError {
    let mut config = OptimConfig::default();
    change(&mut config);
    config.validate().expect_err("the change cannot train")
}

#[test]
fn the_defaults_are_valid_and_those_of_the_papers() {
    let (amago, amago2) = (AgentConfig::amago(), AgentConfig::amago2());
    amago.validate().expect("AMAGO");
    amago2.validate().expect("AMAGO-2");
    OptimConfig::default().validate().expect("the optimiser");
    assert_eq!(amago.gammas(), [0.1, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999]);
    assert_eq!((amago.n_critics, amago.n_critics_td, amago.n_step), (4, 2, 1));
    assert_eq!((amago.online_coeff, amago.offline_coeff), (1.0, 0.1));
    assert_eq!((amago2.online_coeff, amago2.offline_coeff), (0.0, 1.0));
    assert_eq!((amago2.k_critic, amago2.k_actor), (1, 3));
}

#[test]
fn errors_of_networks_name_the_part() {
    let actor = error(|c| {
        (c.actor.kind, c.actor.norm, c.actor.d_ff) = (ActorKind::Residual, NormKind::Simnorm, 12);
    });
    let cause = ModelError::SimNorm { norm: "norm", width: "d_ff", d: 12 };
    assert_eq!(actor, ConfigError::Model { part: "actor", cause });
    let narrow = FfTstepConfig { d_hidden: 0, ..FfTstepConfig::default() };
    let tstep = error(|c| c.tstep_encoder = TstepEncoderConfig::FeedForward(narrow));
    assert_eq!(tstep, ConfigError::Model { part: "tstep_encoder", cause: ModelError::Zero("d_hidden") });
    let heads = TransformerConfig { d_model: 30, n_heads: 4, ..TransformerConfig::default() };
    let traj = error(|c| c.traj_encoder = TrajEncoderConfig::Transformer(heads));
    let cause = ModelError::Heads { n_heads: 4, d_model: 30 };
    assert_eq!(traj, ConfigError::Model { part: "traj_encoder", cause });
    assert!(traj.to_string().contains("traj_encoder"));
}

#[test]
fn counts_must_be_positive() {
    let zero = |change: fn(&mut AgentConfig), name| assert_eq!(error(change), ConfigError::Zero(name));
    zero(|c| c.n_critics = 0, "n_critics");
    zero(|c| c.n_critics_td = 0, "n_critics_td");
    zero(|c| c.k_critic = 0, "k_critic");
    zero(|c| c.k_actor = 0, "k_actor");
    zero(|c| c.n_step = 0, "n_step");
    zero(|c| c.actor.n_layers = 0, "actor.n_layers");
    zero(|c| c.actor.d_hidden = 0, "actor.d_hidden");
    zero(|c| c.actor.d_ff = 0, "actor.d_ff");
    zero(|c| c.critic.n_layers = 0, "critic.n_layers");
    zero(|c| c.critic.d_hidden = 0, "critic.d_hidden");
}

#[test]
fn clamps_must_have_a_range() {
    for (low, high) in [(1.0, 0.5), (f32::NAN, 1.0), (0.0, f32::NAN)] {
        let clamp = |e, expected: &str| {
            assert!(matches!(e, ConfigError::Clamp { name, .. } if name == expected), "{e}");
        };
        let exponential =
            |clamp_advantage, clamp_weight| Filter::Exponential { beta: 1.0, clamp_advantage, clamp_weight };
        clamp(error(|c| c.filter = exponential([low, high], [0.0, 1.0])), "filter.clamp_advantage");
        clamp(error(|c| c.filter = exponential([-1.0, 1.0], [low, high])), "filter.clamp_weight");
        let ramp = |clamp_weight| Filter::LeakyRamp {
            beta: 2.0,
            hinge: 0.0,
            slope: 0.1,
            f0: 0.0,
            clamp_weight,
            add_binary: true,
        };
        clamp(error(|c| c.filter = ramp([low, high])), "filter.clamp_weight");
    }
}

#[test]
fn positive_numbers_must_be_positive() {
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let not_positive = |e, expected: &str| {
            assert!(matches!(e, ConfigError::NotPositive { name, .. } if name == expected), "{e}");
        };
        not_positive(error(|c| c.reward_multiplier = bad), "reward_multiplier");
        let exponential =
            |beta| Filter::Exponential { beta, clamp_advantage: [-1.0, 1.0], clamp_weight: [0.0, 1.0] };
        not_positive(error(|c| c.filter = exponential(bad)), "filter.beta");
        not_positive(error(|c| c.filter = leaky(bad)), "filter.beta");
        not_positive(optim_error(|c| c.learning_rate = f64::from(bad)), "learning_rate");
        not_positive(optim_error(|c| c.grad_clip = bad), "grad_clip");
        not_positive(optim_error(|c| c.epsilon = bad), "epsilon");
    }
}

fn leaky(beta: f32) -> Filter {
    Filter::LeakyRamp { beta, hinge: 0.01, slope: 0.05, f0: 0.01, clamp_weight: [0.0, 1.0], add_binary: true }
}

#[test]
fn numbers_must_be_in_range() {
    let out_of_range = |e: ConfigError, expected: &str| {
        assert!(matches!(&e, ConfigError::Range { name, .. } if name.starts_with(expected)), "{e}");
    };
    for gamma in [1.0, -0.1, f32::NAN] {
        out_of_range(error(|c| c.gamma = gamma), "gamma");
        out_of_range(error(|c| c.multi_gammas = vec![0.9, gamma]), "multi_gammas");
    }
    for coeff in [-0.1, f32::NAN, f32::INFINITY] {
        out_of_range(error(|c| c.online_coeff = coeff), "online_coeff");
        out_of_range(error(|c| c.offline_coeff = coeff), "offline_coeff");
        out_of_range(error(|c| c.critic_loss_weight = coeff), "critic_loss_weight");
        out_of_range(optim_error(|c| c.weight_decay = coeff), "weight_decay");
    }
    for tau in [-0.1, 1.1, f32::NAN] {
        out_of_range(error(|c| c.tau = tau), "tau");
    }
    for dropout in [-0.1, 1.0, f64::NAN] {
        out_of_range(error(|c| c.actor.dropout = dropout), "actor.dropout");
        out_of_range(error(|c| c.critic.dropout = dropout), "critic.dropout");
    }
    for beta in [0.0, 1.0, f64::NAN] {
        out_of_range(error(|c| c.popart_beta = beta), "popart_beta");
    }
    for nu in [0.0, -1.0, 1e9, f32::NAN] {
        out_of_range(error(|c| c.popart_init_nu = nu), "popart_init_nu");
    }
    for beta in [-0.1, 1.0, f32::NAN] {
        out_of_range(optim_error(|c| c.betas[0] = beta), "betas");
        out_of_range(optim_error(|c| c.betas[1] = beta), "betas");
    }
}

#[test]
fn a_target_has_no_more_critics_than_there_are() {
    let refused = error(|c| (c.n_critics, c.n_critics_td) = (4, 9));
    assert_eq!(refused, ConfigError::TooManyCritics { td: 9, all: 4 });
    assert_eq!(refused.to_string(), "n_critics_td = 9 must not be above n_critics = 4");
    let all = AgentConfig { n_critics: 4, n_critics_td: 4, ..AgentConfig::amago() };
    all.validate().expect("as many as there are");
}

#[test]
fn the_actor_must_have_a_loss() {
    assert_eq!(error(|c| (c.online_coeff, c.offline_coeff) = (0.0, 0.0)), ConfigError::NoActorLoss);
}

#[test]
fn classification_has_its_own_rules() {
    let classify = |c: &mut AgentConfig| c.critic.kind = CriticKind::Classification;
    let bins = error(|c| {
        classify(c);
        c.critic.bins.count = 1;
    });
    assert_eq!(bins, ConfigError::BinCount(1));
    for (min, max) in [(1.0, 1.0), (2.0, 1.0), (f32::NEG_INFINITY, 1.0), (0.0, f32::NAN)] {
        let range = error(|c| {
            classify(c);
            (c.critic.bins.min, c.critic.bins.max) = (min, max);
        });
        assert!(matches!(range, ConfigError::BinRange { .. }), "{range}");
    }
    for value in [-2.0, 1e6, f32::NAN] {
        let out = error(|c| {
            classify(c);
            (c.critic.bins.min, c.critic.bins.init_value) = (-1.0, Some(value));
        });
        assert!(matches!(out, ConfigError::InitValue { min: -1.0, .. }), "{out}");
        assert!(out.to_string().contains("init_value") && out.to_string().contains("critic.bins.max"));
    }
    for sigma in [0.0, -1.0, 129.0, f32::NAN] {
        let width = error(|c| {
            classify(c);
            c.critic.bins.sigma = sigma;
        });
        assert!(matches!(width, ConfigError::Range { name: "critic.bins.sigma", .. }), "{width}");
    }
    // Regression never looks at the bins.
    let mut regression = AgentConfig::amago();
    regression.critic.bins.count = 1;
    regression.validate().expect("unused settings do no harm");
}
