//! σ-reparametrisation (Zhai et al. 2023, arXiv 2303.06296).

use burn::tensor::Tensor;

use crate::shapes::require;

/// `γ W / (vᵀ W u)`: a weight of spectral norm `γ`, where `u` and `v` are the first singular vectors of `W`.
/// These get no gradient. Where `vᵀ W u` is zero, as it is of zeros, it counts as one.
///
/// # Shapes
/// - weight, output: `[d_in, d_out]`
/// - gamma: `[1]`
/// - u: `[d_out]`
/// - v: `[d_in]`
///
/// # Panics
/// When the shapes do not fit, or the weight has no entries.
pub fn sigma_reparam(weight: Tensor<2>, gamma: Tensor<1>, u: Tensor<1>, v: Tensor<1>) -> Tensor<2> {
    let ([d_in, d_out], vectors) = (weight.dims(), [gamma.dims(), u.dims(), v.dims()]);
    let weights = [d_in, d_out];
    require!(
        !weights.contains(&0) && vectors == [[1], [d_out], [d_in]],
        "sigma_reparam",
        "a weight [d_in, d_out] with gamma [1], u [d_out] and v [d_in]",
        weights,
        vectors
    );
    let (u, v) = (u.detach(), v.detach());
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&weight.device()) {
        let inputs = [weight.into(), gamma.into(), u.into(), v.into()];
        return crate::cpu::apply(crate::cpu::SigmaReparam, inputs);
    }
    let sigma = (v.unsqueeze::<2>().matmul(weight.clone()) * u.unsqueeze::<2>()).sum();
    let none = sigma.clone().equal_elem(0.0);
    let sigma = sigma.mask_fill(none, 1.0);
    weight * (gamma / sigma).unsqueeze::<2>()
}

/// One step towards the first singular vectors of a weight, from the last `v`: `u ← Wᵀv / ‖·‖`, `v ← W u /
/// ‖·‖`. Without gradient. Where `W u` is zero `v` stays, or a weight of zeros would end the iteration for
/// good.
///
/// # Shapes
/// - weight: `[d_in, d_out]`
/// - v: `[d_in]`
/// - outputs: u `[d_out]`, v `[d_in]`
///
/// # Panics
/// When the shapes do not fit, or the weight has no entries.
pub fn power_iteration(weight: Tensor<2>, v: Tensor<1>) -> [Tensor<1>; 2] {
    let (weights, vector) = (weight.dims(), v.dims());
    require!(
        !weights.contains(&0) && vector == [weights[0]],
        "power_iteration",
        "a weight [d_in, d_out] with v [d_in]",
        weights,
        vector
    );
    let (weight, v) = (weight.detach(), v.detach());
    #[cfg(feature = "flex")]
    if crate::cpu::runs_on(&weight.device()) {
        let device = weight.device();
        let found = crate::cpu::power_iteration(&crate::cpu::constant(weight), &crate::cpu::constant(v));
        return found.map(|x| x.on(&device));
    }
    let unit = |x: Tensor<1>| {
        let norm = x.clone().square().sum().sqrt().clamp_min(1e-12);
        x / norm
    };
    let u = unit(v.clone().unsqueeze::<2>().matmul(weight.clone()).squeeze_dim(0));
    let next = unit(weight.matmul(u.clone().unsqueeze_dim::<2>(1)).squeeze_dim(1));
    let none = next.clone().square().sum().equal_elem(0.0).expand(next.dims());
    [u, next.mask_where(none, v)]
}
