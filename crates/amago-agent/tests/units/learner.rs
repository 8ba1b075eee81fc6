use std::collections::BTreeMap;

use amago_agent::{
    Agent, AgentConfig, BetaConfig, Draws, GmmConfig, Learner, Noise, NoiseSource, ObsSpec, OptimConfig,
    Policy, PolicyConfig, Purpose, RandomDraws, StepInput, TrainBatch, UpdateReport, soft_update,
};
use amago_env::Space;
use amago_golden::modules::{device, values, weights};
use amago_seqmodel::{
    CnnConfig, CnnTstepConfig, GridworldConfig, ObsKind, ObsLayout, ObsTensors, TstepEncoderConfig,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Int, Tensor};

use super::assert_close;
use crate::support::{FirstOnly, OBS, agent_in, batch_of, small};

pub const B: usize = 2;
pub const L: usize = 5;
pub const ACTIONS: usize = 4;

fn agent(config: &AgentConfig, device: &Device) -> Agent {
    agent_in(config, Space::Discrete { n: ACTIONS }, device)
}

fn learner(config: AgentConfig) -> Learner {
    let config = small(config);
    let optim = OptimConfig { warmup: 0, learning_rate: 1e-2, ..OptimConfig::default() };
    Learner::new(agent(&config, &device().autodiff()), config, optim)
}

pub fn batch(device: &Device) -> TrainBatch {
    let first = Tensor::<1>::from_floats([1.0, 0.0, 0.0, 0.0], device);
    batch_of(first.reshape([1, 1, ACTIONS]).expand([B, L, ACTIONS]), device)
}

fn vectors(batch: &TrainBatch) -> Tensor<3> {
    batch.obs.vectors.clone().expect("only vectors")
}

fn update(learner: &mut Learner, batch: &TrainBatch) -> UpdateReport {
    learner.update(batch, &mut RandomDraws)
}

/// Counts the calls for shifts of images, and draws at random.
struct Counted(usize);

impl NoiseSource for Counted {
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        RandomDraws.noise(kind, shape, device)
    }
}

impl Draws for Counted {
    fn critic_subset(&mut self, n: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        RandomDraws.critic_subset(n, shape, device)
    }

    fn actions(&mut self, policy: &Policy, k: usize, purpose: Purpose) -> Tensor<5> {
        RandomDraws.actions(policy, k, purpose)
    }

    fn image_shifts(&mut self, shape: [usize; 3], n: usize, device: &Device) -> Tensor<3, Int> {
        self.0 += 1;
        assert_eq!((shape, n), ([1, L + 1, 2], 9), "half of the batch, every frame by itself");
        RandomDraws.image_shifts(shape, n, device)
    }
}

#[test]
fn only_updates_shift_images() {
    let device = device().autodiff();
    let gridworld = CnnConfig::Gridworld(GridworldConfig::default());
    let cnn = CnnTstepConfig {
        cnn: gridworld,
        drqv2_aug: true,
        aug_pct_of_batch: 0.5,
        ..CnnTstepConfig::default()
    };
    let mut config = small(AgentConfig::amago());
    config.tstep_encoder = TstepEncoderConfig::Cnn(cnn);
    let obs = ObsLayout(vec![("camera".into(), ObsKind::Image([4, 4, 1]))]);
    let agent = Agent::new(&config, &ObsSpec { obs, action: Space::Discrete { n: ACTIONS } }, &device);
    let image = Tensor::<1, Int>::arange(0..(B * (L + 1) * 16) as i64, &device);
    let images = BTreeMap::from([("camera".into(), image.reshape([B, L + 1, 4, 4, 1]))]);
    let batch = TrainBatch { obs: ObsTensors { vectors: None, images }, ..batch(&device) };
    let mut draws = Counted(0);
    agent.states(&batch);
    amago_agent::loss(&agent, &config, &batch, &mut draws);
    assert_eq!(draws.0, 0, "a loss alone changes no image");
    let report = Learner::new(agent, config, OptimConfig::default()).update(&batch, &mut draws);
    assert!(report.loss.is_finite());
    assert_eq!(draws.0, 1);
}

