//! What an optimiser does to every parameter, in one pass each on the CPU. None of it has a gradient.

use burn::tensor::Tensor;

use crate::shapes::require;

/// Settings of one step of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the first and second moments.
    pub betas: [f32; 2],
    /// Keeps the divisor from zero.
    pub epsilon: f32,
    /// Number of this step, from one.
    pub time: i32,
}

/// New weight and moments; the moments before the first step are zero. Of plain tensors.
///
/// # Shapes
/// - weight, gradient, moments and outputs: any one shape
///
/// # Panics
/// When the shapes differ, or the step has no number from one on.
pub fn adamw<const D: usize>(
    weight: Tensor<D>,
    grad: Tensor<D>,
    moments: [Tensor<D>; 2],
    step: &AdamWStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let shapes = [weight.dims(), grad.dims(), moments[0].dims(), moments[1].dims()];
    require!(shapes == [weight.dims(); 4], "adamw", "weight, gradient and moments of one shape", shapes);
    let time = step.time;
    require!(time > 0, "adamw", "steps that are counted from one", time);
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&weight.device()) {
        let device = weight.device();
        let (mut weight, grad) = (crate::cpu::constant(weight), crate::cpu::constant(grad));
        let mut moments = moments.map(crate::cpu::constant);
        crate::cpu::adamw(&mut weight, &grad, &mut moments, step);
        return (weight.on(&device), moments.map(|moment| moment.on(&device)));
    }
    let [m, v] = moments;
    let m = m * step.betas[0] + grad.clone() * (1.0 - step.betas[0]);
    let v = v * step.betas[1] + grad.square() * (1.0 - step.betas[1]);
    let bias = step.betas.map(|beta| 1.0 - beta.powi(step.time));
    let delta = m.clone().div_scalar(bias[0]) / (v.clone().div_scalar(bias[1]).sqrt() + step.epsilon);
    let keep = 1.0 - step.rate * f64::from(step.weight_decay);
    (weight * keep - delta * step.rate, [m, v])
}

/// `(1 − tau) old + tau new`.
///
/// # Shapes
/// - old, new, output: any one shape
///
/// # Panics
/// When the shapes differ.
pub fn blend<const D: usize>(old: Tensor<D>, new: Tensor<D>, tau: f32) -> Tensor<D> {
    let shapes = [old.dims(), new.dims()];
    require!(shapes == [old.dims(); 2], "blend", "tensors of one shape", shapes);
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&old.device()) {
        let device = old.device();
        let (mut old, new) = (crate::cpu::constant(old), crate::cpu::constant(new));
        crate::cpu::blend(&mut old, &new, tau);
        return old.on(&device);
    }
    old.detach() * (1.0 - tau) + new.detach() * tau
}

/// Sum of the squares of all entries; zero where there are none.
///
/// # Shapes
/// - input: any
/// - output: `[1]`
pub fn square_sum<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&x.device()) {
        let device = x.device();
        return Tensor::from_floats([crate::cpu::square_sum(&crate::cpu::constant(x))], &device);
    }
    x.detach().square().sum()
}
