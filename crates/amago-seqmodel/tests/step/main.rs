//! One step at a time equals whole sequences.

mod support;
mod windows;

use amago_golden::modules::{device, values};
use amago_seqmodel::{FeedForwardConfig, Replay, TrajEncoderConfig};
use support::{
    D_INPUT, Episodes, assert_same, build, encoders, memory_free, recurrent, transformer, windowed,
};

#[test]
fn attention_is_shared_out_over_what_can_be_seen() {
    let episodes = Episodes::random(1, 9, &device());
    for (window, config) in [(8, transformer(8, 2, 3)), (3, windowed(2, [3, 0]))] {
        let (name, encoder) = build(&TrajEncoderConfig::Transformer(config.clone()));
        let layers = episodes.attention(&encoder);
        assert_eq!(layers.len(), config.n_layers);
        for weights in layers {
            assert_eq!(weights.dims(), [1, config.n_heads, 9, 9]);
            for (i, row) in values(&weights).chunks(9).enumerate() {
                let (query, sum) = (i % 9, row.iter().sum::<f32>());
                assert!((sum - 1.0).abs() < 1e-5, "{name}: {sum}");
                for (key, weight) in row.iter().enumerate() {
                    let seen = key <= query && query - key <= window;
                    assert_eq!(*weight > 0.0, seen, "{name}: {query} to {key}: {weight}");
                }
            }
        }
    }
    for config in memory_free().into_iter().chain(recurrent()) {
        assert!(episodes.attention(&build(&config).1).is_empty(), "{config:?}");
    }
}

#[test]
fn steps_of_an_episode_equal_the_whole() {
    for (name, encoder) in encoders() {
        for [rows, len] in [[1, 1], [1, 9], [3, 12], [2, 40]] {
            let episodes = Episodes::random(rows, len, &device());
            // With room to spare, and with exactly as much as is needed.
            for context in [len, len + 5] {
                let steps = episodes.steps(&encoder, context, &[]);
                assert_eq!(steps.dims(), [rows, len, encoder.d_output()]);
                let acting = episodes.steps(&encoder.for_acting(), context, &[]);
                acting.into_data().assert_eq(&steps.to_data(), true);
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
        let steps = episodes.steps(&encoder, len, &resets);
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
