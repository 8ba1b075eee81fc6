//! Normalisation over the last dimension.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};

use crate::ModelError;

const EPS: f64 = 1e-5;
const SIMNORM_GROUP: usize = 8;

/// Which normalisation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Zero mean, unit variance, learned scale and shift.
    #[default]
    Layer,
    /// Unit root mean square, learned scale.
    Rmsnorm,
    /// `x / (‖x‖ + 1e-5)`; the length of zeros has no gradient.
    Unitball,
    /// As `Unitball`, but the length gets no gradient.
    UnitballDetach,
    /// `x / ‖x‖ · √d`; zeros stay zeros, with the gradient of `x · √d`.
    Hypersphere,
    /// Softmax over groups of eight.
    Simnorm,
    /// No normalisation.
    None,
}

/// A normalisation layer.
///
/// ```
/// use amago_seqmodel::NormKind;
/// use burn::tensor::{Device, Tensor, Tolerance};
///
/// let device = Device::flex();
/// let norm = NormKind::Rmsnorm.init(2, &device);
/// let y = norm.forward(Tensor::<2>::from_floats([[3.0, 4.0]], &device));
/// let expected = [[0.848_53f32, 1.131_37]].into();
/// y.into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-4));
/// ```
#[derive(Module, Debug)]
pub struct Norm {
    /// Learned scale and shift, where the kind has them.
    pub norm: Option<Affine>,
    #[module(skip)]
    kind: NormKind,
}

/// Learned scale and shift.
#[derive(Module, Debug)]
pub struct Affine {
    /// Scale, `[d]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[d]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl NormKind {
    /// Refuses widths that the kind cannot normalise; `norm` and `width` are the settings of the kind and of `d`.
    ///
    /// # Errors
    /// When the groups of simnorm do not fit.
    pub fn validate(self, norm: &'static str, width: &'static str, d: usize) -> Result<(), ModelError> {
        let fits = self != NormKind::Simnorm || d.is_multiple_of(SIMNORM_GROUP);
        if fits { Ok(()) } else { Err(ModelError::SimNorm { norm, width, d }) }
    }

    /// Builds the layer for width `d`.
    pub fn init(self, d: usize, device: &Device) -> Norm {
        let norm = match self {
            NormKind::Layer => Some(Affine::new(d, device)),
            NormKind::Rmsnorm => Some(Affine { bias: None, ..Affine::new(d, device) }),
            _ => None,
        };
        Norm { norm, kind: self }
    }
}

impl Affine {
    /// Scale one, shift zero.
    pub(crate) fn new(d: usize, device: &Device) -> Self {
        let bias = Some(Param::from_tensor(Tensor::zeros([d], device)));
        Self { weight: Param::from_tensor(Tensor::ones([d], device)), bias }
    }

    /// Zero mean and unit variance over the last dimension, then scale and shift.
    pub(crate) fn layer_norm<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map_or_else(|| self.weight.val().zeros_like(), Param::val);
        amago_ops::layer_norm(x, self.weight.val(), bias, EPS)
    }

    /// Zero mean and unit variance over groups of channels of `[N, C, H, W]`, then scale and shift by
    /// channel (Wu and He 2018).
    pub(crate) fn group_norm(&self, x: Tensor<4>, groups: usize) -> Tensor<4> {
        let [n, c, h, w] = x.dims();
        let x = x.reshape([n, groups, c / groups * h * w]);
        let centred = x.clone() - x.mean_dim(2);
        let variance = centred.clone().square().mean_dim(2);
        let x = (centred / (variance + EPS).sqrt()).reshape([n, c, h, w]);
        let by_channel = |p: &Param<Tensor<1>>| p.val().reshape([1, c, 1, 1]);
        let x = x * by_channel(&self.weight);
        match &self.bias {
            Some(bias) => x + by_channel(bias),
            None => x,
        }
    }
}

impl Norm {
    /// Whether it changes nothing.
    pub fn is_none(&self) -> bool {
        self.kind == NormKind::None
    }

    /// Normalises the last dimension.
    ///
    /// # Shapes
    /// - x, output: `[..., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let affine = |x: Tensor<D>| match &self.norm {
            Some(a) => x * a.weight.val().unsqueeze(),
            None => x,
        };
        match (self.kind, &self.norm) {
            (NormKind::Layer, Some(a)) => a.layer_norm(x),
            (NormKind::Rmsnorm, _) => {
                let rms = (x.clone().square().mean_dim(D - 1) + EPS).sqrt();
                affine(x / rms)
            }
            (NormKind::Unitball, _) => x.clone() / (length(&x, 0.0) + EPS),
            (NormKind::UnitballDetach, _) => x.clone() / (length(&x, 0.0).detach() + EPS),
            (NormKind::Hypersphere, _) => {
                let d = x.dims()[D - 1] as f64;
                x.clone() / length(&x, 1.0) * d.sqrt()
            }
            (NormKind::Simnorm, _) => {
                let dims = x.dims();
                let groups = dims.iter().product::<usize>() / SIMNORM_GROUP;
                activation::softmax(x.reshape([groups, SIMNORM_GROUP]), 1).reshape(dims)
            }
            (NormKind::None | NormKind::Layer, _) => x,
        }
    }
}

/// `‖x‖` over the last dimension, kept with size one; `of_zeros`, a constant, where its square is too small for a
/// normal number. There the root has no usable gradient.
fn length<const D: usize>(x: &Tensor<D>, of_zeros: f32) -> Tensor<D> {
    let square = x.clone().square().sum_dim(D - 1);
    let zeros = square.clone().lower_elem(f32::MIN_POSITIVE);
    square.mask_fill(zeros.clone(), 1.0).sqrt().mask_fill(zeros, of_zeros)
}
