//! Position features and rotations.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Base of the wavelengths of rotary positions.
pub const ROPE_BASE: f64 = 10000.0;

/// How a Transformer learns the global timestep.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PositionKind {
    /// Sinusoids, added to the input.
    #[default]
    Fixed,
    /// A learned table, added to the input.
    Learned,
    /// Queries and keys are rotated by their time (RoPE).
    Rope,
}

/// Fixed sinusoids of the global timestep (Vaswani et al. 2017): sine on even, cosine on odd
/// features, base 10000. `d_model` is even.
///
/// # Shapes
/// - times: `[B, L]`
/// - output: `[B, L, d_model]`
pub fn sinusoid(times: Tensor<2, Int>, d_model: usize, device: &Device) -> Tensor<3> {
    let [batch, len] = times.dims();
    let half = d_model.div_ceil(2);
    // Rounded as in the original: at late timesteps the last digit of a frequency turns the angle.
    let rate = -(10000f64.ln() / d_model as f64) as f32;
    let frequency: Vec<f32> = (0..half).map(|i| f64::from((2 * i) as f32 * rate).exp() as f32).collect();
    if amago_ops::is_fused(device) {
        let features = sinusoid_on_host(times, &frequency);
        return Tensor::from_data(TensorData::new(features, [batch, len, 2 * half]), device);
    }
    let frequency = Tensor::<1>::from_floats(frequency.as_slice(), device).reshape([1, 1, half]);
    let angle = times.float().reshape([batch, len, 1]) * frequency;
    // Interleave: [.., half, 2] flattens to sin, cos, sin, cos, …
    Tensor::stack::<4>(vec![angle.clone().sin(), angle.cos()], 3).reshape([batch, len, d_model])
}

/// The same where tensors are in the host's memory: each timestep once, because sequences of a batch share most.
fn sinusoid_on_host(times: Tensor<2, Int>, frequency: &[f32]) -> Vec<f32> {
    let width = 2 * frequency.len();
    let mut features = Vec::with_capacity(times.shape().num_elements() * width);
    let mut known = HashMap::new();
    for time in times.into_data().iter::<i64>() {
        match known.entry(time) {
            Entry::Occupied(at) => features.extend_from_within(*at.get()..at.get() + width),
            Entry::Vacant(entry) => {
                entry.insert(features.len());
                let angles = frequency.iter().map(|frequency| time as f32 * frequency);
                features.extend(angles.flat_map(|angle| [angle.sin(), angle.cos()]));
            }
        }
    }
    features
}

/// A learned vector per global timestep.
#[derive(Module, Debug)]
pub struct PositionTable {
    embeddings: Embedding,
}

impl PositionTable {
    /// Standard normal vectors for the timesteps below `max_time`.
    pub fn new(max_time: usize, d_model: usize, device: &Device) -> Self {
        Self { embeddings: EmbeddingConfig::new(max_time, d_model).init(device) }
    }

    /// The vectors of some timesteps. Those beyond the table share its last vector.
    ///
    /// # Shapes
    /// - times: `[B, L]`
    /// - output: `[B, L, d_model]`
    pub fn forward(&self, times: Tensor<2, Int>) -> Tensor<3> {
        let [rows, _] = self.embeddings.weight.dims();
        self.embeddings.forward(times.clamp(0, rows as i64 - 1))
    }
}

/// Rotary positions (Su et al. 2021, arXiv 2104.09864) of some timesteps: features `i` and `E/2 + i` of
/// a head of size `E` turn by the angle `t · base^(−2i/E)`.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Cosine and sine of the angles, `[B, L, 1, E/2, 1]`.
    cos: Tensor<5>,
    sin: Tensor<5>,
}

impl Rotation {
    /// For global timesteps and heads of an even size.
    ///
    /// # Shapes
    /// - times: `[B, L]`
    pub fn new(times: Tensor<2, Int>, head_size: usize, base: f64) -> Self {
        let [batch, len] = times.dims();
        let half = head_size / 2;
        // Rounded as in the original: at late timesteps the last digit of a frequency turns the angle.
        let frequency = |i: usize| {
            let wavelength = base.powf(f64::from((2 * i) as f32 / head_size as f32)) as f32;
            wavelength.recip()
        };
        let frequency: Vec<f32> = (0..half).map(frequency).collect();
        let frequency =
            Tensor::<1>::from_floats(frequency.as_slice(), &times.device()).reshape([1, 1, 1, half, 1]);
        let angle = times.float().reshape([batch, len, 1, 1, 1]) * frequency;
        Self { cos: angle.clone().cos(), sin: angle.sin() }
    }

    /// Turns queries and keys, not values.
    ///
    /// # Shapes
    /// - qkv, output: `[B, L, 3·E·H]`, packed as `(three, head size, heads)`
    pub fn apply(&self, qkv: Tensor<3>, n_heads: usize) -> Tensor<3> {
        let [batch, len, packed] = qkv.dims();
        let half = packed / (6 * n_heads);
        let parts = qkv.reshape([batch, len, 3, 2 * half, n_heads]);
        let turned = parts.clone().narrow(2, 0, 2);
        let (x, y) = (turned.clone().narrow(3, 0, half), turned.narrow(3, half, half));
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let turned = vec![x.clone() * cos.clone() - y.clone() * sin.clone(), y * cos + x * sin];
        let values = parts.narrow(2, 2, 1);
        Tensor::cat(vec![Tensor::cat(turned, 3), values], 2).reshape([batch, len, packed])
    }
}
