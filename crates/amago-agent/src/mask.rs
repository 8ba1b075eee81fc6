//! Which timesteps count in the loss.

use std::fmt::Debug;
use std::ops::Range;

use burn::tensor::Tensor;

use crate::{LossTerms, TrainBatch};

/// Weights of the timesteps in the two means of the loss. By default every real transition counts once.
///
/// A mean is `Σ loss · mask / (Σ mask + 1e-5)`, so a mask may hold any weight of zero or above. Masks see the whole
/// batch, also where it is learned from in parts. Those that see the losses need all of them before the way back
/// begins, and so exclude micro-batches.
///
/// ```
/// use amago_agent::{LossMask, TrainBatch};
/// use burn::tensor::{Device, Int, Tensor};
///
/// /// Learns to act from rewarded steps alone.
/// #[derive(Debug)]
/// struct Rewarded;
///
/// impl LossMask for Rewarded {
///     fn actor(&self, batch: &TrainBatch, mask: Tensor<3>) -> Tensor<3> {
///         mask * batch.rewards.clone().greater_elem(0.0).float().unsqueeze_dim(2)
///     }
/// }
///
/// # let device = Device::flex();
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
/// // Of a batch with the rewards 0, 1, 0 and 1, for two discounts.
/// let mask = Rewarded.actor(&batch, Tensor::ones([1, 4, 2], &device));
/// mask.into_data().assert_eq(&[[[0.0f32; 2], [1.0; 2], [0.0; 2], [1.0; 2]]].into(), false);
/// ```
pub trait LossMask: Debug + Send + Sync {
    /// Changes the mask of the actor loss.
    ///
    /// # Shapes
    /// - mask, output: `[B, L, G]`
    fn actor(&self, batch: &TrainBatch, mask: Tensor<3>) -> Tensor<3> {
        let _ = batch;
        mask
    }

    /// Changes the mask of the critic loss.
    ///
    /// # Shapes
    /// - mask, output: `[C, B, L, G]`
    fn critic(&self, batch: &TrainBatch, mask: Tensor<4>) -> Tensor<4> {
        let _ = batch;
        mask
    }

    /// Whether the masks depend on the losses, too: then [`actor_by_loss`](Self::actor_by_loss) and
    /// [`critic_by_loss`](Self::critic_by_loss) have the last word.
    fn sees_losses(&self) -> bool {
        false
    }

    /// Changes what [`actor`](Self::actor) gave, by the loss of every timestep before any mean, without gradient.
    ///
    /// # Shapes
    /// - loss, mask, output: `[B, L, G]`
    fn actor_by_loss(&self, batch: &TrainBatch, loss: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
        let _ = (batch, loss);
        mask
    }

    /// Changes what [`critic`](Self::critic) gave, by the loss of every critic and timestep before its weight and any
    /// mean, without gradient. Not asked where the critics learn nothing.
    ///
    /// # Shapes
    /// - loss, mask, output: `[C, B, L, G]`
    fn critic_by_loss(&self, batch: &TrainBatch, loss: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
        let _ = (batch, loss);
        mask
    }
}

/// Masks padding and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct PaddingMask;

impl LossMask for PaddingMask {}

/// What a sum over timesteps is weighted with to become a mean over the whole batch.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    /// For the actor loss, `[B, L, G]`.
    pub(crate) actor: Tensor<3>,
    /// For the critic loss, `[C, B, L, G]`.
    pub(crate) critic: Tensor<4>,
    /// For figures that are reported, `[B, L, 1]`.
    pub(crate) step: Tensor<3>,
}

/// The masks of a batch, and how they become weights.
pub(crate) struct Weighting<'a> {
    batch: &'a TrainBatch,
    masks: &'a dyn LossMask,
    actor: Tensor<3>,
    critic: Tensor<4>,
}

impl<'a> Weighting<'a> {
    /// What the batch alone decides.
    ///
    /// # Panics
    /// When a mask has another shape than it was given.
    pub(crate) fn new(batch: &'a TrainBatch, [critics, gammas]: [usize; 2], masks: &'a dyn LossMask) -> Self {
        let step = batch.transition_mask();
        let [b, l, _] = step.dims();
        let wide = step.expand([b, l, gammas]);
        let actor = same_shape(wide.clone(), |mask| masks.actor(batch, mask));
        let wide = wide.unsqueeze_dim::<4>(0).expand([critics, b, l, gammas]);
        Self { batch, masks, actor, critic: same_shape(wide, |mask| masks.critic(batch, mask)) }
    }

    /// The weights, unless they depend on the losses.
    pub(crate) fn known(&self) -> Option<Weights> {
        (!self.masks.sees_losses()).then(|| self.shares(self.actor.clone(), self.critic.clone()))
    }

    /// The weights, given the terms of all parts of the batch in order.
    ///
    /// # Panics
    /// When a mask has another shape than it was given.
    pub(crate) fn of<'t>(&self, terms: impl Iterator<Item = &'t LossTerms> + Clone) -> Weights {
        // Without a look at the terms, which need not all be there yet.
        if let Some(weights) = self.known() {
            return weights;
        }
        let (batch, masks) = (self.batch, self.masks);
        let loss = Tensor::cat(terms.clone().map(|part| part.actor.loss.clone().detach()).collect(), 0);
        let actor = same_shape(self.actor.clone(), |mask| masks.actor_by_loss(batch, loss, mask));
        let losses: Option<Vec<_>> =
            terms.map(|part| Some(part.critic.as_ref()?.loss.clone().detach())).collect();
        let critic = match losses {
            Some(losses) => same_shape(self.critic.clone(), |mask| {
                masks.critic_by_loss(batch, Tensor::cat(losses, 1), mask)
            }),
            None => self.critic.clone(),
        };
        self.shares(actor, critic)
    }

    fn shares(&self, actor: Tensor<3>, critic: Tensor<4>) -> Weights {
        Weights { actor: share(actor), critic: share(critic), step: share(self.batch.transition_mask()) }
    }
}

fn same_shape<const D: usize>(mask: Tensor<D>, change: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let dims = mask.dims();
    let changed = change(mask);
    assert_eq!(changed.dims(), dims, "a loss mask keeps the shape of the mask that it is given");
    changed
}

impl Weights {
    /// Those of some sequences; they still add up to one over the whole batch.
    pub(crate) fn rows(&self, rows: &Range<usize>) -> Self {
        let (start, len) = (rows.start, rows.len());
        Self {
            actor: self.actor.clone().narrow(0, start, len),
            critic: self.critic.clone().narrow(1, start, len),
            step: self.step.clone().narrow(0, start, len),
        }
    }
}

fn share<const D: usize>(mask: Tensor<D>) -> Tensor<D> {
    // Nothing but padding gives zero, not NaN.
    let count = mask.clone().sum() + 1e-5;
    mask / count.unsqueeze()
}
