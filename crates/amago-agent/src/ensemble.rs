//! An ensemble of equal MLPs as batched matrix products.

use amago_ops::{ClassifierHead, ensemble_linear};
use amago_seqmodel::{Activation, ActivationLayer};
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
        // Of variance `1/d_in`: outputs as large as inputs, whatever the width.
        let weight = Tensor::random([n, d_in, d_out], uniform((3.0 / fan_in).sqrt()), device);
        let bias = Tensor::random([1, 1, n, d_out], uniform((1.0 / fan_in).sqrt()), device);
        Self { weight: Param::from_tensor(weight), bias: Param::from_tensor(bias) }
    }

    /// `[C, N, d_in] → [C, N, d_out]`; `x` may also be `[1, N, d_in]`, shared by all.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        ensemble_linear(x, self.weight.val(), self.bias_rows(), 1.0)
    }

    /// The layer and an activation after it.
    fn activated(&self, x: Tensor<3>, activation: &ActivationLayer) -> Tensor<3> {
        match activation.slope() {
            Some(slope) => ensemble_linear(x, self.weight.val(), self.bias_rows(), slope),
            None => activation.forward(self.forward(x)),
        }
    }

    /// The bias as `[C, d_out]`.
    fn bias_rows(&self) -> Tensor<2> {
        // The shape in memory is that of the original, whose weights can be imported.
        let [_, _, n, d_out] = self.bias.dims();
        self.bias.val().reshape([n, d_out])
    }

    /// The weight of part of the input, `[C, rows, d_out]`.
    fn weight_rows(&self, start: usize, rows: usize) -> Tensor<3> {
        self.weight.val().narrow(1, start, rows)
    }
}

/// `n_layers` times `linear → act → dropout`, then a linear output.
#[derive(Module, Debug)]
pub struct EnsembleMlp {
    inp_layer: EnsembleDense,
    core_layers: Vec<EnsembleDense>,
    output_layer: EnsembleDense,
    activation: ActivationLayer,
    dropout: f64,
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
    /// Dropout after each nonlinearity.
    pub dropout: f64,
}

impl EnsembleMlp {
    /// Fresh weights.
    pub fn new(shape: EnsembleShape, device: &Device) -> Self {
        let EnsembleShape { n, d_input, d_hidden, d_output, n_layers, activation, dropout } = shape;
        let core = |_| EnsembleDense::new(n, d_hidden, d_hidden, device);
        Self {
            inp_layer: EnsembleDense::new(n, d_input, d_hidden, device),
            core_layers: (1..n_layers).map(core).collect(),
            output_layer: EnsembleDense::new(n, d_hidden, d_output, device),
            activation: activation.init(device),
            dropout,
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

    /// The outputs of all networks.
    ///
    /// # Shapes
    /// - x: `[N, d_input]`
    /// - output: `[C, N, d_output]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<3> {
        let prob = self.dropped(&x.device());
        let hidden =
            |x, layer: &EnsembleDense| amago_ops::dropout(layer.activated(x, &self.activation), prob);
        let x = hidden(x.unsqueeze(), &self.inp_layer);
        self.output_layer.forward(self.core_layers.iter().fold(x, hidden))
    }

    /// With what probability a pass on this device drops something.
    fn dropped(&self, device: &Device) -> f64 {
        if amago_ops::is_training(device) { self.dropout } else { 0.0 }
    }

    /// The network as a head whose input is `[state, discount feature, action]`, never joined: the state's share of the
    /// first layer is computed once per state, not once per discount and action.
    ///
    /// # Shapes
    /// - state: `[N, D]`
    /// - features: `[G]`
    pub fn head(
        &self,
        state: Tensor<2>,
        features: Tensor<1>,
    ) -> ClassifierHead<impl Fn(Tensor<3>) -> Tensor<3>> {
        let first = &self.inp_layer;
        let ([_, d], [g]) = (state.dims(), features.dims());
        let n_actions = first.weight.dims()[1] - d - 1;
        let dropout = self.dropped(&state.device());
        let parts = |layer: &EnsembleDense| (layer.weight.val(), layer.bias_rows());
        let shared = ensemble_linear(state.unsqueeze(), first.weight_rows(0, d), first.bias_rows(), 1.0);
        ClassifierHead {
            state: shared,
            gamma: features.reshape([1, g, 1]).matmul(first.weight_rows(d, 1)),
            action_weight: first.weight_rows(d + 1, n_actions),
            layers: self.core_layers.iter().chain([&self.output_layer]).map(parts).collect(),
            activation: |x| self.activation.forward(x),
            slope: self.activation.slope(),
            dropout,
        }
    }
}
