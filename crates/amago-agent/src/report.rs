//! What a loss and an update say about themselves.

use std::ops::Add;

use burn::tensor::Tensor;

/// A struct of figures that are averaged alike, and its figures as a list. A figure is named once.
macro_rules! figures {
    ($(#[$of_all:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident,)* }) => {
        $(#[$of_all])*
        #[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
        pub struct $name<T = f32> {
            $($(#[$doc])* pub $field: T,)*
        }

        impl<T> $name<T> {
            /// In the order of the fields.
            pub(crate) fn into_list(self) -> Vec<T> {
                vec![$(self.$field),*]
            }

            /// The way back of `into_list`.
            ///
            /// # Panics
            /// When there are fewer than fields.
            pub(crate) fn from_list(figures: impl IntoIterator<Item = T>) -> Self {
                let mut figures = figures.into_iter();
                Self { $($field: figures.next().expect("one figure per field"),)* }
            }
        }

        impl $name {
            /// Means of every figure; zeros of nothing.
            fn mean(all: impl ExactSizeIterator<Item = Self> + Clone) -> Self {
                let n = all.len().max(1) as f32;
                let lists = || all.clone().map(Self::into_list);
                let len = Self::default().into_list().len();
                Self::from_list((0..len).map(|i| lists().map(|list| list[i]).sum::<f32>() / n))
            }
        }
    };
}

/// Means over the real timesteps of a batch; read it to the host with [`read`](Self::read).
#[derive(Debug, Clone)]
pub struct LossTensors {
    /// Shares of means, `[1]` each.
    pub(crate) parts: LossReport<Tensor<1>>,
    /// What the loss saw, one for each part of the batch.
    pub(crate) seen: Vec<Seen>,
}

figures! {
    /// Named means over the real timesteps of a batch. Returns are in units of the multiplied reward;
    /// the discount is the acting one where one must be chosen.
    pub struct LossReport {
        /// Actor loss.
        pub actor_loss,
        /// Critic loss, before its weight.
        pub critic_loss,
        /// Entropy of the policy in nats.
        pub entropy,
        /// Value of the actions in the buffer.
        pub q_value,
        /// TD target.
        pub td_target,
        /// Mean of `Q(s,a) − V(s)`.
        pub advantage,
        /// Share of actions that the filter passes, over all discounts.
        pub filter_pass,
        /// Standard deviation of `Q(s,a)` over the critics.
        pub q_std,
        /// Standard deviation of `Q(s,a) − V(s)` over the critics.
        pub advantage_std,
        /// Share of the TD targets, over all discounts, that lie outside the bins of a classification critic: it cannot
        /// learn them. Zero for a regression critic.
        pub bins_left,
    }
}

impl Add for LossTensors {
    type Output = Self;

    /// Shares of means over one batch add up.
    fn add(self, other: Self) -> Self {
        let both = self.parts.into_list().into_iter().zip(other.parts.into_list());
        let parts = LossReport::from_list(both.map(|(a, b)| a + b));
        Self { parts, seen: [self.seen, other.seen].concat() }
    }
}

impl LossTensors {
    /// Copies the numbers to the host.
    pub fn read(&self) -> LossReport {
        self.read_with([]).0
    }

    /// Copies the numbers and `others` to the host at once.
    pub(crate) fn read_with(&self, others: impl IntoIterator<Item = Tensor<1>>) -> (LossReport, Vec<f32>) {
        let parts = self.parts.clone().into_list();
        let n = parts.len();
        // At once, because every transfer waits for the device.
        let all = parts.into_iter().chain(others).map(Tensor::inner).collect();
        let mut values: Vec<f32> = Tensor::cat(all, 0).into_data().iter::<f32>().collect();
        let others = values.split_off(n);
        (LossReport::from_list(values), others)
    }
}

figures! {
    /// Gradient norms before clipping; zero for a part that is not trained.
    pub struct GradNorms {
        /// Timestep encoder.
        pub tstep_encoder,
        /// Trajectory encoder.
        pub traj_encoder,
        /// Actor.
        pub actor,
        /// Critics.
        pub critics,
    }
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

impl UpdateReport {
    /// Means over some updates; the learning rate is the last one. `None` of nothing.
    pub fn mean(reports: &[Self]) -> Option<Self> {
        let last = reports.last()?;
        let mean = |f: fn(&Self) -> f32| reports.iter().map(f).sum::<f32>() / reports.len() as f32;
        Some(Self {
            loss: mean(|r| r.loss),
            grad_norm: mean(|r| r.grad_norm),
            grad_norms: GradNorms::mean(reports.iter().map(|r| r.grad_norms)),
            learning_rate: last.learning_rate,
            parts: LossReport::mean(reports.iter().map(|r| r.parts)),
        })
    }
}

/// What a loss saw of a part of a batch, `[B, L, G]` each, without gradient.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) filter: Tensor<3>,
    pub(crate) log_prob: Option<Tensor<3>>,
    pub(crate) q_value: Option<Tensor<3>>,
    pub(crate) td_target: Option<Tensor<3>>,
}

impl Seen {
    pub(crate) fn detach(self) -> Self {
        let Self { filter, log_prob, q_value, td_target } = self;
        let [log_prob, q_value, td_target] = [log_prob, q_value, td_target].map(|x| x.map(Tensor::detach));
        Self { filter: filter.detach(), log_prob, q_value, td_target }
    }
}
