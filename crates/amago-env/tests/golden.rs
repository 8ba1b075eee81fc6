//! Exploration against recordings of the original implementation.

use amago_env::exploration::{
    BilevelConfig, EpsilonGreedyConfig, Exploration, ExplorationConfig, ExplorationState, blend_continuous,
    blend_discrete,
};
use amago_env::{Rng, Space};
use amago_golden::{Case, Report};

/// The recordings are 64-bit; the comparison is made in 32 bits.
const TOLERANCE: f64 = 1e-6;

fn bilevel(case: &Case) -> (ExplorationConfig, usize) {
    let config = BilevelConfig {
        eps_start_start: case.need("eps_start_start"),
        eps_start_end: case.need("eps_start_end"),
        eps_end_start: case.need("eps_end_start"),
        eps_end_end: case.need("eps_end_end"),
        steps_anneal: case.need("steps_anneal"),
        randomize_eps: case.need("randomize_eps"),
        horizon: None,
    };
    (ExplorationConfig::Bilevel(config), case.need("rollout_horizon"))
}

fn exploration(config: ExplorationConfig, horizon: usize, space: &Space) -> Exploration {
    Exploration::new(config, Some(horizon), space).expect("a legal configuration")
}

/// Every combination of global step, multiplier and local step, in the order of the recording.
fn schedule(exploration: &mut Exploration, case: &Case) -> Vec<f32> {
    let mut out = Vec::new();
    for global_step in case.get("in.global_step").f64() {
        for multiplier in case.get("in.multiplier").f64() {
            exploration.restore(ExplorationState { global_step: global_step as u64, multiplier });
            for local_step in case.get("in.local_step").f64() {
                out.push(exploration.epsilon(local_step as usize) as f32);
            }
        }
    }
    out
}

fn check_schedule(case: &Case, report: &mut Report) {
    let (config, horizon) = bilevel(case);
    let space = Space::Discrete { n: 2 };
    let got = schedule(&mut exploration(config, horizon, &space), case);
    report.close("bilevel_eps", &got, &case.get("out.bilevel_eps").f32(), TOLERANCE);
    let mut greedy: EpsilonGreedyConfig = case.need("egreedy");
    greedy.randomize_eps = case.need("randomize_eps");
    let config = ExplorationConfig::EpsilonGreedy(greedy);
    let got = schedule(&mut exploration(config, horizon, &space), case);
    report.close("egreedy_eps", &got, &case.get("out.egreedy_eps").f32(), TOLERANCE);
}

/// Calls `blend(step, eps)` for each recorded step, the global step counting on from the recorded one.
fn for_each_step(case: &Case, mut blend: impl FnMut(usize, f64)) {
    let (config, horizon) = bilevel(case);
    let mut exploration = exploration(config, horizon, &Space::Discrete { n: 2 });
    let multiplier = case.get("in.multiplier").f64()[0];
    let first = case.get("in.global_step0").f64()[0] as u64;
    for (step, local) in case.get("in.local_step").f64().into_iter().enumerate() {
        exploration.restore(ExplorationState { global_step: first + step as u64, multiplier });
        blend(step, exploration.epsilon(local as usize));
    }
}

fn check_discrete(case: &Case, report: &mut Report) {
    let (actions, random) = (case.get("in.action").f64(), case.get("rand.integers").f64());
    let uniform = case.get("rand.random").f64();
    let mut got = Vec::new();
    for_each_step(case, |i, eps| {
        got.push(blend_discrete(actions[i] as usize, random[i] as usize, uniform[i], eps));
    });
    let expected: Vec<_> = case.get("out.action").f64().into_iter().map(|a| a as usize).collect();
    report.equal("action", &got, &expected);
}

fn check_continuous(case: &Case, report: &mut Report) {
    let (actions, normal) = (case.get("in.action").f32(), case.get("rand.normal").f64());
    let width = actions.len() / case.get("in.local_step").f64().len();
    let mut got = Vec::new();
    for_each_step(case, |step, eps| {
        got.extend((step * width..(step + 1) * width).map(|i| blend_continuous(actions[i], normal[i], eps)));
    });
    report.close("action", &got, &case.get("out.action").f32(), TOLERANCE);
}

#[test]
fn golden_exploration() {
    amago_golden::run(
        "amago-env",
        &[
            ("exploration_bilevel_schedule", check_schedule),
            ("exploration_noise_discrete", check_discrete),
            ("exploration_noise_continuous", check_continuous),
        ],
    );
}

/// `apply` itself, not only the pure functions, follows the schedule step by step.
#[test]
fn golden_formulas_drive_apply() {
    let space = Space::box_f32(&[3], -1.0, 1.0);
    let config = ExplorationConfig::Bilevel(BilevelConfig { steps_anneal: 10, ..BilevelConfig::default() });
    let mut exploration = exploration(config, 50, &space);
    exploration.restore(ExplorationState { global_step: 4, multiplier: 0.9 });
    let mut rng: Rng = amago_env::rng(3, amago_env::Role::Exploration, 0, 0);
    let mut draws = rng.clone();
    for step in 0..5 {
        let eps = exploration.epsilon(step);
        let mut action = amago_env::Action::Continuous(vec![0.1, -0.2, 0.3]);
        exploration.apply(&mut action, step, None, &mut rng);
        let mut expected = vec![0.1, -0.2, 0.3];
        for x in &mut expected {
            *x = blend_continuous(*x, rand::RngExt::sample(&mut draws, rand_distr::StandardNormal), eps);
        }
        assert_eq!(action, amago_env::Action::Continuous(expected));
        assert_eq!(exploration.state().global_step, 5 + step as u64);
    }
}