#[test]
fn an_update_changes_weights() {
    for config in [AgentConfig::amago(), AgentConfig::amago2()] {
        let mut learner = learner(config);
        let before = weights(&learner.agent.actor);
        let report = update(&mut learner, &batch(&device().autodiff()));
        assert!(report.loss.is_finite() && report.grad_norm > 0.0, "{report:?}");
        assert_eq!((learner.updates, report.learning_rate), (1, 1e-2));
        assert_ne!(weights(&learner.agent.actor), before);
    }
}

#[test]
fn targets_move_from_the_weights_that_the_loss_saw() {
    let mut learner = learner(AgentConfig { tau: 0.25, ..AgentConfig::amago() });
    let batch = batch(&device().autodiff());
    // The first update makes target and trained weights differ.
    update(&mut learner, &batch);
    let (old, trained) = (learner.agent.target_critics.clone(), learner.agent.critics.clone());
    update(&mut learner, &batch);
    let agent = &learner.agent;
    assert_eq!(weights(&agent.maximized_critics), weights(&trained));
    assert_ne!(weights(&agent.critics), weights(&trained));
    let expected = soft_update(old, &trained, 0.25);
    for (got, expected) in weights(&agent.target_critics).iter().zip(weights(&expected)) {
        assert_close(got, &expected, 1e-7);
    }
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing() {
    for bad in [f32::NAN, f32::INFINITY] {
        for config in [AgentConfig::amago(), AgentConfig::amago2()] {
            let mut learner = learner(config);
            let mut batch = batch(&device().autodiff());
            update(&mut learner, &batch);
            let before = weights(&learner.agent);
            batch.obs = (vectors(&batch) * bad).into();
            let report = update(&mut learner, &batch);
            assert!(!(report.loss.is_finite() && report.grad_norm.is_finite()), "{report:?}");
            assert_eq!(weights(&learner.agent), before);
            assert_eq!(learner.updates, 1);
        }
    }
}

/// An agent of every kind of critic and policy in a space, with an online loss where there can be one.
pub fn agents_in(action: &Space) -> Vec<AgentConfig> {
    let policies = match action {
        Space::Box(_) => vec![
            PolicyConfig::default(),
            PolicyConfig::Beta(BetaConfig::default()),
            PolicyConfig::Gmm(GmmConfig::default()),
        ],
        _ => vec![PolicyConfig::default()],
    };
    let mut configs = Vec::new();
    for policy in policies {
        for config in [AgentConfig::amago(), AgentConfig::amago2()] {
            for online_coeff in [0.0, 0.5] {
                let mut config = small(AgentConfig { online_coeff, k_critic: 2, ..config.clone() });
                config.actor.policy = policy.clone();
                if config.policy_head(action).is_ok() {
                    configs.push(config);
                }
            }
        }
    }
    configs
}

pub fn spaces() -> [Space; 4] {
    [
        Space::Discrete { n: ACTIONS },
        Space::MultiDiscrete { nvec: vec![2, ACTIONS - 2] },
        Space::MultiBinary { n: ACTIONS },
        Space::box_f32(&[ACTIONS], -1.0, 1.0),
    ]
}

#[test]
fn every_action_space_learns_with_every_agent() {
    let expected = [4, 4, 2, 10];
    for (space, expected) in spaces().into_iter().zip(expected) {
        let configs = agents_in(&space);
        assert_eq!(configs.len(), expected, "{space}");
        for config in configs {
            let device = device().autodiff();
            let optim = OptimConfig { warmup: 0, learning_rate: 1e-2, ..OptimConfig::default() };
            let mut learner = Learner::new(agent_in(&config, space.clone(), &device), config, optim);
            let batch = batch(&device);
            for _ in 0..3 {
                let before = weights(&learner.agent.actor);
                let report = update(&mut learner, &batch);
                assert!(report.loss.is_finite() && report.grad_norm > 0.0, "{space}: {report:?}");
                assert!(report.parts.entropy.is_finite(), "{space}: {report:?}");
                assert_ne!(weights(&learner.agent.actor), before, "{space}");
            }
        }
    }
}

#[test]
fn padding_does_not_count_in_any_action_space() {
    for space in spaces() {
        for config in agents_in(&space) {
            check_padding(&AgentConfig { n_step: 3, ..config }, &space);
        }
    }
}

fn check_padding(config: &AgentConfig, space: &Space) {
    let device = device();
    let agent = agent_in(config, space.clone(), &device);
    let mut batch = batch(&device);
    batch.legal = Some(Tensor::ones([B, L + 1, ACTIONS], &device));
    let kept = 3;
    let mask = Tensor::<2>::ones([B, L + 1], &device);
    batch.mask = mask.slice_fill([0..B, kept + 1..L + 1], 0.0);
    let loss = |batch: &TrainBatch| {
        let total = amago_agent::loss(&agent, config, batch, &mut FirstOnly).total;
        values(&total)[0]
    };
    let clean = loss(&batch);
    batch.rewards = batch.rewards.slice_fill([0..B, kept..L], 1e6);
    batch.actions = batch.actions.slice_fill([0..B, kept..L, 0..ACTIONS], 7.0);
    batch.obs = vectors(&batch).slice_fill([0..B, kept + 1..L + 1, 0..OBS], -5.0).into();
    // Of padding only: a mask that allows nothing, and one that is no mask.
    let legal = Tensor::<3>::ones([B, L + 1, ACTIONS], &device);
    let legal = legal.slice_fill([0..1, kept + 1..L + 1, 0..ACTIONS], 0.0);
    batch.legal = Some(legal.slice_fill([1..B, kept + 1..L + 1, 0..ACTIONS], -3.0));
    assert_close(&[loss(&batch)], &[clean], 1e-5);
}

/// Adds to the bias of the actor's outputs for the last option.
struct FavourLast(Vec<f32>);

impl ModuleMapper for FavourLast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if param.val().dims() != [self.0.len(); D] {
            return param;
        }
        param.map(|old| old.clone() + Tensor::<1>::from_floats(self.0.as_slice(), &old.device()).unsqueeze())
    }
}

