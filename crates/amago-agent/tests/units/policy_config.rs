//! Which policies are refused.

use amago_agent::{
    AgentConfig, BetaConfig, CategoricalConfig, GmmConfig, PolicyConfig, PolicyError, PolicyHead,
    StdActivation, TanhGaussianConfig,
};
use amago_env::Space;

use super::policies::pair;

#[test]
fn the_kind_fits_the_actions() {
    let discrete = Space::MultiDiscrete { nvec: vec![2, 2] };
    let bits = Space::MultiBinary { n: 2 };
    let kinds = [
        PolicyConfig::Categorical(CategoricalConfig::default()),
        PolicyConfig::Bernoulli {},
        PolicyConfig::TanhGaussian(TanhGaussianConfig::default()),
        PolicyConfig::Beta(BetaConfig::default()),
        PolicyConfig::Gmm(GmmConfig::default()),
    ];
    for space in [&discrete, &bits, &pair()] {
        PolicyHead::new(&PolicyConfig::default(), space).expect("every space has a default");
        let fitting = kinds.iter().filter(|kind| PolicyHead::new(kind, space).is_ok()).count();
        assert_eq!(fitting, if *space == pair() { 3 } else { 1 }, "{space}");
    }
    let error = PolicyHead::new(&kinds[3], &discrete).expect_err("numbers for choices").to_string();
    for part in ["actor.policy.kind", "beta", "MultiDiscrete([2, 2])", "categorical"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn the_online_loss_needs_differentiable_samples() {
    let mut config = AgentConfig::amago();
    config.actor.policy = PolicyConfig::Gmm(GmmConfig::default());
    let error = config.validate().expect_err("no gradient").to_string();
    for part in ["online_coeff = 1", "actor.policy.kind = \"gmm\""] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    // What `auto` stands for is known with the action space.
    config.actor.policy = PolicyConfig::default();
    config.validate().expect("nothing wrong yet");
    let bits = Space::MultiBinary { n: 2 };
    let error = config.policy_head(&bits).expect_err("no gradient").to_string();
    for part in ["online_coeff = 1", "actor.policy.kind = \"bernoulli\""] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    config.online_coeff = 0.0;
    config.policy_head(&bits).expect("imitation needs no gradient of samples");
}

#[test]
fn numbers_of_a_policy_must_be_usable() {
    let refused = |policy: PolicyConfig| {
        let mut config = AgentConfig::amago2();
        config.actor.policy = policy;
        match config.validate().expect_err("unusable") {
            amago_agent::ConfigError::Policy(e) => e,
            other => panic!("{other}"),
        }
    };
    let probs = |min_prob, max_prob| {
        PolicyConfig::Categorical(CategoricalConfig { min_prob, max_prob, ..CategoricalConfig::default() })
    };
    for (min, max) in [(-0.1, 0.99), (0.0, 0.0), (0.5, 0.5), (0.6, 0.5), (0.1, 1.1), (f32::NAN, 0.99)] {
        assert!(matches!(refused(probs(min, max)), PolicyError::ProbRange { .. }));
    }
    let categorical = CategoricalConfig { temperature: 0.0, ..CategoricalConfig::default() };
    let error = refused(PolicyConfig::Categorical(categorical));
    assert_eq!(error, PolicyError::NotPositive { name: "temperature", value: 0.0 });
    for (std_low, std_high) in [(0.0, 1.0), (1.0, 1.0), (f32::NAN, 1.0), (0.1, f32::INFINITY)] {
        let gaussian = TanhGaussianConfig { std_low, std_high, ..TanhGaussianConfig::default() };
        let error = refused(PolicyConfig::TanhGaussian(gaussian));
        assert!(matches!(error, PolicyError::Bounds { name: "std", .. }), "{error}");
        let gmm = GmmConfig { std_low, std_high, ..GmmConfig::default() };
        assert!(matches!(refused(PolicyConfig::Gmm(gmm)), PolicyError::Bounds { name: "std", .. }));
    }
    for clip_actions in [[-1.0, 0.99], [0.5, 0.5], [-0.99, f32::NAN]] {
        let gaussian = TanhGaussianConfig { clip_actions, ..TanhGaussianConfig::default() };
        assert!(matches!(refused(PolicyConfig::TanhGaussian(gaussian)), PolicyError::ClipRange { .. }));
        let beta = BetaConfig { clip_actions, ..BetaConfig::default() };
        assert!(matches!(refused(PolicyConfig::Beta(beta)), PolicyError::ClipRange { .. }));
    }
    let beta = |change: fn(&mut BetaConfig)| {
        let mut config = BetaConfig::default();
        change(&mut config);
        refused(PolicyConfig::Beta(config))
    };
    let error = beta(|c| c.beta_low = -1.0);
    assert_eq!(error, PolicyError::Bounds { name: "beta", low: -1.0, high: f32::MAX });
    assert!(error.to_string().contains("actor.policy.beta_low = -1 and actor.policy.beta_high"), "{error}");
    let error = beta(|c| (c.alpha_low, c.alpha_high) = (2.0, 2.0));
    assert_eq!(error, PolicyError::Bounds { name: "alpha", low: 2.0, high: 2.0 });
    // Between ends there must be ends.
    let error = beta(|c| (c.std_activation, c.alpha_high) = (StdActivation::Tanh, 9.0));
    assert_eq!(error, PolicyError::OpenRange { name: "beta" });
    let gmm = GmmConfig { std_activation: StdActivation::Tanh, ..GmmConfig::default() };
    assert_eq!(refused(PolicyConfig::Gmm(gmm)), PolicyError::OpenRange { name: "std" });
    let gmm = GmmConfig { modes: 0, ..GmmConfig::default() };
    assert_eq!(refused(PolicyConfig::Gmm(gmm)), PolicyError::NoModes);
}
