//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101).

use burn::optim::{AdamW, AdamWConfig, AdamWState, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use crate::OptimConfig;

impl OptimConfig {
    /// A fresh AdamW with these settings.
    pub fn init(&self) -> ModuleOptimizer {
        let adamw = AdamWConfig::new()
            .with_beta_1(self.betas[0])
            .with_beta_2(self.betas[1])
            .with_epsilon(self.epsilon)
            .with_weight_decay(self.weight_decay)
            .build();
        ModuleOptimizer::from(Relative { adamw, reset_interval: self.reset_interval })
    }
}

/// AdamW that forgets, at intervals, how many steps it made, as for a new task (Ellis et al. 2024, arXiv
/// 2412.17113). Its moments stay.
#[derive(Clone)]
struct Relative {
    adamw: AdamW,
    /// Steps; zero for never.
    reset_interval: usize,
}

impl Optimizer for Relative {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        mut state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        if let Some(state) = &mut state
            && state.momentum.time == self.reset_interval
        {
            state.momentum.time = 0;
        }
        self.adamw.step(rate, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdamW::to_device(state, device)
    }
}
