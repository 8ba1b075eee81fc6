//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101).

use amago_ops::{AdamWStep, adamw};
use burn::optim::{
    AdamW, AdamWState, AdaptiveMomentumState, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

use crate::ConfigError;

/// Settings of the optimiser.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptimConfig {
    /// Learning rate after the warm-up.
    pub learning_rate: f64,
    /// Updates over which the rate rises from zero.
    pub warmup: usize,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f32,
    /// Decay of AdamW's first and second moments.
    pub betas: [f32; 2],
    /// Keeps AdamW's divisor from zero.
    pub epsilon: f32,
    /// Largest global norm of the gradient.
    pub grad_clip: f32,
    /// Parts that a batch is computed in, to need less memory; at most as many as it has sequences. The
    /// gradient is that of the whole batch, but the TD targets of several parts are without dropout.
    pub micro_batches: usize,
    /// Keep only what lies between the encoders' layers, and compute the layers again on the way back: longer
    /// contexts fit into memory, for about a third more time in the encoders.
    pub gradient_checkpointing: bool,
    /// Updates after which AdamW counts its steps from zero again (Ellis et al. 2024, arXiv 2412.17113); zero
    /// for never.
    pub reset_interval: usize,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            warmup: 500,
            weight_decay: 1e-3,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            grad_clip: 1.0,
            micro_batches: 1,
            gradient_checkpointing: false,
            reset_interval: 0,
        }
    }
}

impl OptimConfig {
    /// A fresh AdamW with these settings.
    pub fn init(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(Relative(self.clone()))
    }

    /// Refuses rates and bounds that cannot train.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.micro_batches == 0 {
            return Err(ConfigError::Zero("micro_batches"));
        }
        let positive = [
            ("learning_rate", self.learning_rate as f32),
            ("grad_clip", self.grad_clip),
            ("epsilon", self.epsilon),
        ];
        if let Some((name, value)) = positive.into_iter().find(|(_, v)| !(*v > 0.0 && v.is_finite())) {
            return Err(ConfigError::NotPositive { name, value });
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let range = "zero or a positive number";
            return Err(ConfigError::Range { name: "weight_decay", value: self.weight_decay, range });
        }
        match self.betas.into_iter().find(|beta| !(0.0..1.0).contains(beta)) {
            Some(value) => Err(ConfigError::Range { name: "betas", value, range: "at least 0 and below 1" }),
            None => Ok(()),
        }
    }
}

/// AdamW that forgets, at intervals, how many steps it made, as for a new task (Ellis et al. 2024, arXiv
/// 2412.17113). Its moments stay.
#[derive(Clone)]
struct Relative(OptimConfig);

impl Optimizer for Relative {
    type State<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let OptimConfig { weight_decay, betas, epsilon, reset_interval, .. } = self.0;
        let (steps, moments) = match state.map(|Moments(state)| state.momentum) {
            Some(state) if reset_interval > 0 && state.time >= reset_interval => {
                (0, [state.moment_1, state.moment_2])
            }
            Some(state) => (state.time, [state.moment_1, state.moment_2]),
            None => (0, [grad.zeros_like(), grad.zeros_like()]),
        };
        let time = steps + 1;
        // After so many steps the correction of the moments is one.
        let counted = i32::try_from(time).unwrap_or(i32::MAX);
        let step = AdamWStep { rate, weight_decay, betas, epsilon, time: counted };
        let (tensor, [first, second]) = adamw(tensor, grad, moments, &step);
        (tensor, Some(Moments(AdamWState::new(AdaptiveMomentumState::new(time, first, second)))))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Moments(AdamW::to_device(state.0, device))
    }
}

/// Burn's own state, which it knows how to save. Burn would load it on the default device: a GPU wherever one was compiled
/// in, even where there is none. The first step moves it to where the weights are.
#[derive(Clone)]
struct Moments<const D: usize>(AdamWState<D>);

impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, _default: &Device) -> Option<Self> {
        AdamWState::state_unflatten(prefix, src, &amago_ops::host_device()).map(Self)
    }
}
