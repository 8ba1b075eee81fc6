//! The linear layer, plain or with σ-reparametrisation.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};

use crate::{ActivationLayer, buffer, set_buffer};

/// Iterations that settle the top singular vectors of a fresh weight.
const INIT_POWER_ITERATIONS: usize = 30;

/// `y = x W + b`. With σ-reparam (Zhai et al. 2023, arXiv 2303.06296) the weight in use is
/// `γ W / σ(W)`, where `σ` is the top singular value: the spectral norm of the layer is `γ`,
/// whatever `W` does, which keeps attention from collapsing.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[d_in, d_out]`.
    pub weight: Param<Tensor<2>>,
    /// `[d_out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Learned spectral norm, `[1]`; only with σ-reparam.
    pub gamma: Option<Param<Tensor<1>>>,
    /// Left singular vector estimate (output side), `[d_out]`; only with σ-reparam.
    pub u: Option<Param<Tensor<1>>>,
    /// Right singular vector estimate (input side), `[d_in]`; only with σ-reparam.
    pub v: Option<Param<Tensor<1>>>,
}

impl Dense {
    /// A plain layer; weight and bias uniform in `±1/√d_in`.
    pub fn plain(d_in: usize, d_out: usize, device: &Device) -> Self {
        let bound = 1.0 / (d_in as f64).sqrt();
        let weight = Tensor::random([d_in, d_out], Distribution::Uniform(-bound, bound), device);
        let bias = Some(uniform_bias(d_in, d_out, device));
        Self { weight: Param::from_tensor(weight), bias, gamma: None, u: None, v: None }
    }

    /// A σ-reparam layer; weight normal with standard deviation 0.02, `γ = 1`.
    pub fn sigma(d_in: usize, d_out: usize, bias: bool, device: &Device) -> Self {
        let weight = Tensor::random([d_in, d_out], Distribution::Normal(0.0, 0.02), device);
        let start = Tensor::random([d_in], Distribution::Normal(0.0, 1.0), device);
        let mut layer = Self {
            weight: Param::from_tensor(weight),
            bias: bias.then(|| uniform_bias(d_in, d_out, device)),
            gamma: Some(Param::from_tensor(Tensor::ones([1], device))),
            u: Some(buffer(Tensor::zeros([d_out], device))),
            v: Some(buffer(unit(start))),
        };
        for _ in 0..INIT_POWER_ITERATIONS {
            layer.power_iteration();
        }
        layer
    }

    /// Plain or σ-reparam. A plain layer without bias has none.
    pub fn new(sigma: bool, [d_in, d_out]: [usize; 2], bias: bool, device: &Device) -> Self {
        if sigma {
            return Self::sigma(d_in, d_out, bias, device);
        }
        let mut layer = Self::plain(d_in, d_out, device);
        if !bias {
            layer.bias = None;
        }
        layer
    }

    /// One step of power iteration on the singular vectors, without gradient: `u ← Wᵀv / ‖·‖`,
    /// `v ← W u / ‖·‖`. Called once before each training forward; a plain layer does nothing.
    pub fn power_iteration(&mut self) {
        let (Some(u), Some(v)) = (&mut self.u, &mut self.v) else { return };
        let [new_u, new_v] = amago_ops::power_iteration(self.weight.val(), v.val());
        set_buffer(u, new_u);
        set_buffer(v, new_v);
    }

    /// The weight in use. With σ-reparam the gradient flows through `W` and `γ`, never through `u` and `v`.
    ///
    /// # Shapes
    /// - output: `[d_in, d_out]`
    pub fn effective_weight(&self) -> Tensor<2> {
        let w = self.weight.val();
        match (&self.gamma, &self.u, &self.v) {
            (Some(gamma), Some(u), Some(v)) => amago_ops::sigma_reparam(w, gamma.val(), u.val(), v.val()),
            _ => w,
        }
    }

    /// Becomes a plain layer with the weight in use, which is not trained any further.
    pub(crate) fn settle(&mut self) {
        self.weight = buffer(self.effective_weight());
        (self.gamma, self.u, self.v) = (None, None, None);
    }

    /// The layer alone.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - output: `[..., d_out]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.with_slope(x, 1.0)
    }

    /// The layer and an activation after it.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - output: `[..., d_out]`
    pub fn activated<const D: usize>(&self, x: Tensor<D>, activation: &ActivationLayer) -> Tensor<D> {
        match activation.slope() {
            Some(slope) => self.with_slope(x, slope),
            None => activation.forward(self.forward(x)),
        }
    }

    fn with_slope<const D: usize>(&self, x: Tensor<D>, slope: f64) -> Tensor<D> {
        amago_ops::linear(x, self.effective_weight(), self.bias.as_ref().map(Param::val), slope)
    }
}

fn uniform_bias(d_in: usize, d_out: usize, device: &Device) -> Param<Tensor<1>> {
    let bound = 1.0 / (d_in as f64).sqrt();
    Param::from_tensor(Tensor::random([d_out], Distribution::Uniform(-bound, bound), device))
}

/// `x / max(‖x‖, 1e-12)`.
fn unit(x: Tensor<1>) -> Tensor<1> {
    let norm = x.clone().square().sum().sqrt().clamp_min(1e-12);
    x / norm
}
