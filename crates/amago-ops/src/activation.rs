//! Activation functions.

use burn::tensor::{Tensor, activation};

const LEAK: f64 = 0.01;

/// Elementwise nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0.01 x)`, the default everywhere.
    #[default]
    LeakyRelu,
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)` with the exact error function.
    Gelu,
    /// `x tanh(softplus(x))`.
    Mish,
}

impl Activation {
    /// Slope below (and at) zero of a function that is the identity above it.
    pub fn slope(self) -> Option<f64> {
        match self {
            Self::Identity => Some(1.0),
            Self::LeakyRelu => Some(LEAK),
            Self::Relu => Some(0.0),
            Self::Gelu | Self::Mish => None,
        }
    }

    /// Applies the function to every entry.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::Identity => x,
            // Burn's own leaky ReLU has slope one at zero; the original has the small slope there.
            Activation::LeakyRelu => x.clone() * LEAK + activation::relu(x) * (1.0 - LEAK),
            Activation::Relu => activation::relu(x),
            Activation::Gelu => activation::gelu(x),
            Activation::Mish => activation::mish(x),
        }
    }
}
