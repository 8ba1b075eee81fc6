//! The selective state-space layer.
// `A_log` and `D` are called so in the paper and in the original's state dict.
#![allow(non_snake_case)]

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor, activation};

use crate::selective_scan::{Selected, selective_scan};
use crate::{Dense, MambaConfig};

/// Range of the step sizes of a fresh layer, and their lower bound.
const STEP_RANGE: [f64; 2] = [1e-3, 1e-1];
const MIN_STEP: f64 = 1e-4;

/// The layer of Mamba (Gu and Dao 2023, arXiv 2312.00752, section 3.4): a gated branch `silu(z)` times
/// a causal convolution, silu and the recurrence `h ← exp(Δ A) ⊙ h + Δ x B`, `y = C h + D x`, whose step
/// size `Δ` and matrices `B`, `C` depend on the input. `I = expand · d_model` channels, `N = d_state`
/// states each.
#[derive(Module, Debug)]
pub(crate) struct MambaBlock {
    in_proj: Dense,
    conv1d: CausalConv,
    x_proj: Dense,
    dt_proj: Dense,
    /// `log(−A)`, `[I, N]`.
    A_log: Param<Tensor<2>>,
    /// `[I]`.
    D: Param<Tensor<1>>,
    out_proj: Dense,
}

/// A convolution over time of every channel by itself, which sees no later timestep.
#[derive(Module, Debug)]
struct CausalConv {
    /// `[I, 1, K]`; the last column belongs to the newest timestep.
    weight: Param<Tensor<3>>,
    /// `[I]`.
    bias: Param<Tensor<1>>,
}

/// What a block carries from step to step.
#[derive(Debug, Clone)]
pub(crate) struct BlockState {
    /// The last `K` inputs of the convolution, `[B, K, I]`.
    pub inputs: Tensor<3>,
    /// `[B, I, N]`.
    pub hidden: Tensor<3>,
}

impl MambaBlock {
    /// Fresh weights, as in section 3.6 of the paper and its authors' code: `A = −1, …, −N`, `D = 1`,
    /// step sizes log-uniform in `STEP_RANGE`.
    pub fn new(config: &MambaConfig, device: &Device) -> Self {
        let &MambaConfig { d_model, d_state, d_conv, expand, .. } = config;
        let (inner, rank) = (expand * d_model, d_model.div_ceil(16));
        let a: Vec<f32> = (0..inner * d_state).map(|i| ((i % d_state + 1) as f32).ln()).collect();
        let a = Tensor::<1>::from_floats(a.as_slice(), device).reshape([inner, d_state]);
        Self {
            in_proj: Dense::new(false, [d_model, 2 * inner], false, device),
            conv1d: CausalConv::new(inner, d_conv, device),
            x_proj: Dense::new(false, [inner, rank + 2 * d_state], false, device),
            dt_proj: step_projection(rank, inner, device),
            A_log: Param::from_tensor(a),
            D: Param::from_tensor(Tensor::ones([inner], device)),
            out_proj: Dense::new(false, [inner, d_model], false, device),
        }
    }

    /// The state before the first step.
    pub fn state(&self, batch: usize, device: &Device) -> BlockState {
        let [inner, d_state] = self.A_log.dims();
        BlockState {
            inputs: Tensor::zeros([batch, self.conv1d.len(), inner], device),
            hidden: Tensor::zeros([batch, inner, d_state], device),
        }
    }

    /// Whole sequences.
    ///
    /// # Shapes
    /// - x, output: `[B, L, d_model]`
    pub fn forward_seq(&self, x: Tensor<3>) -> Tensor<3> {
        let (x, gate) = self.split_input(x);
        let x = self.conv1d.forward(x);
        let read = selective_scan(&self.select(x.clone()), &self.decay_rates());
        self.output(read, x, gate)
    }

    /// One new timestep per row.
    ///
    /// # Shapes
    /// - x, output: `[B, 1, d_model]`
    pub fn forward_step(&self, x: Tensor<3>, state: &mut BlockState) -> Tensor<3> {
        let (x, gate) = self.split_input(x);
        let x = self.conv1d.step(x, &mut state.inputs);
        let selected = self.select(x.clone());
        let (decay, input) = selected.terms(&self.decay_rates());
        let hidden = decay * state.hidden.clone().unsqueeze_dim(1) + input;
        state.hidden = hidden.clone().squeeze_dim(1);
        self.output(selected.read(hidden), x, gate)
    }

