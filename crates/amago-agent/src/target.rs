//! Slow copies of networks.

use std::any::Any;
use std::collections::VecDeque;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The values of a module's parameters, in visiting order.
struct Collect(VecDeque<Box<dyn Any>>);

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push_back(Box::new(param.val().detach()));
    }
}

struct Blend {
    source: VecDeque<Box<dyn Any>>,
    tau: f32,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let source = self.source.pop_front().and_then(|x| x.downcast::<Tensor<D>>().ok());
        let source = *source.expect("target and source have the same structure");
        let tau = self.tau;
        param.map(|old| {
            // A copy is exact, whatever the target held before.
            let new = if tau >= 1.0 { source } else { amago_ops::blend(old, source, tau) };
            new.set_require_grad(false)
        })
    }
}

fn blend<M: Module>(target: M, source: &M, tau: f32) -> M {
    let mut values = Collect(VecDeque::new());
    source.visit(&mut values);
    target.map(&mut Blend { source: values.0, tau })
}

/// `target ← (1 − τ) target + τ source`, without gradient.
pub fn soft_update<M: Module>(target: M, source: &M, tau: f32) -> M {
    blend(target, source, tau)
}

/// `target ← source`, without gradient.
pub fn copy_into<M: Module>(target: M, source: &M) -> M {
    blend(target, source, 1.0)
}
