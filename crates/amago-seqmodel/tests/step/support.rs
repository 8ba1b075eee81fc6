//! Random episodes and encoders of every kind.

use amago_golden::modules::{device, values};
use amago_seqmodel::{
    Activation, FeedForwardConfig, GruConfig, MambaConfig, NormKind, PositionKind, RolloutState, TrajEncoder,
    TrajEncoderConfig, TransformerConfig,
};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

const TOLERANCE: f32 = 1e-5;
pub const D_INPUT: usize = 7;

/// Sequences with their global times.
pub struct Episodes {
    /// `[B, L, D_INPUT]`.
    pub x: Tensor<3>,
    /// By row.
    pub times: Vec<Vec<i64>>,
}

impl Episodes {
    /// Rows that start at different global times, as when long rollouts are cut.
    pub fn random(rows: usize, len: usize, device: &Device) -> Self {
        let x = Tensor::random([rows, len, D_INPUT], Distribution::Normal(0.0, 1.0), device);
        let times = (0..rows).map(|row| (0..len).map(|t| (13 * row + t) as i64).collect()).collect();
        Self { x, times }
    }

    fn rows(&self) -> usize {
        self.times.len()
    }

    pub fn len(&self) -> usize {
        self.times[0].len()
    }

    /// From `start` on a new episode begins in `row`.
    pub fn restart(&mut self, row: usize, start: usize) {
        for (time, t) in self.times[row][start..].iter_mut().zip(0..) {
            *time = t;
        }
    }

    /// Whole-sequence output of part of a row, `[1, end − start, d]`.
    pub fn whole(&self, encoder: &TrajEncoder, row: usize, [start, end]: [usize; 2]) -> Tensor<3> {
        let x = self.x.clone().narrow(0, row, 1).narrow(1, start, end - start);
        let times = ints(self.times[row][start..end].to_vec(), [1, end - start], &x.device());
        encoder.forward_seq(x, times)
    }

    /// How much the timesteps of the first row attend to each other, `[1, H, L, L]` per layer.
    pub fn attention(&self, encoder: &TrajEncoder) -> Vec<Tensor<4>> {
        let times = ints(self.times[0].clone(), [1, self.len()], &self.x.device());
        encoder.attention(self.x.clone().narrow(0, 0, 1), times)
    }

    /// One step of all rows, `[B, 1, d]`.
    pub fn step(&self, encoder: &TrajEncoder, t: usize, state: &mut RolloutState) -> Tensor<3> {
        let times = self.times.iter().map(|row| row[t]).collect();
        let times = ints(times, [self.rows(), 1], &self.x.device());
        encoder.forward_step(self.x.clone().narrow(1, t, 1), times, state)
    }

    /// All steps of all rows from a fresh state, `[B, L, d]`; `resets` are rows and when they begin again.
    pub fn steps(&self, encoder: &TrajEncoder, context: usize, resets: &[(usize, usize)]) -> Tensor<3> {
        let mut state = encoder.rollout_state(self.rows(), context, &self.x.device());
        let mut steps = Vec::new();
        for t in 0..self.len() {
            resets.iter().filter(|(_, at)| *at == t).for_each(|(row, _)| state.reset(*row));
            steps.push(self.step(encoder, t, &mut state));
        }
        Tensor::cat(steps, 1)
    }
}

fn ints<const D: usize>(values: Vec<i64>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub fn assert_same(got: &Tensor<3>, expected: &Tensor<3>, what: &str) {
    let (got, expected) = (values(got), values(expected));
    assert_eq!(got.len(), expected.len(), "{what}");
    let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= TOLERANCE, "{what}: off by {worst}");
    assert!(got.iter().all(|x| x.is_finite()), "{what}");
}

/// Dropout is on, and must not act: the test device records no gradients.
pub fn transformer(d_model: usize, n_heads: usize, n_layers: usize) -> TransformerConfig {
    TransformerConfig {
        d_model,
        n_heads,
        n_layers,
        d_ff: 2 * d_model,
        dropout_attn: 0.1,
        dropout_qkv: 0.1,
        ..TransformerConfig::default()
    }
}

