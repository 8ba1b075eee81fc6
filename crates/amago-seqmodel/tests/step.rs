//! One step at a time equals whole sequences.

use amago_golden::modules::{device, values};
use amago_seqmodel::{
    Activation, FeedForwardConfig, GruConfig, MambaConfig, NormKind, PositionKind, Replay, RolloutState,
    TrajEncoder, TrajEncoderConfig, TransformerConfig,
};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

const TOLERANCE: f32 = 1e-5;
const D_INPUT: usize = 7;

/// Sequences with their global times.
struct Episodes {
    /// `[B, L, D_INPUT]`.
    x: Tensor<3>,
    /// By row.
    times: Vec<Vec<i64>>,
}

impl Episodes {
    /// Rows that start at different global times, as when long rollouts are cut.
    fn random(rows: usize, len: usize, device: &Device) -> Self {
        let x = Tensor::random([rows, len, D_INPUT], Distribution::Normal(0.0, 1.0), device);
        let times = (0..rows).map(|row| (0..len).map(|t| (13 * row + t) as i64).collect()).collect();
        Self { x, times }
    }

    fn rows(&self) -> usize {
        self.times.len()
    }

    fn len(&self) -> usize {
        self.times[0].len()
    }

    /// From `start` on a new episode begins in `row`.
    fn restart(&mut self, row: usize, start: usize) {
        for (time, t) in self.times[row][start..].iter_mut().zip(0..) {
            *time = t;
        }
    }

    /// Whole-sequence output of part of a row, `[1, end − start, d]`.
    fn whole(&self, encoder: &TrajEncoder, row: usize, [start, end]: [usize; 2]) -> Tensor<3> {
        let x = self.x.clone().narrow(0, row, 1).narrow(1, start, end - start);
        let times = ints(self.times[row][start..end].to_vec(), [1, end - start], &x.device());
        encoder.forward_seq(x, times)
    }

    /// One step of all rows, `[B, 1, d]`.
    fn step(&self, encoder: &TrajEncoder, t: usize, state: &mut RolloutState) -> Tensor<3> {
        let times = self.times.iter().map(|row| row[t]).collect();
        let times = ints(times, [self.rows(), 1], &self.x.device());
        encoder.forward_step(self.x.clone().narrow(1, t, 1), times, state)
    }
}

fn ints<const D: usize>(values: Vec<i64>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn assert_same(got: &Tensor<3>, expected: &Tensor<3>, what: &str) {
    let (got, expected) = (values(got), values(expected));
    assert_eq!(got.len(), expected.len(), "{what}");
    let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= TOLERANCE, "{what}: off by {worst}");
    assert!(got.iter().all(|x| x.is_finite()), "{what}");
}

