//! One update, from batch to new weights.

use std::sync::Arc;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

use crate::executor::Executor;
use crate::last_batch::{BatchReport, LastBatch};
use crate::{
    Agent, AgentConfig, Draws, GradNorms, LossMask, OptimConfig, PaddingMask, TrainBatch, UpdateReport,
    clip_gradients, gradient_norm,
};

/// An agent with its optimiser.
///
/// ```
/// use amago_agent::{Learner, OptimConfig, RandomDraws};
/// use burn::tensor::{Device, Int, Tensor};
///
/// let device = Device::flex().autodiff();
/// # use amago_agent::{Agent, AgentConfig, ObsSpec, TrainBatch};
/// # use amago_env::Space;
/// # use amago_seqmodel::{FfTstepConfig, ObsKind, ObsLayout, TrajEncoderConfig, TstepEncoderConfig};
/// # let mut config = AgentConfig::amago();
/// # let tstep = FfTstepConfig { d_hidden: 8, d_output: 8, ..FfTstepConfig::default() };
/// # config.tstep_encoder = TstepEncoderConfig::FeedForward(tstep);
/// # config.traj_encoder = TrajEncoderConfig::Identity {};
/// # (config.actor.d_hidden, config.critic.d_hidden) = (8, 8);
/// # let obs = ObsLayout(vec![("observation".to_owned(), ObsKind::Vector(vec![3]))]);
/// # let agent = Agent::new(&config, &ObsSpec { obs, action: Space::Discrete { n: 2 } }, &device);
/// # let times = Tensor::<1, Int>::arange(0..5, &device).unsqueeze::<2>().expand([1, 5]);
/// # let batch = TrainBatch {
/// #     obs: Tensor::<3>::ones([1, 5, 3], &device).into(),
/// #     rl2s: Tensor::zeros([1, 5, 3], &device),
/// #     times,
/// #     rewards: Tensor::from_floats([[0.0, 1.0, 0.0, 1.0]], &device),
/// #     terminals: Tensor::from_floats([[0.0, 0.0, 0.0, 1.0]], &device),
/// #     actions: Tensor::from_floats([[[1.0, 0.0]; 4]], &device),
/// #     legal: None,
/// #     mask: Tensor::ones([1, 5], &device),
/// # };
/// let mut learner = Learner::new(agent, config, OptimConfig::default());
/// let report = learner.update(&batch, &mut RandomDraws);
/// assert!(report.parts.critic_loss > 0.0 && learner.updates == 1);
/// // A batch that gives no finite loss changes nothing.
/// let broken = TrainBatch { rewards: batch.rewards.clone() * f32::NAN, ..batch };
/// assert!(learner.update(&broken, &mut RandomDraws).loss.is_nan());
/// assert_eq!(learner.updates, 1);
/// ```
#[derive(Clone)]
pub struct Learner {
    /// The networks.
    pub agent: Agent,
    /// AdamW state.
    pub optimizer: ModuleOptimizer,
    /// Updates done.
    pub updates: u64,
    /// A loss, or a norm of its gradient, above this is as bad as one that is no number.
    pub limit: f32,
    /// Outliers that batches had so far in every column of the observation's vectors, where those are normalised: see
    /// [`InputNorm`](amago_seqmodel::InputNorm).
    pub outliers: Vec<u64>,
    last: Option<LastBatch>,
    config: AgentConfig,
    optim: OptimConfig,
    mask: Arc<dyn LossMask>,
}

/// Learning rate of update `k` (from zero): `rate · min(k / warmup, 1)`.
pub fn warmup(rate: f64, warmup: usize, k: u64) -> f64 {
    if warmup == 0 { rate } else { rate * (k as f64 / warmup as f64).min(1.0) }
}

impl Learner {
    /// A learner that has done no update.
    pub fn new(agent: Agent, config: AgentConfig, optim: OptimConfig) -> Self {
        let (optimizer, limit) = (optim.init(), f32::INFINITY);
        let (outliers, mask) = (Vec::new(), Arc::new(PaddingMask));
        Self { agent, optimizer, updates: 0, limit, outliers, last: None, config, optim, mask }
    }

    /// The same with another mask in the loss. An update panics when that mask changes a shape, or sees losses while
    /// `optim.micro_batches` cuts the batch.
    pub fn with_mask(mut self, mask: Arc<dyn LossMask>) -> Self {
        self.mask = mask;
        self
    }

