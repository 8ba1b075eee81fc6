//! Signed logarithm (Hafner et al. 2023): compresses large values, is linear around zero.

use burn::tensor::Tensor;

/// `sign(x) ln(1 + |x|)`.
pub fn symlog<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().sign() * x.abs().log1p()
}

/// `sign(x) (e^|x| − 1)`, the inverse of [`symlog`].
pub fn symexp<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone().sign() * (x.abs().exp() - 1.0)
}
