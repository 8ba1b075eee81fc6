//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101).

use amago_ops::{AdamWStep, adamw};
use burn::optim::{AdamW, AdamWState, AdaptiveMomentumState, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use crate::OptimConfig;

impl OptimConfig {
    /// A fresh AdamW with these settings.
    pub fn init(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(Relative(self.clone()))
    }
}

/// AdamW that forgets, at intervals, how many steps it made, as for a new task (Ellis et al. 2024, arXiv
/// 2412.17113). Its moments stay.
#[derive(Clone)]
struct Relative(OptimConfig);

impl Optimizer for Relative {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let OptimConfig { weight_decay, betas, epsilon, reset_interval, .. } = self.0;
        let (steps, moments) = match state.map(|state| state.momentum) {
            Some(state) if state.time == reset_interval => (0, [state.moment_1, state.moment_2]),
            Some(state) => (state.time, [state.moment_1, state.moment_2]),
            None => (0, [grad.zeros_like(), grad.zeros_like()]),
        };
        let time = steps + 1;
        let step = AdamWStep { rate, weight_decay, betas, epsilon, time: time as i32 };
        let (tensor, [first, second]) = adamw(tensor, grad, moments, &step);
        (tensor, Some(AdamWState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdamW::to_device(state, device)
    }
}
