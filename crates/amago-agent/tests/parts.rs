//! A batch in parts, and masks of one's own. A test program of its own: weights come from the one generator of
//! the backend, and where a filter stands on its threshold, rounding decides.

mod support;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amago_agent::{
    AgentConfig, Draws, Learner, LossMask, Noise, NoiseSource, OptimConfig, PaddingMask, Policy, Purpose,
    TrainBatch, UpdateReport,
};
use amago_env::Space;
use amago_golden::modules::{device, values, weights};
use amago_seqmodel::TrajEncoderConfig;
use burn::tensor::{Device, Distribution, Int, Tensor};

use support::{FirstOnly, agent_in, batch_of, small};

const B: usize = 8;
const L: usize = 6;

static GENERATOR: Mutex<()> = Mutex::new(());

/// The same draws for every test, whichever comes first.
fn seeded() -> (MutexGuard<'static, ()>, Device) {
    let alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let device = device().autodiff();
    device.seed(7);
    (alone, device)
}

/// Sequences of 1, 2, … up to `L` transitions.
fn batch(actions: usize, device: &Device) -> TrainBatch {
    let normal = |shape| Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), device);
    let real: Vec<f32> =
        (0..B).flat_map(|row| (0..=L).map(move |t| if t <= 1 + row % L { 1.0 } else { 0.0 })).collect();
    let mask = Tensor::<1>::from_floats(real.as_slice(), device).reshape([B, L + 1]);
    let chosen = normal([B, L, actions]);
    let actions = chosen.clone().equal(chosen.max_dim(2)).float();
    let rewards = normal([B, L, 1]).squeeze_dim(2);
    TrainBatch { rewards, mask, ..batch_of(actions, device) }
}

/// A step that is nearly the gradient itself: no clipping, and an epsilon far above it.
fn optim(micro_batches: usize, gradient_checkpointing: bool) -> OptimConfig {
    OptimConfig {
        micro_batches,
        gradient_checkpointing,
        learning_rate: 100.0,
        warmup: 0,
        weight_decay: 0.0,
        epsilon: 100.0,
        grad_clip: 1e9,
        ..OptimConfig::default()
    }
}

/// Small, and without dropout: its draws depend on the order of the parts.
fn still(config: AgentConfig) -> AgentConfig {
    let mut config = small(config);
    if let TrajEncoderConfig::Transformer(transformer) = &mut config.traj_encoder {
        (transformer.dropout_ff, transformer.dropout_emb) = (0.0, 0.0);
    }
    config
}

fn figures(report: &UpdateReport) -> Vec<f32> {
    let (parts, norms) = (report.parts, report.grad_norms);
    vec![
        report.loss,
        report.grad_norm,
        norms.tstep_encoder,
        norms.traj_encoder,
        norms.actor,
        norms.critics,
        parts.actor_loss,
        parts.critic_loss,
        parts.entropy,
        parts.q_value,
        parts.td_target,
        parts.advantage,
        parts.filter_pass,
        parts.q_std,
        parts.advantage_std,
        parts.bins_left,
    ]
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn parts_and_checkpointing_change_nothing() {
    let (_alone, device) = seeded();
    let discrete = Space::Discrete { n: 4 };
    for (config, space) in [
        (AgentConfig::amago(), discrete.clone()),
        (AgentConfig::amago2(), discrete),
        (AgentConfig::amago(), Space::box_f32(&[2], -1.0, 1.0)),
    ] {
        let config = still(config);
        let agent = agent_in(&config, space.clone(), &device);
        let batch = batch(space.width(), &device);
        let after = |micro_batches, checkpointing| {
            let optim = optim(micro_batches, checkpointing);
            let mut learner = Learner::new(agent.clone(), config.clone(), optim);
            let report = learner.update(&batch, &mut FirstOnly);
            (
                figures(&report),
                [weights(&learner.agent).concat(), values(&learner.agent.popart.sigma())].concat(),
            )
        };
        let before = weights(&agent).concat();
        let (whole, new) = after(1, false);
        let moved = distance(&before, &new[..before.len()]);
        for (parts, checkpointing) in [(4, false), (1, true), (4, true)] {
            let (figures, other) = after(parts, checkpointing);
            let error = distance(&new, &other) / moved;
            assert!(moved > 1.0 && error < 1e-6, "gradients differ by {error:e} of {moved}");
            for (i, (a, b)) in whole.iter().zip(&figures).enumerate() {
                assert!((a - b).abs() <= 2e-6 * a.abs().max(1e-3), "figure {i}: {a} and {b}");
            }
        }
    }
}

/// Draws that are equal everywhere, so that parts of a batch can have their own.
struct Alike;

impl NoiseSource for Alike {
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        FirstOnly.noise(kind, shape, device)
    }
}

