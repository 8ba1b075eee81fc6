//! What a loss and an update say about themselves.

use std::ops::Add;

use burn::tensor::Tensor;

/// Means over the real timesteps of a batch; read it to the host with [`read`](Self::read).
#[derive(Debug, Clone)]
pub struct LossTensors {
    /// One-element tensors in the order of the fields of [`LossReport`].
    pub(crate) parts: [Tensor<1>; 10],
}

/// Named means over the real timesteps of a batch. Returns are in units of the multiplied reward;
/// the discount is the acting one where one must be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct LossReport {
    /// Actor loss.
    pub actor_loss: f32,
    /// Critic loss, before its weight.
    pub critic_loss: f32,
    /// Entropy of the policy in nats.
    pub entropy: f32,
    /// Value of the actions in the buffer.
    pub q_value: f32,
    /// TD target.
    pub td_target: f32,
    /// Mean of `Q(s,a) − V(s)`.
    pub advantage: f32,
    /// Share of actions that the filter passes, over all discounts.
    pub filter_pass: f32,
    /// Standard deviation of `Q(s,a)` over the critics.
    pub q_std: f32,
    /// Standard deviation of `Q(s,a) − V(s)` over the critics.
    pub advantage_std: f32,
    /// Share of the TD targets, over all discounts, that lie outside the bins of a classification critic: it cannot
    /// learn them. Zero for a regression critic.
    #[serde(default)]
    pub bins_left: f32,
}

impl Add for LossTensors {
    type Output = Self;

    /// Shares of means over one batch add up.
    fn add(self, other: Self) -> Self {
        let mut others = other.parts.into_iter();
        Self { parts: self.parts.map(|x| x + others.next().expect("as many parts")) }
    }
}

impl LossTensors {
    /// Copies the numbers to the host.
    pub fn read(&self) -> LossReport {
        self.read_with([]).0
    }

    /// Copies the numbers and `others` to the host at once.
    pub(crate) fn read_with<const N: usize>(&self, others: [Tensor<1>; N]) -> (LossReport, [f32; N]) {
        let all = self.parts.iter().cloned().chain(others).map(Tensor::inner).collect();
        let values: Vec<f32> = Tensor::cat(all, 0).into_data().iter::<f32>().collect();
        let report = LossReport {
            actor_loss: values[0],
            critic_loss: values[1],
            entropy: values[2],
            q_value: values[3],
            td_target: values[4],
            advantage: values[5],
            filter_pass: values[6],
            q_std: values[7],
            advantage_std: values[8],
            bins_left: values[9],
        };
        (report, std::array::from_fn(|i| values[self.parts.len() + i]))
    }
}

/// Gradient norms before clipping; zero for a part that is not trained.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct GradNorms {
    /// Timestep encoder.
    pub tstep_encoder: f32,
    /// Trajectory encoder.
    pub traj_encoder: f32,
    /// Actor.
    pub actor: f32,
    /// Critics.
    pub critics: f32,
}

/// What one update did.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct UpdateReport {
    /// The loss that was differentiated.
    pub loss: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f32,
    /// The same of each part.
    pub grad_norms: GradNorms,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Parts of the loss.
    pub parts: LossReport,
}
