//! One update, from batch to new weights.

use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use crate::{Agent, AgentConfig, Draws, LossReport, OptimConfig, TrainBatch, clip_by_global_norm, loss};

/// An agent with its optimiser.
#[derive(Clone)]
pub struct Learner {
    /// The networks.
    pub agent: Agent,
    /// AdamW state.
    pub optimizer: ModuleOptimizer,
    /// Updates done.
    pub updates: u64,
    config: AgentConfig,
    optim: OptimConfig,
}

/// What one update did.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct UpdateReport {
    /// The loss that was differentiated.
    pub loss: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f32,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Parts of the loss.
    pub parts: LossReport,
}

/// Learning rate of update `k` (from zero): `rate · min(k / warmup, 1)`.
pub fn warmup(rate: f64, warmup: usize, k: u64) -> f64 {
    if warmup == 0 { rate } else { rate * (k as f64 / warmup as f64).min(1.0) }
}

impl OptimConfig {
    /// A fresh AdamW with these settings.
    pub fn init(&self) -> ModuleOptimizer {
        AdamWConfig::new()
            .with_beta_1(self.betas[0])
            .with_beta_2(self.betas[1])
            .with_epsilon(self.epsilon)
            .with_weight_decay(self.weight_decay)
            .init()
    }
}

impl Learner {
    /// A learner that has done no update.
    pub fn new(agent: Agent, config: AgentConfig, optim: OptimConfig) -> Self {
        Self { agent, optimizer: optim.init(), updates: 0, config, optim }
    }

    /// One update: augmentation, statistics, loss, backward, clip, targets, AdamW. The targets move *before* the
    /// optimiser step, from the weights that the loss saw.
    ///
    /// When the loss or its gradient is not finite nothing changes, and the report shows why.
    pub fn update(&mut self, batch: &TrainBatch, draws: &mut dyn Draws) -> UpdateReport {
        let mut agent = self.agent.clone();
        let batch = agent.augment(batch, draws);
        agent.begin_update(&batch);
        let loss = loss(&agent, &self.config, &batch, draws);
        let mut grads = GradientsParams::from_grads(loss.total.backward(), &agent);
        let norm = clip_by_global_norm(&agent, &mut grads, self.optim.grad_clip);
        let norm = norm.unwrap_or_else(|| Tensor::zeros([1], &loss.total.device().inner()));
        // One transfer for all numbers, after the backward pass. The step counts of the running
        // statistics are the only other values that the host reads.
        let (parts, [total, grad_norm]) = loss.report.read_with([loss.total, norm]);
        let learning_rate = warmup(self.optim.learning_rate, self.optim.warmup, self.updates);
        let report = UpdateReport { loss: total, grad_norm, learning_rate, parts };
        if !(total.is_finite() && grad_norm.is_finite()) {
            return report;
        }
        agent.popart = loss.popart;
        agent = agent.update_targets(self.config.tau);
        self.agent = self.optimizer.step(learning_rate, agent, grads);
        self.updates += 1;
        report
    }
}
