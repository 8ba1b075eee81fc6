//! Convolutional networks for images: those of DQN, DrQ-v2 and IMPALA, and a small one for gridworlds.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, module};

use crate::error::positive;
use crate::impala::{ImpalaBlock, ImpalaConfig};
use crate::{Activation, ActivationLayer, ModelError};

/// Which network reads the images.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CnnConfig {
    /// Three layers, as DQN (Mnih et al. 2015).
    Nature(NatureConfig),
    /// Four layers with kernels of 3, the first with stride 2 (Yarats et al. 2021, arXiv 2107.09645).
    Drqv2 {},
    /// Three layers with small kernels.
    Gridworld(GridworldConfig),
    /// Residual blocks (Espeholt et al. 2018, arXiv 1802.01561).
    Impala(ImpalaConfig),
}

impl Default for CnnConfig {
    fn default() -> Self {
        Self::Nature(NatureConfig::default())
    }
}

/// Settings of [`CnnConfig::Nature`], layer by layer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatureConfig {
    /// Output channels.
    pub channels: [usize; 3],
    /// Height and width of the kernels.
    pub kernels: [usize; 3],
    /// Steps of the kernels.
    pub strides: [usize; 3],
}

impl Default for NatureConfig {
    fn default() -> Self {
        Self { channels: [32, 64, 64], kernels: [8, 4, 3], strides: [4, 2, 1] }
    }
}

/// Settings of [`CnnConfig::Gridworld`], layer by layer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GridworldConfig {
    /// Output channels.
    pub channels: [usize; 3],
    /// Height and width of the kernels.
    pub kernels: [usize; 3],
    /// Steps of the kernels.
    pub strides: [usize; 3],
}

impl Default for GridworldConfig {
    fn default() -> Self {
        Self { channels: [16, 32, 48], kernels: [2; 3], strides: [1; 3] }
    }
}

/// Output channels, kernel and stride of one layer.
type LayerSizes = [usize; 3];

impl CnnConfig {
    /// Refuses empty shapes and norms that do not fit.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ModelError> {
        if let Self::Impala(c) = self {
            return c.validate();
        }
        self.layers().iter().try_for_each(|[channels, kernel, stride]| {
            positive(&[("cnn.channels", *channels), ("cnn.kernels", *kernel), ("cnn.strides", *stride)])
        })
    }

    /// Shape `[C, H, W]` of the output for images `[C, H, W]`; `None` where the image is too small.
    pub fn output_shape(&self, image: [usize; 3]) -> Option<[usize; 3]> {
        let cut = |d: usize, kernel: usize, stride: usize| Some(d.checked_sub(kernel)? / stride + 1);
        if let Self::Impala(c) = self {
            let pooled = |[_, h, w]: [usize; 3], depth: &usize| Some([*depth, cut(h, 3, 2)?, cut(w, 3, 2)?]);
            return c.depths.iter().try_fold(image, pooled);
        }
        self.layers()
            .iter()
            .try_fold(image, |[_, h, w], [c, k, s]| Some([*c, cut(h, *k, *s)?, cut(w, *k, *s)?]))
    }

    /// Builds the network for images with `channels` channels.
    pub fn init(&self, channels: usize, activation: Activation, device: &Device) -> Cnn {
        let mut d_in = channels;
        let mut convs = self.layers().into_iter().map(|[d_out, kernel, stride]| {
            let mut conv = Conv::new([d_in, d_out], kernel, device);
            conv.stride = stride;
            if matches!(self, Self::Nature(_) | Self::Drqv2 {}) {
                conv.delta_orthogonal();
            }
            d_in = d_out;
            conv
        });
        let [conv1, conv2, conv3, conv4] = std::array::from_fn(|_| convs.next());
        let blocks = match self {
            Self::Impala(c) => c.init(channels, activation, device),
            _ => Vec::new(),
        };
        Cnn { conv1, conv2, conv3, conv4, blocks, activation: activation.init(device) }
    }

    /// The name in a config.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Nature(_) => "nature",
            Self::Drqv2 {} => "drqv2",
            Self::Gridworld(_) => "gridworld",
            Self::Impala(_) => "impala",
        }
    }

    /// The plain layers.
    fn layers(&self) -> Vec<LayerSizes> {
        let zip = |channels: &[usize; 3], kernels: &[usize; 3], strides: &[usize; 3]| {
            (0..3).map(|i| [channels[i], kernels[i], strides[i]]).collect()
        };
        match self {
            Self::Nature(c) => zip(&c.channels, &c.kernels, &c.strides),
            Self::Drqv2 {} => vec![[32, 3, 2], [32, 3, 1], [32, 3, 1], [32, 3, 1]],
            Self::Gridworld(c) => zip(&c.channels, &c.kernels, &c.strides),
            Self::Impala(_) => Vec::new(),
        }
    }
}

/// Plain layers with a nonlinearity after each, or residual blocks.
#[derive(Module, Debug)]
pub struct Cnn {
    conv1: Option<Conv>,
    conv2: Option<Conv>,
    conv3: Option<Conv>,
    conv4: Option<Conv>,
    blocks: Vec<ImpalaBlock>,
    activation: ActivationLayer,
}

impl Cnn {
    /// Features of every image.
    ///
    /// # Shapes
    /// - input: `[N, C, H, W]`
    /// - output: `[N, C', H', W']`, see [`CnnConfig::output_shape`]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let convs = [&self.conv1, &self.conv2, &self.conv3, &self.conv4].into_iter().flatten();
        let x = convs.fold(x, |x, conv| self.activation.forward(conv.forward(x)));
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// A convolution with a square kernel and a bias.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[C_out, C_in, kernel, kernel]`.
    pub weight: Param<Tensor<4>>,
    /// `[C_out]`.
    pub bias: Param<Tensor<1>>,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

impl Conv {
    /// Stride one, no padding; weight and bias uniform in `±1/√(C_in · kernel²)`.
    pub fn new([d_in, d_out]: [usize; 2], kernel: usize, device: &Device) -> Self {
        let bound = 1.0 / ((d_in * kernel * kernel) as f64).sqrt();
        let uniform = Distribution::Uniform(-bound, bound);
        Self {
            weight: Param::from_tensor(Tensor::random([d_out, d_in, kernel, kernel], uniform, device)),
            bias: Param::from_tensor(Tensor::random([d_out], uniform, device)),
            stride: 1,
            padding: 0,
        }
    }

    /// Zeros but for an orthogonal matrix in the middle of the kernel (Xiao et al. 2018,
    /// arXiv 1806.05393), with the gain of a leaky ReLU.
    fn delta_orthogonal(&mut self) {
        let [d_out, d_in, kernel, _] = self.weight.dims();
        let (middle, gain) = (kernel / 2, (2.0f64 / (1.0 + 0.01f64.powi(2))).sqrt());
        let device = self.bias.device();
        let centre: Tensor<2> = Initializer::Orthogonal { gain }.init([d_out, d_in], &device).into_value();
        let place = [0..d_out, 0..d_in, middle..middle + 1, middle..middle + 1];
        let weight = Tensor::zeros([d_out, d_in, kernel, kernel], &device)
            .slice_assign(place, centre.reshape([d_out, d_in, 1, 1]).detach());
        self.weight = Param::from_tensor(weight);
        self.bias = Param::from_tensor(Tensor::zeros([d_out], &device));
    }

    /// The convolution of every image, with the bias.
    ///
    /// # Shapes
    /// - input: `[N, C_in, H, W]`
    /// - output: `[N, C_out, H', W']`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        module::conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}
