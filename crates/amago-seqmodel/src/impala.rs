//! The residual blocks of IMPALA (Espeholt et al. 2018, arXiv 1802.01561).

use burn::module::Module;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, module};

use crate::cnn::Conv;
use crate::error::positive;
use crate::norm::Affine;
use crate::{Activation, ActivationLayer, ModelError};

const GROUPS: usize = 4;

/// Settings of [`crate::CnnConfig::Impala`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImpalaConfig {
    /// Channels of each block.
    pub depths: Vec<usize>,
    /// A norm over four groups of channels after each residual sum.
    pub group_norm: bool,
}

impl Default for ImpalaConfig {
    fn default() -> Self {
        Self { depths: vec![16, 32, 32], group_norm: true }
    }
}

impl ImpalaConfig {
    /// Refuses empty shapes and channels that the norm cannot split.
    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        if self.depths.is_empty() {
            return Err(ModelError::Empty("cnn.depths"));
        }
        for depth in &self.depths {
            positive(&[("cnn.depths", *depth)])?;
            if self.group_norm && !depth.is_multiple_of(GROUPS) {
                return Err(ModelError::GroupNorm(*depth));
            }
        }
        Ok(())
    }

    pub(crate) fn init(&self, channels: usize, activation: Activation, device: &Device) -> Vec<ImpalaBlock> {
        let inputs = std::iter::once(&channels).chain(&self.depths);
        let block = |(d_in, d_out): (&usize, &usize)| ImpalaBlock {
            conv: same(*d_in, *d_out, device),
            residual1: self.residual(*d_out, activation, device),
            residual2: self.residual(*d_out, activation, device),
        };
        inputs.zip(&self.depths).map(block).collect()
    }

    fn residual(&self, depth: usize, activation: Activation, device: &Device) -> Residual {
        Residual {
            conv1: same(depth, depth, device),
            conv2: same(depth, depth, device),
            norm: self.group_norm.then(|| Affine::new(depth, device)),
            activation: activation.init(device),
        }
    }
}

/// A convolution that keeps height and width.
fn same(d_in: usize, d_out: usize, device: &Device) -> Conv {
    Conv { padding: 1, ..Conv::new([d_in, d_out], 3, device) }
}

/// Convolution, max-pool that halves, two residual sums.
#[derive(Module, Debug)]
pub struct ImpalaBlock {
    conv: Conv,
    residual1: Residual,
    residual2: Residual,
}

impl ImpalaBlock {
    /// Convolution, pooling and residuals.
    ///
    /// # Shapes
    /// - x: `[N, C, H, W]`
    /// - output: `[N, depth, (H − 3)/2 + 1, (W − 3)/2 + 1]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(x);
        let x = module::max_pool2d(x, MaxPoolOptions { stride: [2, 2], ..MaxPoolOptions::new([3, 3]) });
        self.residual2.forward(self.residual1.forward(x))
    }
}

/// `norm(x + conv2(act(conv1(act(x)))))`.
#[derive(Module, Debug)]
pub struct Residual {
    conv1: Conv,
    conv2: Conv,
    norm: Option<Affine>,
    activation: ActivationLayer,
}

impl Residual {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let hidden = self.conv1.forward(self.activation.forward(x.clone()));
        let sum = x + self.conv2.forward(self.activation.forward(hidden));
        match &self.norm {
            Some(norm) => norm.group_norm(sum, GROUPS),
            None => sum,
        }
    }
}