impl Draws for Alike {
    fn critic_subset(&mut self, n: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        FirstOnly.critic_subset(n, shape, device)
    }

    fn actions(&mut self, policy: &Policy, k: usize, purpose: Purpose) -> Tensor<5> {
        FirstOnly.actions(policy, k, purpose)
    }

    fn image_shifts(&mut self, shape: [usize; 3], n: usize, device: &Device) -> Tensor<3, Int> {
        FirstOnly.image_shifts(shape, n, device)
    }

    fn fork(&self) -> Option<Box<dyn Draws>> {
        Some(Box::new(Alike))
    }
}

#[test]
fn parts_side_by_side_equal_the_whole_batch() {
    let (_alone, device) = seeded();
    let space = Space::Discrete { n: 4 };
    for config in [AgentConfig::amago(), AgentConfig::amago2()] {
        let config = still(config);
        let agent = agent_in(&config, space.clone(), &device);
        let batch = batch(space.width(), &device);
        let after = |draws: &mut dyn Draws| {
            let mut learner = Learner::new(agent.clone(), config.clone(), optim(1, false));
            let report = learner.update(&batch, draws);
            (figures(&report), weights(&learner.agent).concat())
        };
        let before = weights(&agent).concat();
        let ((whole, new), (parts, new_in_parts)) = (after(&mut FirstOnly), after(&mut Alike));
        let error = distance(&new, &new_in_parts) / distance(&before, &new);
        assert!(error < 1e-6, "gradients differ by {error:e}");
        for (i, (a, b)) in whole.iter().zip(&parts).enumerate() {
            assert!((a - b).abs() <= 2e-6 * a.abs().max(1e-3), "figure {i}: {a} and {b}");
        }
    }
}

/// Imitates the first sequences only, and teaches the critics nothing.
#[derive(Debug)]
struct FirstRows(usize);

impl LossMask for FirstRows {
    fn actor(&self, _: &TrainBatch, mask: Tensor<3>) -> Tensor<3> {
        let rest = mask.clone().narrow(0, self.0, B - self.0).zeros_like();
        Tensor::cat(vec![mask.narrow(0, 0, self.0), rest], 0)
    }

    fn critic(&self, _: &TrainBatch, mask: Tensor<4>) -> Tensor<4> {
        mask.zeros_like()
    }
}

#[test]
fn a_mask_decides_what_counts() {
    let (_alone, device) = seeded();
    let config = still(AgentConfig::amago2());
    let agent = agent_in(&config, Space::Discrete { n: 4 }, &device);
    let batch = batch(4, &device);
    let learner = || Learner::new(agent.clone(), config.clone(), optim(2, false));
    let all = learner().update(&batch, &mut FirstOnly);
    let masked = learner().with_mask(Arc::new(FirstRows(6))).update(&batch, &mut FirstOnly);
    assert!(all.grad_norms.critics > 0.0 && all.parts.critic_loss > 0.0);
    assert_eq!([masked.grad_norms.critics, masked.parts.critic_loss], [0.0, 0.0]);
    assert_eq!(masked.parts.entropy, all.parts.entropy, "figures count every real timestep");
    let mut plain = agent.clone();
    plain.begin_update(&batch);
    let first = amago_agent::loss(&plain, &config, &batch.rows(&(0..6)), &mut FirstOnly).report.read();
    let error = (masked.parts.actor_loss / first.actor_loss - 1.0).abs();
    assert!(error < 1e-4, "{} and {}", masked.parts.actor_loss, first.actor_loss);
}

/// Counts what has more than the mean loss of the whole batch, the critics' by how much more.
#[derive(Debug)]
struct AboveMean;

impl LossMask for AboveMean {
    fn sees_losses(&self) -> bool {
        true
    }

