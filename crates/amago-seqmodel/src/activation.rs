//! Activation functions.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};

const LEAK: f64 = 0.01;

/// Coefficients of `1, x, x², …` at which the adaptive activation is close to the leaky ReLU
/// (Delfosse et al. 2021, arXiv 2102.09407).
const NUMERATOR: [f32; 6] = [0.029792778, 0.6183735, 2.323309, 3.0519362, 1.4854203, 0.25102448];
/// Coefficients of `x, x², …` below the line.
const DENOMINATOR: [f32; 4] = [-1.1419548, 4.39316, 0.8714712, 0.3471966];

/// Elementwise nonlinearity.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0.01 x)`, the default everywhere.
    #[default]
    LeakyRelu,
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)` with the exact error function.
    Gelu,
    /// `x tanh(softplus(x))`.
    Mish,
    /// A learned rational function that begins near the leaky ReLU.
    Adaptive,
}

/// An activation function with its parameters; only [`Activation::Adaptive`] has any.
#[derive(Module, Debug)]
pub struct ActivationLayer {
    /// Coefficients of `1, x, x², …`, `[6]`.
    pub numerator: Option<Param<Tensor<1>>>,
    /// Coefficients of `x, x², …`, `[4]`.
    pub denominator: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: Activation,
}

impl Activation {
    /// Builds the layer.
    pub fn init(self, device: &Device) -> ActivationLayer {
        let learned = |start: &[f32]| {
            let start = (self == Activation::Adaptive).then_some(start)?;
            Some(Param::from_tensor(Tensor::from_floats(start, device)))
        };
        ActivationLayer { numerator: learned(&NUMERATOR), denominator: learned(&DENOMINATOR), kind: self }
    }
}

impl ActivationLayer {
    /// Slope below (and at) zero of a function that is the identity above it: what fused operations can compute.
    pub fn slope(&self) -> Option<f64> {
        match self.kind {
            Activation::LeakyRelu => Some(LEAK),
            Activation::Relu => Some(0.0),
            Activation::Gelu | Activation::Mish | Activation::Adaptive => None,
        }
    }

    /// Applies the function to every entry.
    ///
    /// # Shapes
    /// - input: any
    /// - output: the same
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.kind {
            // Burn's own leaky ReLU has slope one at zero; the original has the small slope there.
            Activation::LeakyRelu => x.clone() * LEAK + activation::relu(x) * (1.0 - LEAK),
            Activation::Relu => activation::relu(x),
            Activation::Gelu => amago_ops::gelu(x),
            Activation::Mish => activation::mish(x),
            Activation::Adaptive => self.rational(x),
        }
    }

    /// `Σ n_i x^i / (1 + Σ |d_j x^j|)`: the absolute values keep the divisor from zero.
    fn rational<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (Some(numerator), Some(denominator)) = (&self.numerator, &self.denominator) else {
            unreachable!("built with its coefficients")
        };
        // Both by Horner's rule, from the highest power down.
        let horner = |coefficients: Tensor<1>, x: &Tensor<D>| {
            let at = |i| coefficients.clone().narrow(0, i, 1).unsqueeze::<D>();
            let top = coefficients.dims()[0] - 1;
            (0..top).rev().fold(at(top).expand(x.dims()), |sum, i| sum * x.clone() + at(i))
        };
        let above = horner(numerator.val(), &x);
        let size = x.abs();
        let below = horner(denominator.val().abs(), &size) * size + 1.0;
        above / below
    }
}