/// Dropout is on, and must not act: the test device records no gradients.
fn transformer(d_model: usize, n_heads: usize, n_layers: usize) -> TransformerConfig {
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

fn build(config: &TrajEncoderConfig) -> (String, TrajEncoder) {
    config.validate().expect("a legal test configuration");
    (format!("{config:?}"), config.init(D_INPUT, &device()))
}

/// Transformers of several sizes, with every option in both positions.
fn transformers(n_layers: Option<usize>) -> Vec<TransformerConfig> {
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
fn windowed(n_layers: usize, [window_size, sink_size]: [usize; 2]) -> TransformerConfig {
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
fn memory_free() -> Vec<TrajEncoderConfig> {
    let deep = FeedForwardConfig { d_model: 12, d_ff: 20, n_layers: 3, ..FeedForwardConfig::default() };
    let normed = FeedForwardConfig { norm: NormKind::Layer, ..FeedForwardConfig::default() };
    vec![
        TrajEncoderConfig::FeedForward(deep),
        TrajEncoderConfig::FeedForward(normed),
        TrajEncoderConfig::Identity {},
    ]
}

/// Encoders whose state has no window.
fn recurrent() -> Vec<TrajEncoderConfig> {
    let mamba = |d_model, d_state, d_conv, n_layers| {
        TrajEncoderConfig::Mamba(MambaConfig { d_model, d_state, d_conv, n_layers, ..MambaConfig::default() })
    };
    let gru = |d_hidden, n_layers, d_output| {
        TrajEncoderConfig::Gru(GruConfig { d_hidden, n_layers, d_output, ..GruConfig::default() })
    };
    vec![gru(12, 1, 5), gru(9, 3, 16), mamba(24, 4, 4, 2), mamba(8, 16, 1, 1), mamba(40, 3, 2, 3)]
}

/// Every kind, Transformers without sinks and with.
fn encoders() -> Vec<(String, TrajEncoder)> {
    let sinks = [[1, 1], [2, 5], [4, 2]].map(|sizes| windowed(2, sizes));
    let transformers = transformers(None).into_iter().chain(sinks).map(TrajEncoderConfig::Transformer);
    transformers.chain(memory_free()).chain(recurrent()).map(|config| build(&config)).collect()
}

#[test]
fn steps_of_an_episode_equal_the_whole() {
    for (name, encoder) in encoders() {
        for [rows, len] in [[1, 1], [1, 9], [3, 12]] {
            let episodes = Episodes::random(rows, len, &device());
            // With room to spare, and with exactly as much as is needed.
            for context in [len, len + 5] {
                let mut state = encoder.rollout_state(rows, context, &device());
                let steps = (0..len).map(|t| episodes.step(&encoder, t, &mut state));
                let steps = Tensor::cat(steps.collect(), 1);
                assert_eq!(steps.dims(), [rows, len, encoder.d_output()]);
                for row in 0..rows {
                    let whole = episodes.whole(&encoder, row, [0, len]);
                    assert_same(&steps.clone().narrow(0, row, 1), &whole, &name);
                }
            }
        }
    }
}

#[test]
fn rows_reset_on_their_own() {
    let (rows, len) = (4, 14);
    // Row 0 never; row 1 twice; row 2 before its second step; row 3 together with row 1.
    let resets = [(1, 5), (3, 5), (2, 1), (1, 9)];
    for (name, encoder) in encoders() {
        let mut episodes = Episodes::random(rows, len, &device());
        let mut by_time = resets;
        by_time.sort_by_key(|(_, t)| *t);
        by_time.iter().for_each(|(row, t)| episodes.restart(*row, *t));
        let mut state = encoder.rollout_state(rows, len, &device());
        let mut steps = Vec::new();
        for t in 0..len {
            resets.iter().filter(|(_, at)| *at == t).for_each(|(row, _)| state.reset(*row));
            steps.push(episodes.step(&encoder, t, &mut state));
        }
        let steps = Tensor::cat(steps, 1);
        for row in 0..rows {
            let cuts = by_time.iter().filter(|(r, _)| *r == row).map(|(_, t)| *t);
            let starts: Vec<usize> = [0].into_iter().chain(cuts).collect();
            let ends = starts[1..].iter().copied().chain([len]);
            for (start, end) in starts.iter().copied().zip(ends) {
                let got = steps.clone().narrow(0, row, 1).narrow(1, start, end - start);
                let whole = episodes.whole(&encoder, row, [start, end]);
                assert_same(&got, &whole, &format!("{name}, row {row}, from {start}"));
            }
        }
    }
}

/// With one layer every key depends on its own timestep only, so a full window is the same as a
/// sequence that begins with it. More layers remember further back than the window.
#[test]
fn one_layer_sees_exactly_its_window() {
    let (rows, len) = (3, 17);
    let reset = (1, 8);
    let one_layer = transformers(Some(1)).into_iter().map(TrajEncoderConfig::Transformer);
    for (name, encoder) in one_layer.chain(memory_free()).map(|config| build(&config)) {
        for context in [1, 4, 7] {
            let mut episodes = Episodes::random(rows, len, &device());
            episodes.restart(reset.0, reset.1);
            let mut state = encoder.rollout_state(rows, context, &device());
            for t in 0..len {
                if t == reset.1 {
                    state.reset(reset.0);
                }
                let step = episodes.step(&encoder, t, &mut state);
                for row in 0..rows {
                    let begin = if row == reset.0 && t >= reset.1 { reset.1 } else { 0 };
                    let start = (t + 1).saturating_sub(context).max(begin);
                    let window = episodes.whole(&encoder, row, [start, t + 1]);
                    let last = window.narrow(1, t - start, 1);
                    let what = format!("{name}, context {context}, row {row}, step {t}");
                    assert_same(&step.clone().narrow(0, row, 1), &last, &what);
                }
            }
        }
    }
}

/// An attention window that is shorter than the rollout's makes stepping exact for any depth and any
/// length: the mask of a whole sequence and the ring of the cache hide the same keys. Sinks stay, and a
/// reset gives a row new ones.
#[test]
fn attention_windows_agree_however_long_the_episode() {
    let (rows, len) = (3, 40);
    let resets = [(1, 13), (2, 2), (2, 30)];
    for sizes @ [window, sinks] in [[1, 0], [3, 0], [1, 1], [3, 2], [2, 5], [6, 1]] {
        for n_layers in [1, 3] {
            let (name, encoder) = build(&TrajEncoderConfig::Transformer(windowed(n_layers, sizes)));
            let mut episodes = Episodes::random(rows, len, &device());
            resets.iter().for_each(|(row, t)| episodes.restart(*row, *t));
            for context in [window + 1, window + 2, len] {
                let mut state = encoder.rollout_state(rows, context, &device());
                let mut steps = Vec::new();
                for t in 0..len {
                    resets.iter().filter(|(_, at)| *at == t).for_each(|(row, _)| state.reset(*row));
                    steps.push(episodes.step(&encoder, t, &mut state));
                }
                let steps = Tensor::cat(steps, 1);
                for (row, start, end) in
                    [(0, 0, len), (1, 0, 13), (1, 13, len), (2, 0, 2), (2, 2, 30), (2, 30, len)]
                {
                    let got = steps.clone().narrow(0, row, 1).narrow(1, start, end - start);
                    let whole = episodes.whole(&encoder, row, [start, end]);
                    let what = format!("{name}, {sinks} sinks, context {context}, row {row} from {start}");
                    assert_same(&got, &whole, &what);
                }
            }
        }
    }
}

/// Without sinks one layer has forgotten the first input when the window has left it.
#[test]
fn sinks_keep_the_first_inputs_in_sight() {
    for (sinks, seen) in [(0, false), (1, true), (3, true)] {
        let (name, encoder) = build(&TrajEncoderConfig::Transformer(windowed(1, [3, sinks])));
        let episodes = Episodes::random(1, 20, &device());
        let mut other = Episodes { x: episodes.x.clone(), times: episodes.times.clone() };
        other.x = other.x.slice_fill([0..1, 0..1], 1.0);
        let last = |episodes: &Episodes| {
            let mut state = encoder.rollout_state(1, 8, &device());
            let steps = (0..episodes.len()).map(|t| values(&episodes.step(&encoder, t, &mut state)));
            steps.last().expect("there are steps")
        };
        assert_eq!(last(&episodes) != last(&other), seen, "{name}");
    }
}

/// Stepping through the inputs that an encoder asks for makes its state again.
#[test]
fn the_inputs_of_a_replay_are_enough() {
    let (len, context) = (30, 8);
    let windows = [[3, 0], [2, 4], [7, 1]].map(|sizes| TrajEncoderConfig::Transformer(windowed(3, sizes)));
    let short = TrajEncoderConfig::Transformer(transformer(8, 2, 1));
    for config in windows.into_iter().chain([short]).chain(memory_free()).chain(recurrent()) {
        let (name, encoder) = build(&config);
        let episodes = Episodes::random(2, len, &device());
        let mut state = encoder.rollout_state(2, context, &device());
        (0..len - 1).for_each(|t| drop(episodes.step(&encoder, t, &mut state)));
        let Replay { first, last } = encoder.replay(context);
        let mut again = encoder.rollout_state(2, context, &device());
        for t in (0..len - 1).filter(|t| *t < first || *t >= (len - 1).saturating_sub(last)) {
            episodes.step(&encoder, t, &mut again);
        }
        let step = |state| episodes.step(&encoder, len - 1, state);
        assert_same(&step(&mut again), &step(&mut state), &name);
    }
}

#[test]
fn a_reset_forgets_and_a_memory_remembers() {
    let transformer = TrajEncoderConfig::Transformer(transformer(16, 2, 2));
    for (name, encoder) in recurrent().into_iter().chain([transformer]).map(|config| build(&config)) {
        let episodes = Episodes::random(2, 6, &device());
        let last = |forget: Option<usize>| {
            let mut state = encoder.rollout_state(2, episodes.len(), &device());
            for t in 0..episodes.len() - 1 {
                episodes.step(&encoder, t, &mut state);
            }
            if let Some(row) = forget {
                state.reset(row);
            }
            values(&episodes.step(&encoder, episodes.len() - 1, &mut state))
        };
        let (kept, forgotten) = (last(None), last(Some(0)));
        let d = encoder.d_output();
        assert_ne!(kept[..d], forgotten[..d], "{name}: row 0 was reset");
        assert_eq!(kept[d..], forgotten[d..], "{name}: row 1 was not");
    }
}

#[test]
#[should_panic(expected = "another kind of encoder")]
fn a_state_of_another_encoder_is_refused() {
    let feed_forward = TrajEncoderConfig::FeedForward(FeedForwardConfig::default()).init(D_INPUT, &device());
    let transformer = TrajEncoderConfig::Transformer(transformer(8, 2, 1)).init(D_INPUT, &device());
    let mut state = transformer.rollout_state(1, 4, &device());
    Episodes::random(1, 1, &device()).step(&feed_forward, 0, &mut state);
}
