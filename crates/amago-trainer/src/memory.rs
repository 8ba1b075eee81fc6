//! How much memory a run needs at least.

use amago_agent::{ActorKind, AgentConfig, CriticKind, ObsSpec};
use amago_env::{Dtype, Space};
use amago_ops::is_fused;
use amago_seqmodel::{TrajEncoderConfig, TstepEncoderConfig};
use burn::tensor::Device;

use crate::{Mode, Plan, TrainError};

/// Slots that every rollout has, however short its episodes are.
const LEAST_CONTEXT: usize = 64;

/// Bytes that are in use at the same time, where sequences are as long as `train.max_seq_len` and the environment's
/// horizon allow. An estimate from below, in floating point, so that no product overflows: what is not named here is
/// not counted, such as norms and biases, buffers, environments, and trajectories in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryEstimate {
    /// Linear layers: weights, gradients, both moments of AdamW, a copy that acts; a slow copy of the actor, and two of
    /// the critics.
    pub weights: f64,
    /// What the linear layers of an update keep of the timesteps of one part of a batch for the backward pass, with its
    /// observations.
    pub batch: f64,
    /// Inputs of running episodes, and keys and values of a Transformer for them.
    pub rollouts: f64,
}

impl MemoryEstimate {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.weights + self.batch + self.rollouts
    }
}

/// Widths of a network: how many weights it has, and how many numbers it makes of a timestep.
#[derive(Clone, Copy, Default)]
struct Network {
    weights: f64,
    made: f64,
}

impl Network {
    /// Linear layers of these widths in a row.
    fn chain(widths: &[f64]) -> Self {
        Self { weights: widths.windows(2).map(|w| w[0] * w[1]).sum(), made: widths.iter().skip(1).sum() }
    }

    fn times(self, n: f64) -> Self {
        Self { weights: n * self.weights, made: n * self.made }
    }

    fn and(self, other: Self) -> Self {
        Self { weights: self.weights + other.weights, made: self.made + other.made }
    }
}

/// `d_in`, as many hidden layers, `d_out`.
fn mlp([d_in, d_hidden, d_out]: [f64; 3], n_layers: f64) -> Network {
    let between = Network::chain(&[d_hidden, d_hidden]).times((n_layers - 1.0).max(0.0));
    Network::chain(&[d_in, d_hidden]).and(between).and(Network::chain(&[d_hidden, d_out]))
}

/// The timestep encoder and its output width.
fn tstep(config: &TstepEncoderConfig, spec: &ObsSpec) -> (Network, f64) {
    match config {
        TstepEncoderConfig::FeedForward(c) => {
            let d_in = (1 + spec.action.width()) as f64;
            (mlp([d_in, c.d_hidden as f64, c.d_output as f64], c.n_layers as f64), c.d_output as f64)
        }
        TstepEncoderConfig::Cnn(c) => {
            let merge = Network::chain(&[(c.img_features + c.rl2_features) as f64, c.d_output as f64]);
            (merge, c.d_output as f64)
        }
    }
}

/// The trajectory encoder and its output width; nothing is known of one's own.
fn traj(config: &TrajEncoderConfig, d_in: f64) -> (Network, f64) {
    match config {
        TrajEncoderConfig::Transformer(c) => {
            let (d, d_ff) = (c.d_model as f64, c.d_ff as f64);
            // Queries, keys and values in one.
            let layer =
                Network::chain(&[d, 3.0 * d]).and(Network::chain(&[d, d])).and(Network::chain(&[d, d_ff, d]));
            (Network::chain(&[d_in, d]).and(layer.times(c.n_layers as f64)), d)
        }
        TrajEncoderConfig::Gru(c) => {
            let (d, n) = (c.d_hidden as f64, c.n_layers as f64);
            let gates = Network::chain(&[d, 3.0 * d]).times(2.0 * n - 1.0);
            let first = Network::chain(&[d_in, 3.0 * d]);
            (first.and(gates).and(Network::chain(&[d, c.d_output as f64])), c.d_output as f64)
        }
        TrajEncoderConfig::Mamba(c) => {
            let (d, inner) = (c.d_model as f64, (c.expand as f64) * c.d_model as f64);
            let states = Network { weights: inner * c.d_state as f64, made: 2.0 * inner * c.d_state as f64 };
            let block = Network::chain(&[d, 2.0 * inner]).and(Network::chain(&[inner, d])).and(states);
            (Network::chain(&[d_in, d]).and(block.times(c.n_layers as f64)), d)
        }
        TrajEncoderConfig::FeedForward(c) => {
            let (d, d_ff) = (c.d_model as f64, c.width_of_blocks() as f64);
            let blocks = Network::chain(&[d, d_ff, d]).times(c.n_layers as f64);
            (Network::chain(&[d_in, d]).and(blocks).and(Network::chain(&[d, d])), d)
        }
        TrajEncoderConfig::Identity {} | TrajEncoderConfig::Own { .. } => (Network::default(), d_in),
    }
}