pub fn build(config: &TrajEncoderConfig) -> (String, TrajEncoder) {
    config.validate().expect("a legal test configuration");
    (format!("{config:?}"), config.init(D_INPUT, &device()))
}

/// Transformers of several sizes, with every option in both positions.
pub fn transformers(n_layers: Option<usize>) -> Vec<TransformerConfig> {
    let layers = |default| n_layers.unwrap_or(default);
    let plain = TransformerConfig {
        sigma_reparam: false,
        normformer_norms: false,
        head_scaling: false,
        activation: Activation::Gelu,
        norm: NormKind::Rmsnorm,
        ..transformer(24, 1, layers(3))
    };
    let ball = TransformerConfig { norm: NormKind::Unitball, ..transformer(16, 8, layers(1)) };
    // Some of the timesteps are beyond the table.
    let table = TransformerConfig {
        pos_emb: PositionKind::Learned,
        max_time: 17,
        activation: Activation::Adaptive,
        ..transformer(15, 3, layers(2))
    };
    let rope = TransformerConfig { pos_emb: PositionKind::Rope, ..transformer(12, 3, layers(2)) };
    vec![
        transformer(8, 2, layers(2)),
        transformer(64, 4, layers(2)),
        plain,
        ball,
        table,
        rope,
        windowed(layers(2), [3, 0]),
        TransformerConfig { logit_clip: 0.5, ..transformer(8, 2, layers(2)) },
    ]
}

/// A Transformer with a short attention window and perhaps sinks, whose scores are biased and clipped.
pub fn windowed(n_layers: usize, [window_size, sink_size]: [usize; 2]) -> TransformerConfig {
    TransformerConfig {
        window_size,
        sink_size,
        sink_bias: if sink_size > 0 { 0.4 } else { 0.0 },
        logit_clip: 0.7,
        pos_emb: PositionKind::Rope,
        // Large scores, or there would be nothing to clip.
        sigma_reparam: false,
        norm: NormKind::Hypersphere,
        ..transformer(16, 2, n_layers)
    }
}

/// Encoders without any memory.
pub fn memory_free() -> Vec<TrajEncoderConfig> {
    let deep = FeedForwardConfig { d_model: 12, d_ff: Some(20), n_layers: 3, ..FeedForwardConfig::default() };
    let normed = FeedForwardConfig {
        norm: NormKind::Layer,
        out_norm: NormKind::Rmsnorm,
        sigma_reparam: true,
        ..FeedForwardConfig::default()
    };
    vec![
        TrajEncoderConfig::FeedForward(deep),
        TrajEncoderConfig::FeedForward(normed),
        TrajEncoderConfig::Identity {},
    ]
}

/// Encoders whose state has no window.
pub fn recurrent() -> Vec<TrajEncoderConfig> {
    let mamba = |d_model, d_state, d_conv, n_layers| {
        TrajEncoderConfig::Mamba(MambaConfig { d_model, d_state, d_conv, n_layers, ..MambaConfig::default() })
    };
    let gru = |d_hidden, n_layers, d_output| {
        TrajEncoderConfig::Gru(GruConfig { d_hidden, n_layers, d_output, ..GruConfig::default() })
    };
    vec![gru(12, 1, 5), gru(9, 3, 16), mamba(24, 4, 4, 2), mamba(8, 16, 1, 1), mamba(40, 3, 2, 3)]
}

/// Every kind, Transformers without sinks and with.
pub fn encoders() -> Vec<(String, TrajEncoder)> {
    let sinks = [[1, 1], [2, 5], [4, 2]].map(|sizes| windowed(2, sizes));
    let transformers = transformers(None).into_iter().chain(sinks).map(TrajEncoderConfig::Transformer);
    transformers.chain(memory_free()).chain(recurrent()).map(|config| build(&config)).collect()
}
