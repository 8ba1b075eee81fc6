//! Which timesteps count in the loss.

use std::fmt::Debug;
use std::ops::Range;

use burn::tensor::Tensor;

use crate::TrainBatch;

/// Weights of the timesteps in the two means of the loss. By default every real transition counts once.
///
/// A mean is `Σ loss · mask / (Σ mask + 1e-5)`, so a mask may hold any weight of zero or above.
pub trait LossMask: Debug + Send + Sync {
    /// Changes the mask of the actor loss, `[B, L, G]`.
    fn actor(&self, batch: &TrainBatch, mask: Tensor<3>) -> Tensor<3> {
        let _ = batch;
        mask
    }

    /// Changes the mask of the critic loss, `[C, B, L, G]`.
    fn critic(&self, batch: &TrainBatch, mask: Tensor<4>) -> Tensor<4> {
        let _ = batch;
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

impl Weights {
    /// # Panics
    /// When a mask has another shape than it was given.
    pub(crate) fn new(batch: &TrainBatch, [critics, gammas]: [usize; 2], masks: &dyn LossMask) -> Self {
        let step = batch.transition_mask();
        let [b, l, _] = step.dims();
        let wide = step.clone().expand([b, l, gammas]);
        let actor = masks.actor(batch, wide.clone());
        assert_eq!(actor.dims(), [b, l, gammas], "a loss mask keeps the shape of the actor's mask");
        let critic = masks.critic(batch, wide.unsqueeze_dim::<4>(0).expand([critics, b, l, gammas]));
        assert_eq!(
            critic.dims(),
            [critics, b, l, gammas],
            "a loss mask keeps the shape of the critics' mask"
        );
        Self { actor: share(actor), critic: share(critic), step: share(step) }
    }

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
    let count = mask.clone().sum() + 1e-5;
    mask / count.unsqueeze()
}
