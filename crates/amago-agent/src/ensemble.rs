//! An ensemble of equal MLPs as batched matrix products.

use amago_seqmodel::Activation;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};

/// `C` linear layers side by side.
#[derive(Module, Debug)]
pub struct EnsembleDense {
    /// `[C, d_in, d_out]`.
    pub weight: Param<Tensor<3>>,
    /// `[1, 1, C, d_out]`.
    pub bias: Param<Tensor<4>>,
}

impl EnsembleDense {
    /// Weights uniform in `±√(3/d_in)`, biases in `±1/√d_in`.
    pub fn new(n: usize, d_in: usize, d_out: usize, device: &Device) -> Self {
        let uniform = |bound: f64| Distribution::Uniform(-bound, bound);
        let fan_in = d_in as f64;
        let weight = Tensor::random([n, d_in, d_out], uniform((3.0 / fan_in).sqrt()), device);
        let bias = Tensor::random([1, 1, n, d_out], uniform((1.0 / fan_in).sqrt()), device);
        Self { weight: Param::from_tensor(weight), bias: Param::from_tensor(bias) }
    }

    /// `[C, N, d_in] → [C, N, d_out]`; `x` may also be `[1, N, d_in]`, shared by all.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x.matmul(self.weight.val()) + self.bias_rows()
    }

    /// The bias as `[C, 1, d_out]`.
    fn bias_rows(&self) -> Tensor<3> {
        let [_, _, n, d_out] = self.bias.dims();
        self.bias.val().reshape([n, 1, d_out])
    }

    /// Product of part of the input with its rows of the weight, without bias:
    /// `[1, N, rows] → [C, N, d_out]`.
    fn partial(&self, x: Tensor<3>, start: usize) -> Tensor<3> {
        let [n, _, d_out] = self.weight.dims();
        let rows = x.dims()[2];
        x.matmul(self.weight.val().slice([0..n, start..start + rows, 0..d_out]))
    }
}

/// `n_layers` times `linear → act`, then a linear output.
#[derive(Module, Debug)]
pub struct EnsembleMlp {
    inp_layer: EnsembleDense,
    core_layers: Vec<EnsembleDense>,
    output_layer: EnsembleDense,
    #[module(skip)]
    activation: Activation,
}

/// Shape of an [`EnsembleMlp`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnsembleShape {
    /// Number of networks.
    pub n: usize,
    /// Input width.
    pub d_input: usize,
    /// Width of the hidden layers.
    pub d_hidden: usize,
    /// Output width.
    pub d_output: usize,
    /// Hidden layers; the input layer counts as one.
    pub n_layers: usize,
    /// Nonlinearity.
    pub activation: Activation,
}

impl EnsembleMlp {
    /// Fresh weights.
    pub fn new(shape: EnsembleShape, device: &Device) -> Self {
        let EnsembleShape { n, d_input, d_hidden, d_output, n_layers, activation } = shape;
        let core = |_| EnsembleDense::new(n, d_hidden, d_hidden, device);
        Self {
            inp_layer: EnsembleDense::new(n, d_input, d_hidden, device),
            core_layers: (1..n_layers).map(core).collect(),
            output_layer: EnsembleDense::new(n, d_hidden, d_output, device),
            activation,
        }
    }

    /// The same with another bias of the outputs, equal for all networks.
    pub fn with_output_bias(mut self, bias: &[f32]) -> Self {
        self.output_layer.bias = self.output_layer.bias.map(|old| {
            let new = Tensor::<1>::from_floats(bias, &old.device());
            new.unsqueeze::<4>().expand(old.dims()).detach().set_require_grad(old.is_require_grad())
        });
        self
    }

    /// `[N, d_input] → [C, N, d_output]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<3> {
        self.after_input(self.inp_layer.forward(x.unsqueeze()))
    }

    /// The network on every pair of state, discount feature and action, without ever building the
    /// joined input: the state's share of the first layer is computed once per state, not once per
    /// discount and action. `state` is `[N, D]`, `features` is `[G]`, `actions` is `[K, N, G, A]`;
    /// the joined input would be `[state, feature, action]`. Gives `[C, K·N·G, d_output]`.
    pub fn forward_joined(&self, state: Tensor<2>, features: Tensor<1>, actions: Tensor<4>) -> Tensor<3> {
        let [k, n, g, a] = actions.dims();
        let d = state.dims()[1];
        let c = self.inp_layer.weight.dims()[0];
        let states = self.inp_layer.partial(state.unsqueeze(), 0) + self.inp_layer.bias_rows();
        let hidden = states.dims()[2];
        let by_gamma = self.inp_layer.partial(features.reshape([1, g, 1]), d);
        let by_action = self.inp_layer.partial(actions.reshape([1, k * n * g, a]), d + 1);
        let states = states.reshape([c, 1, n, 1, hidden]);
        let joined =
            by_action.reshape([c, k, n, g, hidden]) + by_gamma.reshape([c, 1, 1, g, hidden]) + states;
        self.after_input(joined.reshape([c, k * n * g, hidden]))
    }

    fn after_input(&self, hidden: Tensor<3>) -> Tensor<3> {
        let act = |x| self.activation.forward(x);
        let x = self.core_layers.iter().fold(act(hidden), |x, layer| act(layer.forward(x)));
        self.output_layer.forward(x)
    }
}
