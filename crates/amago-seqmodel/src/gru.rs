//! Gated recurrent units.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Int, Tensor, activation};

use crate::encoder::{read_row, write_row};
use crate::error::positive;
use crate::{Dense, EncoderState, ModelError, Norm, NormKind, SequenceEncoder};

/// Settings of the [`GruEncoder`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GruConfig {
    /// Width of the recurrent state.
    pub d_hidden: usize,
    /// Layers.
    pub n_layers: usize,
    /// Output width.
    pub d_output: usize,
    /// Norm of the output.
    pub norm: NormKind,
}

impl Default for GruConfig {
    fn default() -> Self {
        Self { d_hidden: 256, n_layers: 2, d_output: 256, norm: NormKind::Layer }
    }
}

/// One layer (Cho et al. 2014, arXiv 1406.1078), with the reset gate after the product:
/// `r = σ(W_r x + U_r h)`, `z = σ(W_z x + U_z h)`, `n = tanh(W_n x + r ⊙ U_n h)`,
/// `h ← (1 − z) ⊙ n + z ⊙ h`, each product with its bias.
#[derive(Module, Debug)]
struct GruLayer {
    /// From the input to the gates r, z and n, joined in this order.
    ih: Dense,
    /// From the state to the same.
    hh: Dense,
}

/// GRU layers, linear, norm.
#[derive(Module, Debug)]
pub struct GruEncoder {
    rnn: Vec<GruLayer>,
    out: Dense,
    out_norm: Norm,
    d_hidden: usize,
    d_output: usize,
}

/// State of every layer, each `[B, d_hidden]`.
#[derive(Debug, Clone)]
pub struct GruState(pub Vec<Tensor<2>>);

impl GruConfig {
    /// Refuses empty shapes.
    ///
    /// # Errors
    /// Names the setting that is zero or does not fit its norm.
    pub fn validate(&self) -> Result<(), ModelError> {
        positive(&[("d_hidden", self.d_hidden), ("n_layers", self.n_layers), ("d_output", self.d_output)])?;
        self.norm.validate("norm", "d_output", self.d_output)
    }

    /// Builds the encoder for inputs of width `d_input`.
    pub fn init(&self, d_input: usize, device: &Device) -> GruEncoder {
        let width = |layer| if layer == 0 { d_input } else { self.d_hidden };
        GruEncoder {
            rnn: (0..self.n_layers).map(|i| GruLayer::new(width(i), self.d_hidden, device)).collect(),
            out: Dense::plain(self.d_hidden, self.d_output, device),
            out_norm: self.norm.init(self.d_output, device),
            d_hidden: self.d_hidden,
            d_output: self.d_output,
        }
    }
}

impl GruLayer {
    /// All weights uniform in `±1/√d_hidden`.
    fn new(d_input: usize, d_hidden: usize, device: &Device) -> Self {
        let bound = 1.0 / (d_hidden as f64).sqrt();
        let range = Distribution::Uniform(-bound, bound);
        let gates = |d_in| Dense {
            weight: Param::from_tensor(Tensor::random([d_in, 3 * d_hidden], range, device)),
            bias: Some(Param::from_tensor(Tensor::random([3 * d_hidden], range, device))),
            gamma: None,
            u: None,
            v: None,
        };
        Self { ih: gates(d_input), hh: gates(d_hidden) }
    }

    /// States after every timestep, `[B, L, d_input] → [B, L, d_hidden]`, and the last one in `state`.
    fn forward(&self, x: Tensor<3>, state: &mut Tensor<2>) -> Tensor<3> {
        // The inputs' share of all timesteps at once.
        let states = timesteps(self.ih.forward(x)).into_iter().map(|input| {
            *state = self.cell(input, state.clone());
            state.clone()
        });
        Tensor::stack(states.collect(), 1)
    }

    /// One step: `input` is the input's share of the gates, `[B, 3·d_hidden]`.
    fn cell(&self, input: Tensor<2>, state: Tensor<2>) -> Tensor<2> {
        let d = state.dims()[1];
        let recurrent = self.hh.forward(state.clone());
        let gates =
            activation::sigmoid(input.clone().narrow(1, 0, 2 * d) + recurrent.clone().narrow(1, 0, 2 * d));
        let (reset, keep) = (gates.clone().narrow(1, 0, d), gates.narrow(1, d, d));
        let new = (input.narrow(1, 2 * d, d) + reset * recurrent.narrow(1, 2 * d, d)).tanh();
        new.clone() + keep * (state - new)
    }
}

/// `[B, L, d]` as `L` times `[B, d]`. By halves: the gradient of a slice is as large as what it was cut
/// from, so cutting `L` slices from the whole would cost `L²` in the backward pass.
fn timesteps(x: Tensor<3>) -> Vec<Tensor<2>> {
    let len = x.dims()[1];
    if len == 1 {
        return vec![x.squeeze_dim(1)];
    }
    let half = len / 2;
    let mut steps = timesteps(x.clone().narrow(1, 0, half));
    steps.extend(timesteps(x.narrow(1, half, len - half)));
    steps
}

impl GruEncoder {
    /// Timesteps from a given state on: `[B, L, d_input] → [B, L, d_output]`.
    fn forward(&self, x: Tensor<3>, state: &mut GruState) -> Tensor<3> {
        let layers = self.rnn.iter().zip(&mut state.0);
        let x = layers.fold(x, |x, (layer, state)| layer.forward(x, state));
        self.out_norm.forward(self.out.forward(x))
    }
}

impl SequenceEncoder for GruEncoder {
    type State = GruState;

    fn d_output(&self) -> usize {
        self.d_output
    }

    fn forward_seq(&self, x: Tensor<3>, _times: Tensor<2, Int>) -> Tensor<3> {
        let mut state = self.rollout_state(x.dims()[0], 0, &x.device());
        self.forward(x, &mut state)
    }

    fn forward_step(&self, x: Tensor<3>, _times: Tensor<2, Int>, state: &mut GruState) -> Tensor<3> {
        self.forward(x, state)
    }

    /// There is no window: the state forgets only what it learns to.
    fn rollout_state(&self, batch: usize, _context: usize, device: &Device) -> GruState {
        GruState(self.rnn.iter().map(|_| Tensor::zeros([batch, self.d_hidden], device)).collect())
    }
}

impl EncoderState for GruState {
    fn reset(&mut self, row: usize) {
        for state in &mut self.0 {
            state.inplace(|s| s.slice_fill(row..row + 1, 0.0));
        }
    }

    fn row(&self, row: usize) -> Option<Vec<f32>> {
        let mut values = Vec::new();
        self.0.iter().for_each(|state| read_row(state, row, &mut values));
        Some(values)
    }

    fn set_row(&mut self, row: usize, mut values: &[f32]) {
        self.0.iter_mut().for_each(|state| write_row(state, row, &mut values));
    }
}
