//! Discount factors. The acting discount is always the last.

/// Discounts learned beside the acting one.
pub const MULTI_GAMMAS: [f32; 6] = [0.1, 0.9, 0.95, 0.97, 0.99, 0.995];

/// What tells a critic its discount: `symlog(1 / clamp(1 − γ, 1e-6, 1))`, the log of the horizon.
pub fn gamma_features(gammas: &[f32]) -> Vec<f32> {
    gammas.iter().map(|g| (1.0 / (1.0 - g).clamp(1e-6, 1.0)).ln_1p()).collect()
}
