//! Global norm of the gradient.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Joint Euclidean norm of the gradients of a module's parameters; absent where it has none. No number leaves the
/// device.
///
/// # Shapes
/// - output: `[1]`
pub fn gradient_norm<M: Module>(module: &M, grads: &GradientsParams) -> Option<Tensor<1>> {
    let mut sum = SquareSum { grads, total: None };
    module.visit(&mut sum);
    Some(sum.total?.sqrt())
}

/// Scales all gradients of the module's parameters, whose joint norm is `norm`, so that it is at most `max_norm`.
///
/// # Shapes
/// - norm: `[1]`
pub fn clip_gradients<M: Module>(module: &M, grads: &mut GradientsParams, norm: Tensor<1>, max_norm: f32) {
    // The formula of PyTorch's `clip_grad_norm_`. It multiplies by one where nothing is to be clipped: a
    // branch would need the norm on the host.
    let scale = (norm + 1e-6).recip().mul_scalar(max_norm).clamp_max(1.0);
    module.visit(&mut Scale { grads, scale });
}

struct SquareSum<'a> {
    grads: &'a GradientsParams,
    total: Option<Tensor<1>>,
}

impl ModuleVisitor for SquareSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.get::<D>(param.id) else { return };
        let square = amago_ops::square_sum(grad);
        self.total = Some(match self.total.take() {
            Some(total) => total + square,
            None => square,
        });
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    scale: Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad * self.scale.clone().unsqueeze());
        }
    }
}
