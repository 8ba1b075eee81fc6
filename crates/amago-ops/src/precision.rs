//! What matrix products are computed in, where no fused kernel runs.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, FloatDType, Tensor};

static BF16: AtomicBool = AtomicBool::new(false);

/// Whether [`use_bf16`] does something here: the device computes in bfloat16, and no fused kernel runs on it.
pub fn has_bf16(device: &Device) -> bool {
    !crate::is_fused(device) && device.supports_dtype(FloatDType::BF16)
}

/// From now on, in the whole process, linear layers and attention round the factors of their matrix products to
/// bfloat16, as mixed precision does (Micikevicius et al. 2018, arXiv 1710.03740). Weights, sums outside of products,
/// norms and losses stay in f32; bfloat16 has the range of f32, so losses need no scaling. The fused kernels of the
/// CPU compute in f32 in any case.
pub fn use_bf16(on: bool) {
    BF16.store(on, Ordering::Relaxed);
}

/// `a b`.
pub(crate) fn product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    if !BF16.load(Ordering::Relaxed) {
        return a.matmul(b);
    }
    a.cast(FloatDType::BF16).matmul(b.cast(FloatDType::BF16)).cast(FloatDType::F32)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn factors_are_rounded_and_gradients_pass() {
        let device = Device::flex().autodiff();
        let random = |dims| Tensor::<2>::random(dims, Distribution::Normal(0.0, 1.0), &device).require_grad();
        let (a, b) = (random([9, 33]), random([33, 7]));
        let both = |on| {
            use_bf16(on);
            let product = product(a.clone(), b.clone());
            let grads = product.clone().sum().backward();
            [product.inner(), a.grad(&grads).unwrap(), b.grad(&grads).unwrap()]
        };
        let (exact, rounded) = (both(false), both(true));
        use_bf16(false);
        for (exact, rounded) in exact.into_iter().zip(rounded) {
            assert_eq!(rounded.dtype(), exact.dtype());
            let scale: f32 = exact.clone().abs().max().into_scalar();
            let worst: f32 = (exact - rounded).abs().max().into_scalar();
            // Eight bits of a factor, in sums of up to 33 terms.
            assert!(worst > 1e-5 * scale && worst < 2e-2 * scale, "{worst} of {scale}");
        }
    }
}
