//! How noise enters an action, as pure functions of the random draws.

/// The random action when `uniform <= eps`, else the policy's.
pub fn blend_discrete(action: usize, random_action: usize, uniform: f64, eps: f64) -> usize {
    if uniform <= eps { random_action } else { action }
}

/// The random bit when `uniform <= eps`, else the policy's.
pub fn blend_bit(bit: bool, random_bit: bool, uniform: f64, eps: f64) -> bool {
    if uniform <= eps { random_bit } else { bit }
}

/// The action moved by `eps` times a standard normal draw, kept in `[-1, 1]`.
pub fn blend_continuous(action: f32, normal: f64, eps: f64) -> f32 {
    (f64::from(action) + eps * normal).clamp(-1.0, 1.0) as f32
}
