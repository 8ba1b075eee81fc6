//! What the agent sees: training batches and single steps, as tensors.

use std::ops::Range;

use amago_seqmodel::ObsTensors;
use burn::tensor::{Int, Tensor};

/// A training batch of `B` sequences with `L + 1` observations and `L` transitions, right-padded.
#[derive(Debug, Clone)]
pub struct TrainBatch {
    /// Observations of `[B, L+1]` timesteps.
    pub obs: ObsTensors,
    /// Previous reward and action, `[B, L+1, 1+A]`.
    pub rl2s: Tensor<3>,
    /// Global timesteps, `[B, L+1]`.
    pub times: Tensor<2, Int>,
    /// Rewards, `[B, L]`.
    pub rewards: Tensor<2>,
    /// One where the environment ended, `[B, L]`.
    pub terminals: Tensor<2>,
    /// Actions as vectors, `[B, L, A]`.
    pub actions: Tensor<3>,
    /// One where an option of a discrete choice is legal in a state, `[B, L+1, A]`; absent where
    /// everything always is. Padding may hold anything.
    pub legal: Option<Tensor<3>>,
    /// One where a timestep is real, `[B, L+1]`.
    pub mask: Tensor<2>,
}

impl TrainBatch {
    /// Some of the sequences.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn rows(&self, rows: &Range<usize>) -> Self {
        let (start, len) = (rows.start, rows.len());
        Self {
            obs: self.obs.rows(rows),
            rl2s: self.rl2s.clone().narrow(0, start, len),
            times: self.times.clone().narrow(0, start, len),
            rewards: self.rewards.clone().narrow(0, start, len),
            terminals: self.terminals.clone().narrow(0, start, len),
            actions: self.actions.clone().narrow(0, start, len),
            legal: self.legal.clone().map(|legal| legal.narrow(0, start, len)),
            mask: self.mask.clone().narrow(0, start, len),
        }
    }

    /// The same without autodiff.
    pub fn inner(self) -> Self {
        Self {
            obs: self.obs.inner(),
            rl2s: self.rl2s.inner(),
            times: self.times.inner(),
            rewards: self.rewards.inner(),
            terminals: self.terminals.inner(),
            actions: self.actions.inner(),
            legal: self.legal.map(Tensor::inner),
            mask: self.mask.inner(),
        }
    }

    /// One where a transition is real: where it leads to a real timestep.
    ///
    /// # Shapes
    /// - output: `[B, L, 1]`
    pub fn transition_mask(&self) -> Tensor<3> {
        let len = self.mask.dims()[1] - 1;
        self.mask.clone().narrow(1, 1, len).unsqueeze_dim(2)
    }
}

/// One timestep of `B` environments.
#[derive(Debug, Clone)]
pub struct StepInput {
    /// Observations of `[B, 1]` timesteps.
    pub obs: ObsTensors,
    /// Previous reward and action, `[B, 1, 1+A]`.
    pub rl2s: Tensor<3>,
    /// Global timesteps, `[B, 1]`.
    pub times: Tensor<2, Int>,
    /// One where an option of a discrete choice is legal, `[B, 1, A]`; absent where everything is.
    pub legal: Option<Tensor<3>>,
}