    fn actor_by_loss(&self, batch: &TrainBatch, loss: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
        assert_eq!((batch.mask.dims()[0], loss.dims()), (B, mask.dims()), "the whole batch");
        mask.clone() * above(&loss, &mask).greater_elem(0.0).float()
    }

    fn critic_by_loss(&self, batch: &TrainBatch, loss: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
        assert_eq!((batch.mask.dims()[0], loss.dims()), (B, mask.dims()), "the whole batch");
        above(&loss, &mask)
    }
}

/// By how much a loss is above its masked mean.
fn above<const D: usize>(loss: &Tensor<D>, mask: &Tensor<D>) -> Tensor<D> {
    let mean = (loss.clone() * mask.clone()).sum() / mask.clone().sum();
    (loss.clone() - mean.unsqueeze()).clamp_min(0.0) * mask.clone()
}

#[test]
fn a_mask_may_see_the_losses() {
    let (_alone, device) = seeded();
    for (config, space) in [
        (AgentConfig::amago(), Space::Discrete { n: 4 }),
        (AgentConfig::amago2(), Space::Discrete { n: 4 }),
        // Critics that learn nothing have no loss to show.
        (AgentConfig { fake_filter: true, ..AgentConfig::amago2() }, Space::box_f32(&[2], -1.0, 1.0)),
    ] {
        let config = still(config);
        let agent = agent_in(&config, space.clone(), &device);
        let batch = batch(space.width(), &device);
        let after = |draws: &mut dyn Draws, mask: Arc<dyn LossMask>, checkpointing| {
            let learner = Learner::new(agent.clone(), config.clone(), optim(1, checkpointing));
            let mut learner = learner.with_mask(mask);
            let report = learner.update(&batch, draws);
            (figures(&report), weights(&learner.agent).concat())
        };
        let before = weights(&agent).concat();
        let (whole, new) = after(&mut FirstOnly, Arc::new(AboveMean), false);
        for (draws, checkpointing) in
            [(&mut Alike as &mut dyn Draws, false), (&mut FirstOnly, true), (&mut Alike, true)]
        {
            let (figures, in_parts) = after(draws, Arc::new(AboveMean), checkpointing);
            let error = distance(&new, &in_parts) / distance(&before, &new);
            assert!(error < 1e-6, "gradients differ by {error:e}");
            for (i, (a, b)) in whole.iter().zip(&figures).enumerate() {
                assert!((a - b).abs() <= 2e-6 * a.abs().max(1e-3), "figure {i}: {a} and {b}");
            }
        }
        // By hand, from the terms of the loss.
        let mut plain = agent.clone();
        plain.begin_update(&batch);
        let terms = amago_agent::loss_terms(&plain, &config, &batch, &mut FirstOnly);
        let mask = terms.mask.expand(terms.actor.loss.dims());
        let mean = |sum: Tensor<1>, count: Tensor<1>| values(&(sum / (count + 1e-5)))[0];
        let chosen = mask.clone() * above(&terms.actor.loss, &mask).greater_elem(0.0).float();
        let actor = mean((terms.actor.loss * chosen.clone()).sum(), chosen.sum());
        assert!((actor - whole[6]).abs() < 1e-4 * actor.abs().max(1.0), "{actor}, not {}", whole[6]);
        let critic = terms.critic.map_or(0.0, |critic| {
            let chosen = above(&critic.loss, &mask.unsqueeze_dim::<4>(0).expand(critic.loss.dims()));
            mean((critic.loss * chosen.clone()).sum(), chosen.sum())
        });
        assert!((critic - whole[7]).abs() < 1e-4 * critic.abs().max(1.0), "{critic}, not {}", whole[7]);
        let (unmasked, _) = after(&mut FirstOnly, Arc::new(PaddingMask), false);
        assert!((unmasked[6] - whole[6]).abs() > 1e-3, "the mask makes no difference");
    }
}

#[test]
#[should_panic(expected = "micro-batches")]
fn micro_batches_have_no_mask_that_sees_the_losses() {
    let (_alone, device) = seeded();
    let config = still(AgentConfig::amago());
    let agent = agent_in(&config, Space::Discrete { n: 4 }, &device);
    let learner = Learner::new(agent, config, optim(2, false));
    learner.with_mask(Arc::new(AboveMean)).update(&batch(4, &device), &mut FirstOnly);
}