/// Actor and all critics on states of a width.
fn heads(config: &AgentConfig, d_state: f64, action: &Space) -> [Network; 2] {
    let gammas = config.gammas().len() as f64;
    let (a, c) = (&config.actor, &config.critic);
    let (d_actor, n, d_ff) = (a.d_hidden as f64, a.n_layers as f64, a.d_ff as f64);
    let actor = match a.kind {
        ActorKind::Mlp => mlp([d_state, d_actor, gammas], n),
        ActorKind::Residual => Network::chain(&[d_state, d_actor, d_actor, gammas])
            .and(Network::chain(&[d_actor, d_ff, d_actor]).times(n)),
    };
    let outputs = match (c.kind, action) {
        (CriticKind::Classification, _) => c.bins.count as f64,
        (CriticKind::Regression, Space::Discrete { n }) => gammas * *n as f64,
        (CriticKind::Regression, _) => 1.0,
    };
    [actor, mlp([d_state, c.d_hidden as f64, outputs], c.n_layers as f64).times(config.n_critics as f64)]
}

impl Plan {
    /// What the run needs at least.
    pub fn memory(&self) -> MemoryEstimate {
        let (train, agent, float) = (&self.config.train, &self.config.agent, size_of::<f32>() as f64);
        let (tstep, d_tstep) = tstep(&agent.tstep_encoder, &self.spec);
        let (traj, d_state) = traj(&agent.traj_encoder, d_tstep);
        let [actor, critics] = heads(agent, d_state, &self.action_space);
        let trained = tstep.and(traj).and(actor).and(critics).weights;
        // Nobody knows how long the episodes of an unknown horizon are.
        let context = self.horizon.unwrap_or(LEAST_CONTEXT).min(train.max_seq_len) as f64;
        let bytes =
            |space: &Space| if space.dtype() == Dtype::U8 { 1.0 } else { float } * space.width() as f64;
        let observed: f64 = self.observation_space.iter().map(|(_, space)| bytes(space)).sum();
        // Between the layers something is kept even then: an estimate from below.
        let kept = if self.config.optim.gradient_checkpointing { 0.0 } else { traj.made };
        let made = tstep.made + kept + actor.made + critics.made;
        let parts = self.config.optim.micro_batches.max(1) as f64;
        let keys = match &agent.traj_encoder {
            TrajEncoderConfig::Transformer(c) => 2.0 * (c.n_layers as f64) * c.d_model as f64,
            _ => 0.0,
        };
        let actors = if train.mode == Mode::Learn { 0.0 } else { train.parallel_actors as f64 };
        MemoryEstimate {
            // Five: weights, gradients, two moments, and the copy that acts.
            weights: float * (5.0 * trained + actor.weights + 2.0 * critics.weights),
            batch: (train.batch_size as f64 / parts).ceil() * context * (float * made + observed),
            rollouts: actors * context * (float * keys + observed),
        }
    }

    /// Refuses a run that the machine has no room for. The memory of a device of its own is not known; neither is that
    /// of a system that does not tell.
    ///
    /// # Errors
    /// When [`Plan::memory`] is more than the machine has, or this process may use.
    pub fn check_memory(&self, device: &Device) -> Result<(), TrainError> {
        let need = self.memory();
        match crate::machine::memory() {
            Some(have) if is_fused(device) && need.total() > have => Err(TrainError::Memory { need, have }),
            _ => Ok(()),
        }
    }
}

/// A number of bytes for people.
pub(crate) fn gigabytes(bytes: &f64) -> String {
    format!("{:.1} GB", bytes / 1e9)
}
