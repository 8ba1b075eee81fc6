//! Multi-layer perceptron.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};

use crate::dropout::drop_out;
use crate::{Activation, ActivationLayer, Dense, Norm, NormKind};

/// Shape of an [`Mlp`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MlpConfig {
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
    /// Normalisation before each nonlinearity.
    pub norm: NormKind,
    /// Dropout probability after each nonlinearity.
    pub dropout: f64,
}

/// `n_layers` times `linear → norm → act → dropout`, then a linear output.
///
/// ```
/// use amago_seqmodel::{Activation, MlpConfig, NormKind};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let (activation, norm) = (Activation::LeakyRelu, NormKind::Layer);
/// let mlp = MlpConfig { d_input: 3, d_hidden: 16, d_output: 2, n_layers: 2, activation, norm, dropout: 0.0 };
/// let y = mlp.init(&device).forward(Tensor::<3>::ones([4, 5, 3], &device));
/// assert_eq!(y.dims(), [4, 5, 2]);
/// ```
#[derive(Module, Debug)]
pub struct Mlp {
    in_layer: Dense,
    in_norm: Norm,
    layers: Vec<Dense>,
    norms: Vec<Norm>,
    out_layer: Dense,
    dropout: Dropout,
    activation: ActivationLayer,
}

impl MlpConfig {
    /// Builds the network.
    pub fn init(&self, device: &Device) -> Mlp {
        let hidden = self.n_layers.saturating_sub(1);
        Mlp {
            in_layer: Dense::plain(self.d_input, self.d_hidden, device),
            in_norm: self.norm.init(self.d_hidden, device),
            layers: (0..hidden).map(|_| Dense::plain(self.d_hidden, self.d_hidden, device)).collect(),
            norms: (0..hidden).map(|_| self.norm.init(self.d_hidden, device)).collect(),
            out_layer: Dense::plain(self.d_hidden, self.d_output, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            activation: self.activation.init(device),
        }
    }
}

impl Mlp {
    /// All layers.
    ///
    /// # Shapes
    /// - x: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut x = hidden(x, &self.in_layer, &self.in_norm, &self.activation, &self.dropout);
        for (layer, norm) in self.layers.iter().zip(&self.norms) {
            x = hidden(x, layer, norm, &self.activation, &self.dropout);
        }
        self.out_layer.forward(x)
    }
}

/// `dropout(act(norm(linear(x))))`, with linear and nonlinearity in one where nothing is between them.
pub(crate) fn hidden<const D: usize>(
    x: Tensor<D>,
    layer: &Dense,
    norm: &Norm,
    activation: &ActivationLayer,
    dropout: &Dropout,
) -> Tensor<D> {
    let hidden = match norm.is_none() {
        true => layer.activated(x, activation),
        false => activation.forward(norm.forward(layer.forward(x))),
    };
    drop_out(hidden, dropout)
}
