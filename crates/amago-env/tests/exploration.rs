//! Exploration schedules, configuration and state.

use amago_env::exploration::{
    BilevelConfig, EpsilonGreedyConfig, Exploration, ExplorationConfig, ExplorationError, ExplorationState,
    TmazeConfig,
};
use amago_env::{Action, Rng, Role, Space, rng};

fn stream() -> Rng {
    rng(11, Role::Exploration, 0, 0)
}

fn greedy(start: f64, end: f64, randomize_eps: bool) -> ExplorationConfig {
    let (eps_start, eps_end) = (start, end);
    ExplorationConfig::EpsilonGreedy(EpsilonGreedyConfig {
        eps_start,
        eps_end,
        steps_anneal: 100,
        randomize_eps,
    })
}

fn make(config: ExplorationConfig, space: &Space) -> Exploration {
    Exploration::new(config, None, space).expect("a legal configuration")
}

/// Fault 3 of the original: exploration without a random factor crashed.
#[test]
fn unrandomised_noise_follows_the_bare_schedule() {
    let space = Space::Discrete { n: 4 };
    let mut e = make(greedy(1.0, 0.5, false), &space);
    let mut rng = stream();
    for step in 0..200u64 {
        if step % 10 == 0 {
            e.start_episode(&mut rng);
        }
        let expected = (1.0 - 0.005 * step as f64).max(0.5);
        assert!((e.epsilon(3) - expected).abs() < 1e-12, "step {step}: {}", e.epsilon(3));
        e.apply(&mut Action::Discrete(1), 3, None, &mut rng);
    }
    assert_eq!(e.state(), ExplorationState { global_step: 200, multiplier: 1.0 });
}

#[test]
fn each_episode_draws_a_factor() {
    let mut e = make(greedy(1.0, 0.5, true), &Space::Discrete { n: 4 });
    let mut rng = stream();
    let mut factors = Vec::new();
    for _ in 0..200 {
        e.start_episode(&mut rng);
        let factor = e.state().multiplier;
        assert!((0.0..1.0).contains(&factor));
        assert_eq!(e.epsilon(0), factor);
        factors.push(factor);
    }
    let mean = factors.iter().sum::<f64>() / 200.0;
    assert!((mean - 0.5).abs() < 0.1, "mean factor {mean}");
}

#[test]
fn full_noise_reaches_every_action_and_none_changes_nothing() {
    let spaces = [
        (Space::Discrete { n: 300 }, Action::Discrete(7)),
        (Space::MultiDiscrete { nvec: vec![3, 4] }, Action::MultiDiscrete(vec![2, 3])),
        (Space::MultiBinary { n: 3 }, Action::MultiBinary(vec![true, false, true])),
        (Space::box_f32(&[2], -1.0, 1.0), Action::Continuous(vec![0.5, -1.0])),
    ];
    for (space, policy) in spaces {
        let mut rng = stream();
        let mut out = vec![0.0; space.width()];
        let mut seen = vec![false; space.width()];
        let mut loud = make(greedy(1.0, 1.0, false), &space);
        let mut silent = make(ExplorationConfig::None {}, &space);
        for _ in 0..4000 {
            let mut action = policy.clone();
            loud.apply(&mut action, 0, None, &mut rng);
            action.encode(&space, &mut out).expect("noise keeps actions legal");
            seen.iter_mut().zip(&out).for_each(|(seen, x)| *seen |= *x > 0.0);
            let mut action = policy.clone();
            silent.apply(&mut action, 0, None, &mut rng);
            assert_eq!(action, policy);
        }
        assert!(seen.iter().all(|s| *s), "{space}: an action was never tried");
        assert_eq!(silent.state().global_step, 4000);
    }
}

#[test]
fn half_noise_changes_about_half() {
    let space = Space::MultiDiscrete { nvec: vec![1000, 1000] };
    let mut e = make(greedy(0.5, 0.5, false), &space);
    let mut rng = stream();
    let mut changed = [0; 3];
    for _ in 0..2000 {
        let mut action = Action::MultiDiscrete(vec![0, 0]);
        e.apply(&mut action, 0, None, &mut rng);
        let Action::MultiDiscrete(a) = action else { panic!("the kind of an action changed") };
        changed[a.iter().filter(|x| **x != 0).count()] += 1;
    }
    // Independent components: a quarter none, half one, a quarter both.
    for (count, expected) in changed.into_iter().zip([500_i32, 1000, 500]) {
        assert!((count - expected).abs() < 120, "{changed:?}");
    }
}

