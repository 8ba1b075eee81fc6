//! What leaves a window is forgotten, and nothing else.

use amago_golden::modules::{device, values};
use amago_seqmodel::TrajEncoderConfig;

use super::support::{Episodes, assert_same, build, memory_free, transformers, windowed};

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
            let steps = episodes.steps(&encoder, context, &[reset]);
            for t in 0..len {
                let step = steps.clone().narrow(1, t, 1);
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
                let steps = episodes.steps(&encoder, context, &resets);
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
