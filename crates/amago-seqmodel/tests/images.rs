//! Encoders of images, alone and with vectors and goals: what the recorded cases leave open.

mod support;

use std::collections::BTreeMap;

use amago_golden::modules::{device, values};
use amago_seqmodel::*;
use burn::tensor::{Device, Tensor};
use support::{bytes, cnns, fixed, layout, small, vectors, weights};

/// Height and width are told apart, and the two orders of channels give the same.
#[test]
fn channels_first_and_last_agree() {
    for (cnn, [h, w, c]) in cnns() {
        let encoder = |channels_first, shape| {
            let config = CnnTstepConfig { cnn: cnn.clone(), channels_first, ..small() };
            fixed(config.init(&layout(&[("camera", ObsKind::Image(shape))]), 3, &device()))
        };
        let image = bytes([2, 3, h, w, c]);
        let rl2s = vectors([2, 3, 3]);
        let run = |encoder: CnnTstepEncoder, image| {
            let images = BTreeMap::from([("camera".to_owned(), image)]);
            values(&encoder.forward(&ObsTensors { vectors: None, images }, rl2s.clone()))
        };
        let last = run(encoder(false, [h, w, c]), image.clone());
        let first = run(encoder(true, [c, h, w]), image.permute([0, 1, 4, 2, 3]));
        assert_eq!(first, last, "{cnn:?}");
    }
}

/// An encoder of everything at once, and an observation for it.
fn everything(goal: GoalConfig, device: &Device) -> (TstepEncoder, ObsTensors) {
    let observation = layout(&[
        ("camera", ObsKind::Image([6, 6, 3])),
        ("goal", ObsKind::Vector(vec![2, 3])),
        ("map", ObsKind::Image([4, 5, 1])),
        ("place", ObsKind::Vector(vec![2])),
        ("speed", ObsKind::Vector(vec![1])),
    ]);
    let config = TstepEncoderConfig::Cnn(CnnTstepConfig { goal: Some(goal), ..small() });
    config.validate().expect("legal");
    config.validate_obs(&observation).expect("legal");
    let images = BTreeMap::from([
        ("camera".to_owned(), bytes([2, 4, 6, 6, 3])),
        ("map".to_owned(), bytes([2, 4, 4, 5, 1])),
    ]);
    (config.init(&observation, 3, device), ObsTensors { vectors: Some(vectors([2, 4, 9])), images })
}

fn goals() -> [GoalConfig; 2] {
    [GoalConfig::FeedForward(FfGoalConfig::default()), GoalConfig::Token(TokenGoalConfig::default())]
}

#[test]
fn every_key_has_a_say() {
    for goal in goals() {
        let (encoder, obs) = everything(goal.clone(), &device());
        let rl2s = vectors([2, 4, 3]);
        let before = values(&encoder.forward(&obs, rl2s.clone()));
        for key in ["camera", "map"] {
            let mut changed = obs.clone();
            let image = changed.images.get_mut(key).expect("an image");
            *image = bytes(image.dims());
            assert_ne!(values(&encoder.forward(&changed, rl2s.clone())), before, "{goal:?}, {key}");
        }
        // Columns of the goal, of the place and of the speed.
        for columns in [0..6, 6..8, 8..9] {
            let all = obs.vectors.clone().expect("vectors");
            let changed = Some(all.slice_fill([0..2, 0..4, columns.clone()], 2.5));
            let changed = ObsTensors { vectors: changed, ..obs.clone() };
            assert_ne!(values(&encoder.forward(&changed, rl2s.clone())), before, "{goal:?}, {columns:?}");
        }
        assert_ne!(values(&encoder.forward(&obs, rl2s * 2.0)), before, "{goal:?}, rl2s");
    }
}

#[test]
fn every_timestep_is_encoded_by_itself() {
    for goal in goals() {
        let (encoder, obs) = everything(goal, &device());
        let rl2s = vectors([2, 4, 3]);
        let whole = encoder.forward(&obs, rl2s.clone());
        for t in 0..4 {
            let images = obs.images.iter().map(|(key, image)| (key.clone(), image.clone().narrow(1, t, 1)));
            let vectors = obs.vectors.clone().map(|v| v.narrow(1, t, 1));
            let one = ObsTensors { vectors, images: images.collect() };
            let step = values(&encoder.forward(&one, rl2s.clone().narrow(1, t, 1)));
            let expected = values(&whole.clone().narrow(1, t, 1));
            let apart = step.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "step {t}: {apart}");
        }
    }
}

/// The statistics are those of the joined vectors, without the goal.
#[test]
fn only_plain_vectors_are_normalised() {
    let (mut encoder, obs) = everything(goals()[0].clone(), &device());
    let rl2s = vectors([2, 4, 3]);
    let before = values(&encoder.forward(&obs, rl2s.clone()));
    let mask = Tensor::ones([2, 4, 1], &device());
    encoder.begin_update(&obs, rl2s.clone(), mask);
    assert_ne!(values(&encoder.forward(&obs, rl2s)), before);
    let TstepEncoder::Cnn(encoder) = &encoder else { panic!("a CNN encoder") };
    assert_eq!(weights(encoder)["vector_norm.mu"].len(), 3, "place and speed");
}

#[test]
fn what_is_hidden_has_no_say() {
    let observation = layout(&[("camera", ObsKind::Image([6, 6, 3])), ("place", ObsKind::Vector(vec![2]))]);
    let images = BTreeMap::from([("camera".to_owned(), bytes([2, 4, 6, 6, 3]))]);
    let obs = ObsTensors { vectors: Some(vectors([2, 4, 2])), images };
    let keys = Some(vec!["place".to_owned()]);
    for (hide_rl2s, hide_rewards) in [(false, false), (true, false), (false, true), (true, true)] {
        let cnn = CnnTstepConfig { hide_rl2s, hide_rewards, ..small() };
        let flat =
            FfTstepConfig { hide_rl2s, hide_rewards, obs_keys: keys.clone(), ..FfTstepConfig::default() };
        for config in [TstepEncoderConfig::Cnn(cnn), TstepEncoderConfig::FeedForward(flat)] {
            let encoder = config.init(&observation, 3, &device());
            let run = |rl2s| values(&encoder.forward(&obs, rl2s));
            let rl2s = vectors([2, 4, 3]);
            let reward = rl2s.clone().slice_fill([0..2, 0..4, 0..1], 3.0);
            let action = rl2s.clone().slice_fill([0..2, 0..4, 1..2], 3.0);
            let before = run(rl2s);
            assert_eq!(run(reward) == before, hide_rl2s || hide_rewards, "{config:?}");
            assert_eq!(run(action) == before, hide_rl2s, "{config:?}");
        }
    }
}
