//! The memory-free encoder: settings that no recorded case has.

mod support;

use amago_golden::modules::{device, values};
use amago_seqmodel::{FeedForwardConfig, ModelError, NormKind, SequenceEncoder};
use burn::tensor::{Int, Tensor};
use support::{fixed, vectors, weights};

fn tiny() -> FeedForwardConfig {
    FeedForwardConfig { d_model: 8, ..FeedForwardConfig::default() }
}

/// The widths of the first block and of the norms in it.
#[test]
fn blocks_are_four_times_as_wide_unless_told_otherwise() {
    for (d_model, d_ff, expected) in [(8, None, 32), (12, None, 48), (8, Some(20), 20)] {
        let config = FeedForwardConfig { d_model, d_ff, norm: NormKind::Layer, ..tiny() };
        let w = weights(&config.init(5, &device()));
        assert_eq!(w["traj_blocks.0.ff1.bias"].len(), expected);
        assert_eq!(w["traj_blocks.0.norm1.norm.bias"].len(), expected, "after the first linear layer");
        assert_eq!(w["traj_blocks.0.norm2.norm.bias"].len(), d_model, "after the second one");
    }
}

#[test]
fn the_norm_of_the_output_is_a_setting() {
    let x = vectors([2, 5, 3]);
    let out = |out_norm| FeedForwardConfig { out_norm, ..tiny() }.init(3, &device()).forward(x.clone());
    for row in values(&out(NormKind::Layer)).chunks(8) {
        assert!(row.iter().sum::<f32>().abs() < 1e-4, "centred: {row:?}");
    }
    for row in values(&out(NormKind::Hypersphere)).chunks(8) {
        let square: f32 = row.iter().map(|x| x * x).sum();
        assert!((square - 8.0).abs() < 1e-3, "on the sphere: {square}");
        assert!(row.iter().sum::<f32>().abs() > 1e-4, "not centred");
    }
}

#[test]
fn dropout_takes_part_in_training_alone() {
    let device = device().autodiff();
    let config = FeedForwardConfig { dropout: 0.5, d_model: 64, ..tiny() };
    let encoder = config.init(3, &device);
    let x = Tensor::from_inner(vectors([2, 40, 3]));
    let times = Tensor::<2, Int>::zeros([2, 40], &device);
    let out = values(&encoder.forward_seq(x.clone(), times.clone()));
    let share = out.iter().filter(|x| **x == 0.0).count() as f64 / out.len() as f64;
    assert!((share - 0.5).abs() < 0.05, "half of the output is dropped, not {share}");
    let again = values(&encoder.forward_seq(x.clone(), times.clone()));
    assert_ne!(out, again, "each pass has draws of its own");
    let acting = encoder.for_acting();
    let act = || values(&acting.forward_seq(x.clone().inner(), times.clone().inner()));
    assert_eq!(act(), act());
    assert!(act().iter().all(|x| *x != 0.0), "nothing is dropped while acting");
}

#[test]
fn sigma_reparam_covers_every_linear_layer() {
    let config = FeedForwardConfig { sigma_reparam: true, n_layers: 2, ..tiny() };
    // Far from their singular vectors.
    let mut encoder = fixed(config.init(3, &device()));
    let w = weights(&encoder);
    for layer in ["traj_emb", "traj_blocks.0.ff1", "traj_blocks.1.ff2", "traj_last"] {
        assert!(w.contains_key(&format!("{layer}.gamma")), "{layer}");
    }
    encoder.begin_update();
    let moved = weights(&encoder);
    for layer in ["traj_emb", "traj_blocks.0.ff1", "traj_blocks.1.ff2", "traj_last"] {
        assert_ne!(moved[&format!("{layer}.u")], w[&format!("{layer}.u")], "a power iteration of {layer}");
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let refused = |change: fn(&mut FeedForwardConfig)| {
        let mut config = tiny();
        change(&mut config);
        config.validate().expect_err("the change cannot be built")
    };
    let simnorm = |norm, width, d| ModelError::SimNorm { norm, width, d };
    let d_ff = refused(|c| (c.norm, c.d_ff) = (NormKind::Simnorm, Some(36)));
    assert_eq!(d_ff, simnorm("norm", "d_ff", 36));
    let d_model = refused(|c| (c.out_norm, c.d_model) = (NormKind::Simnorm, 12));
    assert_eq!(d_model, simnorm("out_norm", "d_model", 12));
    let error = refused(|c| c.dropout = 1.0);
    assert_eq!(error, ModelError::Dropout { name: "dropout", value: "1".to_owned() });
}