    /// One update: augmentation, statistics, loss, backward, clip, targets, AdamW. The targets move *before*
    /// the optimiser step, from the weights that the loss saw.
    ///
    /// When the loss or its gradient is not finite, or above the limit, nothing changes: not even the count of
    /// updates. The report shows why.
    pub fn update(&mut self, batch: &TrainBatch, draws: &mut dyn Draws) -> UpdateReport {
        amago_ops::on_pool(&batch.mask.device(), || self.update_here(batch, draws))
    }

    /// What was seen in the batch of the last update that changed something, once.
    pub fn last_batch(&mut self) -> Option<BatchReport> {
        self.last.take().map(|last| last.read(&self.config.gammas()))
    }

    fn update_here(&mut self, batch: &TrainBatch, draws: &mut dyn Draws) -> UpdateReport {
        // On a copy, so that an update that turns out to be unusable leaves no trace, not even in the
        // statistics.
        let mut agent = self.agent.clone();
        // Once, so that values and targets see the same images.
        let batch = agent.augment(batch, draws);
        let outliers = agent.begin_update(&batch);
        let (optim, masks) = (&self.optim, self.mask.as_ref());
        let executor = Executor { agent: &agent, config: &self.config, optim, masks };
        let (loss, mut grads) = executor.differentiate(&batch, draws);
        // Of trained parameters alone. In the original the detached copy of the critics piles up gradients
        // that nobody reads, and they count in the norm.
        let (norm, part_norms) = gradient_norms(&agent, &grads, &loss.total.device().inner());
        // One transfer for all numbers, after the backward pass. The step counts of the running
        // statistics are the only other values that the host reads.
        let [tstep, traj, actor, critics] = part_norms;
        let others =
            [loss.total.clone(), norm.clone(), tstep, traj, actor, critics].into_iter().chain(outliers);
        let (parts, mut read) = loss.report.read_with(others);
        // Also of an update that is then refused: outliers may be why it is.
        self.count(read.split_off(6));
        let [total, grad_norm, tstep_encoder, traj_encoder, actor, critics] = read[..] else {
            unreachable!("as many numbers as were read")
        };
        let grad_norms = GradNorms { tstep_encoder, traj_encoder, actor, critics };
        let learning_rate = warmup(self.optim.learning_rate, self.optim.warmup, self.updates);
        let report = UpdateReport { loss: total, grad_norm, grad_norms, learning_rate, parts };
        let usable = |x: f32| x.is_finite() && x.abs() <= self.limit;
        if !(usable(total) && usable(grad_norm)) {
            return report;
        }
        // Only now does this batch count.
        agent.popart = loss.popart.clone();
        self.last = Some(LastBatch::new(loss, &batch));
        // By the norm on the device. Here, so that a device that fuses operations can do it in the same pass as the
        // optimiser's step.
        clip_gradients(&agent, &mut grads, norm, self.optim.grad_clip);
        // In the original's order: what this step is about to change reaches the targets one update later.
        agent = agent.update_targets(self.config.tau);
        self.agent = self.optimizer.step(learning_rate, agent, grads);
        self.updates += 1;
        report
    }

    fn count(&mut self, outliers: Vec<f32>) {
        self.outliers.resize(outliers.len(), 0);
        for (sum, found) in self.outliers.iter_mut().zip(outliers) {
            *sum += found as u64;
        }
    }
}

/// Norms of the whole gradient and of its parts, `[1]` each: timestep encoder, trajectory encoder, actor,
/// critics.
fn gradient_norms(agent: &Agent, grads: &GradientsParams, device: &Device) -> (Tensor<1>, [Tensor<1>; 4]) {
    let parts = [
        gradient_norm(&agent.tstep_encoder, grads),
        gradient_norm(&agent.traj_encoder, grads),
        gradient_norm(&agent.actor, grads),
        gradient_norm(&agent.critics, grads),
    ]
    .map(|norm| norm.unwrap_or_else(|| Tensor::zeros([1], device)));
    let squares = parts.clone().map(|norm| norm.square()).into_iter();
    (squares.reduce(|a, b| a + b).expect("there are parts").sqrt(), parts)
}
