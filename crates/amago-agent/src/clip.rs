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
    let mut sums = SquareSums { grads, all: Vec::new() };
    module.visit(&mut sums);
    // Added up after the last of them: a device that fuses operations then adds all in one pass.
    Some(sums.all.into_iter().reduce(|a, b| a + b)?.sqrt())
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

struct SquareSums<'a> {
    grads: &'a GradientsParams,
    all: Vec<Tensor<1>>,
}

impl ModuleVisitor for SquareSums<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.all.extend(self.grads.get::<D>(param.id).map(amago_ops::square_sum));
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