    /// The recurrent branch and the gate, each `[B, L, I]`.
    fn split_input(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let both = self.in_proj.forward(x);
        let inner = both.dims()[2] / 2;
        (both.clone().narrow(2, 0, inner), both.narrow(2, inner, inner))
    }

    /// The recurrence that the inputs `[B, L, I]` choose.
    fn select(&self, x: Tensor<3>) -> Selected {
        let d_state = self.A_log.dims()[1];
        let chosen = self.x_proj.forward(x.clone());
        let rank = chosen.dims()[2] - 2 * d_state;
        let part = |start, len| chosen.clone().narrow(2, start, len);
        let step = activation::softplus(self.dt_proj.forward(part(0, rank)), 1.0);
        let (b, c) = (part(rank, d_state), part(rank + d_state, d_state));
        Selected { input: step.clone() * x, step, b, c }
    }

    /// `A`, `[I, N]`.
    fn decay_rates(&self) -> Tensor<2> {
        self.A_log.val().exp().neg()
    }

    /// `out((C h + D x) ⊙ silu(gate))`; `read` is `C h`, `[B, L, I]`.
    fn output(&self, read: Tensor<3>, x: Tensor<3>, gate: Tensor<3>) -> Tensor<3> {
        let y = read + x * self.D.val().unsqueeze();
        self.out_proj.forward(y * activation::silu(gate))
    }
}

/// From `rank` features to one step size per channel. The bias is the inverse softplus of step sizes
/// that are log-uniform in `STEP_RANGE`.
fn step_projection(rank: usize, inner: usize, device: &Device) -> Dense {
    let bound = (rank as f64).powf(-0.5);
    let weight = Tensor::random([rank, inner], Distribution::Uniform(-bound, bound), device);
    let [low, high] = STEP_RANGE.map(f64::ln);
    let log_step = Tensor::<1>::random([inner], Distribution::Uniform(low, high), device);
    let step = log_step.exp().clamp_min(MIN_STEP);
    let bias = step.clone() + step.neg().exp().neg().add_scalar(1.0).log();
    let mut layer = Dense::plain(rank, inner, device);
    layer.weight = Param::from_tensor(weight);
    layer.bias = Some(Param::from_tensor(bias));
    layer
}

impl CausalConv {
    /// Weights uniform in `±1/√K`.
    fn new(channels: usize, len: usize, device: &Device) -> Self {
        let bound = (len as f64).powf(-0.5);
        let range = Distribution::Uniform(-bound, bound);
        Self {
            weight: Param::from_tensor(Tensor::random([channels, 1, len], range, device)),
            bias: Param::from_tensor(Tensor::random([channels], range, device)),
        }
    }

    fn len(&self) -> usize {
        self.weight.dims()[2]
    }

    /// Whole sequences, with zeros before the first timestep: `[B, L, I] → [B, L, I]`, after silu.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, len, channels] = x.dims();
        let before = Tensor::zeros([batch, self.len(), channels], &x.device());
        self.slide(Tensor::cat(vec![before, x], 1).narrow(1, 1, self.len() + len - 1))
    }

    /// One timestep, `[B, 1, I]`, after those in `inputs`, which it enters.
    fn step(&self, x: Tensor<3>, inputs: &mut Tensor<3>) -> Tensor<3> {
        *inputs = Tensor::cat(vec![inputs.clone(), x], 1).narrow(1, 1, self.len());
        self.slide(inputs.clone())
    }

    /// `[B, K − 1 + L, I] → [B, L, I]`.
    fn slide(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, all, channels] = x.dims();
        let len = all + 1 - self.len();
        let weight = |k| self.weight.val().narrow(2, k, 1).reshape([1, 1, channels]);
        let sum = (0..self.len())
            .map(|k| x.clone().narrow(1, k, len) * weight(k))
            .fold(self.bias.val().unsqueeze::<3>(), |sum, term| sum + term);
        activation::silu(sum)
    }
}
