//! What every trajectory encoder is, built in or not.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

/// A sequence model: one state representation per timestep, from that timestep and those before it.
///
/// Implement it for a module of your own and wrap that in [`TrajEncoder::new`](crate::TrajEncoder::new).
/// Training uses [`forward_seq`](Self::forward_seq), acting uses [`forward_step`](Self::forward_step);
/// the two must agree: stepping through an episode gives what the whole gives.
pub trait SequenceEncoder: Module + Sync + 'static {
    /// What a rollout carries from step to step; `()` where there is no memory.
    type State: EncoderState;

    /// Output width.
    fn d_output(&self) -> usize;

    /// Whole sequences: `x` is `[B, L, d_input]`, `times` the global timesteps `[B, L]`; the result is
    /// `[B, L, d_output]`. Sequences are padded on the right, so what comes later must have no effect.
    fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3>;

    /// How many parts [`forward_seq`](Self::forward_seq) is a chain of; one by default.
    fn segments(&self) -> usize {
        1
    }

    /// One part of that chain: `x` is what the part before it gave, or the input.
    fn forward_segment(&self, _segment: usize, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        self.forward_seq(x, times)
    }

    /// One new timestep per row: `x` is `[B, 1, d_input]`, `times` is `[B, 1]`; the result is
    /// `[B, 1, d_output]`.
    fn forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, state: &mut Self::State) -> Tensor<3>;

    /// The state before the first step of `batch` rows. `context` is the longest sequence of training;
    /// a memory that has a window keeps that many timesteps.
    fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> Self::State;

    /// Which inputs of a running episode make its state again, when the weights have changed. All of
    /// them unless the encoder says otherwise; see [`rollout_state`](Self::rollout_state) for `context`.
    fn replay(&self, _context: usize) -> Replay {
        Replay::ALL
    }

    /// For looking at: how much each timestep attends to each, one `[B, H, L, L]` per layer, for inputs as of
    /// [`forward_seq`](Self::forward_seq). Rows sum to one. Empty where nothing attends, as by default.
    fn attention(&self, _x: Tensor<3>, _times: Tensor<2, Int>) -> Vec<Tensor<4>> {
        Vec::new()
    }

    /// The same function without gradient, made for many calls: what depends on the weights alone is computed
    /// once. It is not trained and not saved. [`Module::valid`] by default.
    fn for_acting(&self) -> Self {
        self.valid()
    }

    /// What a training step does before its forward pass; nothing by default.
    fn begin_update(&mut self) {}
}

/// What an encoder carries through a rollout. One row per environment.
pub trait EncoderState: Clone + Debug + Send + 'static {
    /// Forgets one row, when its episode is over.
    ///
    /// # Panics
    /// When there is no such row.
    fn reset(&mut self, row: usize);
}

impl EncoderState for () {
    fn reset(&mut self, _row: usize) {}
}

/// Inputs of an episode from which its state can be made again: the first and the last so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Inputs at the episode's start that are kept for good.
    pub first: usize,
    /// Latest inputs that are kept beside those.
    pub last: usize,
}

impl Replay {
    /// Every input counts.
    pub const ALL: Self = Self { first: 0, last: usize::MAX };
    /// There is no state.
    pub const NOTHING: Self = Self { first: 0, last: 0 };
}