/// Whatever the actors say of an option that is illegal in every state, no part of the loss sees it.
#[test]
fn illegal_options_are_out_of_every_loss() {
    let device = device();
    for space in spaces().into_iter().take(2) {
        for mut config in agents_in(&space) {
            // No other bias is as wide as the outputs.
            config.actor.d_hidden = 10;
            let gammas = config.gammas().len();
            let agent = agent_in(&config, space.clone(), &device);
            let mut favour = FavourLast(vec![0.0; gammas * ACTIONS]);
            (0..gammas).for_each(|g| favour.0[(g + 1) * ACTIONS - 1] = 3.0);
            let mut other = agent.clone();
            other.actor = other.actor.map(&mut favour);
            other.target_actor = other.target_actor.map(&mut favour);
            let mut batch = batch(&device);
            let read = |agent: &Agent, batch: &TrainBatch| {
                let loss = amago_agent::loss(agent, &config, batch, &mut FirstOnly);
                let parts = loss.report.read();
                [values(&loss.total)[0], parts.entropy, parts.td_target, parts.advantage]
            };
            let [free, favoured] = [read(&agent, &batch), read(&other, &batch)];
            assert!((free[1] - favoured[1]).abs() > 1e-2, "{space}: the option makes no difference");
            let legal = Tensor::<3>::ones([B, L + 1, ACTIONS], &device);
            batch.legal = Some(legal.slice_fill([0..B, 0..L + 1, ACTIONS - 1..ACTIONS], 0.0));
            let [masked, favoured] = [read(&agent, &batch), read(&other, &batch)];
            assert_close(&favoured, &masked, 1e-5);
            assert!(masked[1] < free[1], "{space}: fewer options, yet no less entropy");
        }
    }
}

pub fn probs(policy: Policy) -> Tensor<4> {
    let Policy::Categorical(policy) = policy else { panic!("another kind for discrete actions") };
    policy.probs
}

#[test]
fn acting_step_by_step_equals_the_training_pass() {
    let config = small(AgentConfig::amago());
    let device = device();
    let agent = agent(&config, &device);
    let batch = batch(&device);
    let all = probs(agent.policy(&agent.actor, agent.states(&batch), None));
    let g = config.gammas().len();
    let mut state = agent.rollout_state(B, L + 1, &device);
    for t in 0..=L {
        let input = StepInput {
            obs: vectors(&batch).narrow(1, t, 1).into(),
            rl2s: batch.rl2s.clone().narrow(1, t, 1),
            times: batch.times.clone().narrow(1, t, 1),
            legal: None,
        };
        let acting = all.clone().narrow(1, t, 1).narrow(2, g - 1, 1);
        assert_close(&values(&probs(agent.act(input, &mut state))), &values(&acting), 1e-5);
    }
}
