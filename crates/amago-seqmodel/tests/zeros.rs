//! Vectors and weights of zeros: no division by their length.

use amago_golden::modules::{device, values};
use amago_ops::sigma_reparam;
use amago_seqmodel::{Dense, NormKind, SequenceEncoder, TransformerConfig};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Int, Tensor};

/// A vector of zeros, an ordinary one, and one whose square is no normal number.
fn rows() -> Tensor<2> {
    let rows: Vec<f32> =
        [0.0, 1.0, 1e-25].iter().flat_map(|scale| (1..=8).map(move |i| scale * i as f32)).collect();
    Tensor::<1>::from_floats(rows.as_slice(), &device().autodiff()).reshape([3, 8]).require_grad()
}

#[test]
fn every_norm_of_zeros_is_finite_and_so_is_its_gradient() {
    use NormKind::*;
    for kind in [Layer, Rmsnorm, Unitball, UnitballDetach, Hypersphere, Simnorm, None] {
        let x = rows();
        let out = kind.init(8, &device().autodiff()).forward(x.clone());
        let normed = values(&out);
        if kind != Simnorm {
            assert_eq!(normed[..8], [0.0; 8], "{kind:?} of zeros");
        }
        assert!(normed.iter().all(|x| x.is_finite()), "{kind:?}: {normed:?}");
        let weights = Tensor::<1, Int>::arange(1..25, &device().autodiff()).float().reshape([3, 8]);
        let grad = values(&x.grad(&(out * weights).sum().backward()).expect("the input takes part"));
        assert!(grad.iter().all(|x| x.is_finite()), "{kind:?}: {grad:?}");
        assert!(kind == None || grad[8..16].iter().any(|x| *x != 0.0), "{kind:?}: the others have one");
    }
}

/// The values beside zeros are those without zeros.
#[test]
fn lengths_of_other_vectors_are_as_before() {
    let x = rows();
    let norm =
        |kind: NormKind| values(&kind.init(8, &device().autodiff()).forward(x.clone()))[8..16].to_vec();
    let length = 204f32.sqrt();
    for (i, (ball, sphere)) in norm(NormKind::Unitball).iter().zip(norm(NormKind::Hypersphere)).enumerate() {
        let x = i as f32 + 1.0;
        assert!(
            (ball - x / (length + 1e-5)).abs() < 1e-6 && (sphere - x / length * 8f32.sqrt()).abs() < 1e-6
        );
    }
}

#[test]
fn a_weight_of_zeros_has_a_gradient_and_finds_its_singular_vectors_again() {
    let device = device().autodiff();
    let vector = |len| Tensor::<1>::ones([len], &device);
    let weight = Tensor::<2>::zeros([3, 2], &device).require_grad();
    let gamma = Tensor::<1>::full([1], 2.0, &device).require_grad();
    let out = sigma_reparam(weight.clone(), gamma.clone(), vector(2), vector(3));
    assert_eq!(values(&out), [0.0; 6]);
    let grads = out.sum().backward();
    assert_eq!(values(&weight.grad(&grads).expect("a weight")), [2.0; 6], "as if its norm were one");
    assert_eq!(values(&gamma.grad(&grads).expect("a scale")), [0.0]);

    let mut layer = Dense::sigma(3, 2, false, &device);
    let old = values(&layer.v.as_ref().expect("σ-reparam").val());
    let started = layer.weight.clone();
    layer.weight = layer.weight.map(|w| w.zeros_like());
    for _ in 0..3 {
        layer.power_iteration();
    }
    assert_eq!(values(&layer.v.as_ref().expect("σ-reparam").val()), old, "nothing to turn it");
    layer.weight = started;
    layer.power_iteration();
    let u = values(&layer.u.as_ref().expect("σ-reparam").val());
    assert!((u.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5, "{u:?}");
}

/// A whole encoder of zeros, which training leaves with finite weights.
#[test]
fn a_transformer_of_zeros_is_finite() {
    struct Zero;
    impl ModuleMapper for Zero {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|x| x.zeros_like().set_require_grad(x.is_require_grad()))
        }
    }
    let device = device().autodiff();
    for norm in [NormKind::Layer, NormKind::Rmsnorm, NormKind::Unitball, NormKind::Hypersphere] {
        let config = TransformerConfig {
            d_model: 8,
            n_heads: 2,
            d_ff: 16,
            n_layers: 2,
            norm,
            ..TransformerConfig::default()
        };
        let mut encoder = config.init(3, &device).map(&mut Zero);
        encoder.begin_update();
        let x = Tensor::<3>::ones([1, 4, 3], &device).require_grad();
        let times = Tensor::<1, Int>::arange(0..4, &device).unsqueeze::<2>();
        let out = encoder.forward_seq(x.clone(), times);
        assert!(values(&out).iter().all(|x| x.is_finite()), "{norm:?}");
        let grads = out.sum().backward();
        let grad = values(&x.grad(&grads).expect("the input takes part"));
        assert!(grad.iter().all(|x| x.is_finite()), "{norm:?}");
    }
}
