//! What every trajectory encoder is, built in or not.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A sequence model: one state representation per timestep, from that timestep and those before it.
///
/// Implement it for a module of your own and wrap that in [`TrajEncoder::new`](crate::TrajEncoder::new).
/// Training uses [`forward_seq`](Self::forward_seq), acting uses [`forward_step`](Self::forward_step);
/// the two must agree: stepping through an episode gives what the whole gives.
///
/// ```
/// use amago_seqmodel::{EncoderState, SequenceEncoder, TrajEncoder};
/// use burn::module::Module;
/// use burn::tensor::{Device, Int, Tensor};
///
/// /// Sums up all inputs of an episode. Without parameters: those would be fields of layers.
/// #[derive(Module, Debug)]
/// struct Sums {
///     width: usize,
/// }
///
/// /// The sums so far, `[B, width]`.
/// #[derive(Debug, Clone)]
/// struct SoFar(Tensor<2>);
///
/// impl EncoderState for SoFar {
///     fn reset(&mut self, row: usize) {
///         self.0 = self.0.clone().slice_fill(row..row + 1, 0.0);
///     }
/// }
///
/// impl SequenceEncoder for Sums {
///     type State = SoFar;
///
///     fn d_output(&self) -> usize {
///         self.width
///     }
///
///     fn forward_seq(&self, x: Tensor<3>, _times: Tensor<2, Int>) -> Tensor<3> {
///         x.cumsum(1)
///     }
///
///     fn forward_step(&self, x: Tensor<3>, _times: Tensor<2, Int>, state: &mut SoFar) -> Tensor<3> {
///         state.0 = state.0.clone() + x.squeeze_dim(1);
///         state.0.clone().unsqueeze_dim(1)
///     }
///
///     fn rollout_state(&self, batch: usize, _context: usize, device: &Device) -> SoFar {
///         SoFar(Tensor::zeros([batch, self.width], device))
///     }
/// }
///
/// let device = Device::flex();
/// let encoder = TrajEncoder::new(Sums { width: 2 });
/// let sums = encoder.forward_seq(Tensor::ones([1, 3, 2], &device), Tensor::zeros([1, 3], &device));
/// sums.into_data().assert_eq(&[[[1.0f32; 2], [2.0; 2], [3.0; 2]]].into(), false);
/// ```
pub trait SequenceEncoder: Module + Sync + 'static {
    /// What a rollout carries from step to step; `()` where there is no memory.
    type State: EncoderState;

    /// Output width.
    fn d_output(&self) -> usize;

    /// Whole sequences, padded on the right: what comes later must have no effect.
    ///
    /// # Shapes
    /// - x: `[B, L, d_input]`
    /// - times: `[B, L]`, global timesteps
    /// - output: `[B, L, d_output]`
    fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3>;

    /// How many parts [`forward_seq`](Self::forward_seq) is a chain of; one by default.
    fn segments(&self) -> usize {
        1
    }

    /// One part of that chain: `x` is what the part before it gave, or the input.
    ///
    /// # Shapes
    /// - x: `[B, L, ·]`
    /// - times: `[B, L]`
    /// - output: `[B, L, ·]`, of the last part `[B, L, d_output]`
    fn forward_segment(&self, _segment: usize, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        self.forward_seq(x, times)
    }

    /// One new timestep per row.
    ///
    /// # Shapes
    /// - x: `[B, 1, d_input]`
    /// - times: `[B, 1]`
    /// - output: `[B, 1, d_output]`
    fn forward_step(&self, x: Tensor<3>, times: Tensor<2, Int>, state: &mut Self::State) -> Tensor<3>;

    /// The state before the first step of `batch` rows. `context` is the longest sequence of training;
    /// a memory that has a window keeps that many timesteps.
    fn rollout_state(&self, batch: usize, context: usize, device: &Device) -> Self::State;

    /// Which inputs of a running episode make its state again, when the weights have changed. All of
    /// them unless the encoder says otherwise; see [`rollout_state`](Self::rollout_state) for `context`.
    fn replay(&self, _context: usize) -> Replay {
        Replay::ALL
    }

    /// For looking at: how much each timestep attends to each, for inputs as of
    /// [`forward_seq`](Self::forward_seq). Rows sum to one. Empty where nothing attends, as by default.
    ///
    /// # Shapes
    /// - x: `[B, L, d_input]`
    /// - times: `[B, L]`
    /// - outputs: `[B, H, L, L]` for each layer
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
///
/// Callers hold it as a [`RolloutState`](crate::RolloutState):
///
/// ```
/// use amago_seqmodel::{GruConfig, TrajEncoder};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let config = GruConfig { d_hidden: 8, n_layers: 1, d_output: 8, ..GruConfig::default() };
/// let encoder = TrajEncoder::new(config.init(3, &device));
/// let mut memory = encoder.rollout_state(2, 16, &device);
/// let mut step = |memory: &mut _| {
///     let (x, times) = (Tensor::ones([2, 1, 3], &device), Tensor::zeros([2, 1], &device));
///     encoder.forward_step(x, times, memory)
/// };
/// let first = step(&mut memory);
/// memory.reset(1);
/// let second = step(&mut memory);
/// // Row 1 has begun anew, row 0 has gone on.
/// let row = |x: &Tensor<3>, i| x.clone().narrow(0, i, 1).into_data();
/// assert_eq!(row(&second, 1), row(&first, 1));
/// assert_ne!(row(&second, 0), row(&first, 0));
/// ```
pub trait EncoderState: Clone + Debug + Send + 'static {
    /// Forgets one row, when its episode is over.
    ///
    /// # Panics
    /// When there is no such row.
    fn reset(&mut self, row: usize);

    /// All that a row carries, if it is of a fixed size. Of encoders that ask for [`Replay::ALL`] the caller then
    /// keeps that, from time to time, instead of every input of a long episode; `None` by default.
    ///
    /// # Panics
    /// When there is no such row.
    fn row(&self, _row: usize) -> Option<Vec<f32>> {
        None
    }

    /// Puts back what [`row`](Self::row) gave, of the same encoder.
    ///
    /// # Panics
    /// When there is no such row, or not so many values; also where `row` gives nothing.
    fn set_row(&mut self, _row: usize, _values: &[f32]) {
        panic!("this state cannot be put back");
    }
}

/// Row of a state tensor `[B, ...]`, appended to `out`.
pub(crate) fn read_row<const D: usize>(state: &Tensor<D>, row: usize, out: &mut Vec<f32>) {
    out.extend(state.clone().narrow(0, row, 1).into_data().iter::<f32>());
}

/// Takes the values of a row of a state tensor `[B, ...]` off the front of `values`.
pub(crate) fn write_row<const D: usize>(state: &mut Tensor<D>, row: usize, values: &mut &[f32]) {
    let (mut shape, device) = (state.dims(), state.device());
    shape[0] = 1;
    let (front, rest) = values.split_at(shape.iter().product());
    *values = rest;
    let new = Tensor::<D>::from_data(TensorData::new(front.to_vec(), shape), &device);
    state.inplace(|state| state.slice_assign(row..row + 1, new));
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
    /// Every input counts. Where a state can be read and put back ([`EncoderState::row`]) and an episode is long, the
    /// state before its last one or two windows of inputs stands for the inputs before those.
    pub const ALL: Self = Self { first: 0, last: usize::MAX };
    /// There is no state.
    pub const NOTHING: Self = Self { first: 0, last: 0 };
}
