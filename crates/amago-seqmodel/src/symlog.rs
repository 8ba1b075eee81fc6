//! Signed logarithm (Hafner et al. 2023): compresses large values, is linear around zero.

use burn::tensor::Tensor;

/// `sign(x) ln(1 + |x|)`.
///
/// # Shapes
/// - x, output: any one shape
pub fn symlog<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().sign() * x.abs().log1p()
}

/// `sign(x) (e^|x| − 1)`, the inverse of [`symlog`].
///
/// # Shapes
/// - x, output: any one shape
///
/// # Examples
/// ```
/// use amago_seqmodel::{symexp, symlog};
/// use burn::tensor::{Device, Tensor, Tolerance};
///
/// let x = Tensor::<1>::from_floats([-1000.0, 0.0, 0.5], &Device::flex());
/// let back = symexp(symlog(x.clone()));
/// back.into_data().assert_approx_eq::<f32>(&x.into_data(), Tolerance::relative(1e-4));
/// ```
pub fn symexp<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().sign() * (x.abs().exp() - 1.0)
}