#[test]
fn tmaze_is_loud_at_the_ends_only() {
    let config = TmazeConfig { steps_anneal: 10, ..TmazeConfig::default() };
    let mut e =
        Exploration::new(ExplorationConfig::Tmaze(config.clone()), Some(100), &Space::Discrete { n: 4 })
            .expect("a legal configuration");
    e.restore(ExplorationState { global_step: 5, multiplier: 0.5 });
    let loud = 0.5 * (1.0 - 0.99 * 0.5);
    for (step, expected) in [(0, loud), (1, 0.005), (96, 0.005), (97, loud), (99, loud)] {
        assert!((e.epsilon(step) - expected).abs() < 1e-12, "step {step}: {}", e.epsilon(step));
    }
    // A maze too short for a corridor is loud throughout; the configured horizon goes first.
    let short = TmazeConfig { horizon: Some(2), ..config };
    let e = Exploration::new(ExplorationConfig::Tmaze(short), Some(100), &Space::Discrete { n: 4 })
        .expect("a legal configuration");
    assert_eq!([0, 1, 50].map(|step| e.epsilon(step)), [1.0; 3]);
}

#[test]
fn bilevel_never_goes_below_zero() {
    let config = BilevelConfig { horizon: Some(10), ..BilevelConfig::default() };
    let e = make(ExplorationConfig::Bilevel(config), &Space::Discrete { n: 2 });
    assert_eq!(e.epsilon(1000), 0.0);
    assert!((e.epsilon(5) - 0.9).abs() < 1e-12);
}

#[test]
fn restored_state_goes_on_alike() {
    let space = Space::box_f32(&[2], -1.0, 1.0);
    let mut one = make(greedy(1.0, 0.1, true), &space);
    let mut rng = stream();
    one.start_episode(&mut rng);
    for step in 0..7 {
        one.apply(&mut Action::Continuous(vec![0.0, 0.0]), step, None, &mut rng);
    }
    let text = toml::to_string(&one.state()).expect("plain numbers");
    let mut two = make(greedy(1.0, 0.1, true), &space);
    two.restore(toml::from_str(&text).expect("the same state"));
    let mut other = rng.clone();
    for step in 7..20 {
        let (mut a, mut b) = (Action::Continuous(vec![0.1, 0.2]), Action::Continuous(vec![0.1, 0.2]));
        one.apply(&mut a, step, None, &mut rng);
        two.apply(&mut b, step, None, &mut other);
        assert_eq!(a, b);
    }
    assert_eq!(one, two);
}

#[test]
fn bad_numbers_are_refused() {
    let space = Space::Discrete { n: 2 };
    let refuse = |config| Exploration::new(config, None, &space).expect_err("unusable");
    assert!(matches!(refuse(greedy(1.5, 0.0, true)), ExplorationError::Epsilon { field: "eps_start", .. }));
    assert!(matches!(
        refuse(greedy(1.0, f64::NAN, true)),
        ExplorationError::Epsilon { field: "eps_end", .. }
    ));
    assert!(matches!(refuse(greedy(0.1, 0.2, true)), ExplorationError::Grows { .. }));
    let steps = EpsilonGreedyConfig { steps_anneal: 0, ..EpsilonGreedyConfig::default() };
    assert_eq!(refuse(ExplorationConfig::EpsilonGreedy(steps)), ExplorationError::Zero("steps_anneal"));
    let bilevel = ExplorationConfig::Bilevel(BilevelConfig::default());
    assert_eq!(refuse(bilevel), ExplorationError::NoHorizon("bilevel"));
    let zero = ExplorationConfig::Tmaze(TmazeConfig { horizon: Some(0), ..TmazeConfig::default() });
    assert_eq!(refuse(zero), ExplorationError::Zero("horizon"));
}

#[test]
fn configuration_is_read_from_toml() {
    let read = |text: &str| toml::from_str::<ExplorationConfig>(text);
    assert_eq!(read("kind = \"epsilon_greedy\"").expect("defaults"), ExplorationConfig::default());
    let bilevel = BilevelConfig { eps_end_end: 0.5, ..BilevelConfig::default() };
    assert_eq!(
        read("kind = \"bilevel\"\neps_end_end = 0.5").expect("legal"),
        ExplorationConfig::Bilevel(bilevel)
    );
    assert_eq!(read("kind = \"none\"").expect("legal"), ExplorationConfig::None {});
    for bad in
        ["kind = \"loud\"", "kind = \"none\"\neps = 1", "kind = \"tmaze\"\neps_begin = 1.0", "eps_end = 0.1"]
    {
        assert!(read(bad).is_err(), "{bad}");
    }
    for config in [
        ExplorationConfig::default(),
        ExplorationConfig::Bilevel(BilevelConfig::default()),
        ExplorationConfig::Tmaze(TmazeConfig { horizon: Some(9), ..TmazeConfig::default() }),
        ExplorationConfig::None {},
    ] {
        let text = toml::to_string(&config).expect("configuration is plain TOML");
        assert_eq!(read(&text).expect("its own text"), config);
    }
}
