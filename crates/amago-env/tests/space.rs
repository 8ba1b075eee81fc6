//! What spaces contain and which are refused.

use std::collections::BTreeMap;

use amago_env::{BoxSpace, DictSpace, Dtype, Space, SpaceError, TaskSpec};

#[test]
fn contains_tells_legal_from_illegal() {
    let discrete = Space::Discrete { n: 3 };
    let multi = Space::MultiDiscrete { nvec: vec![2, 3] };
    let bits = Space::MultiBinary { n: 2 };
    let unit = Space::box_f32(&[2], 0.0, 1.0);
    let cases: [(&Space, &[f32], bool); 14] = [
        (&discrete, &[0.0, 1.0, 0.0], true),
        (&discrete, &[0.0, 0.0, 0.0], false),
        (&discrete, &[1.0, 1.0, 0.0], false),
        (&discrete, &[0.5, 0.5, 0.0], false),
        (&discrete, &[1.0, 0.0], false),
        (&multi, &[0.0, 1.0, 0.0, 0.0, 1.0], true),
        (&multi, &[1.0, 1.0, 0.0, 0.0, 0.0], false),
        (&bits, &[1.0, 1.0], true),
        (&bits, &[1.0, 0.5], false),
        (&unit, &[0.0, 1.0], true),
        (&unit, &[0.0, 1.1], false),
        (&unit, &[0.0, f32::NAN], false),
        (&unit, &[0.0, f32::INFINITY], false),
        (&unit, &[0.0], false),
    ];
    for (space, value, expected) in cases {
        assert_eq!(space.contains(value), expected, "{value:?} in {space}");
    }
}

#[test]
fn validate_refuses_unusable_spaces() {
    let boxed = |low: f32, high: f32, len: usize| {
        Space::Box(BoxSpace { shape: vec![2], low: vec![low; len], high: vec![high; len], dtype: Dtype::F32 })
    };
    assert_eq!(boxed(0.0, 1.0, 2).validate(), Ok(()));
    assert_eq!(boxed(f32::NEG_INFINITY, f32::INFINITY, 2).validate(), Ok(()));
    for bad in [boxed(1.0, 0.0, 2), boxed(f32::NAN, 0.0, 2), boxed(0.0, 1.0, 3)] {
        assert!(matches!(bad.validate(), Err(SpaceError::Bounds(_))), "{bad:?}");
    }
    for empty in [
        Space::Discrete { n: 0 },
        Space::MultiDiscrete { nvec: vec![2, 0] },
        Space::MultiDiscrete { nvec: vec![] },
        Space::MultiBinary { n: 0 },
        Space::box_f32(&[3, 0], 0.0, 1.0),
    ] {
        assert!(matches!(empty.validate(), Err(SpaceError::Empty(_))), "{empty:?}");
    }
    assert!(DictSpace(BTreeMap::new()).validate().is_err());
    assert!(DictSpace::single(Space::Discrete { n: 0 }).validate().is_err());
    assert_eq!(DictSpace::single(Space::Discrete { n: 1 }).validate(), Ok(()));
}

#[test]
fn infinite_actions_are_refused_and_observations_not() {
    let open = Space::box_f32(&[2], f32::NEG_INFINITY, 1.0);
    let task = |action| TaskSpec::new("open", open.clone(), action);
    assert_eq!(task(Space::box_f32(&[2], -3.0, 1.0)).validate(), Ok(()));
    let error = task(open.clone()).validate().expect_err("infinite");
    assert_eq!(error, SpaceError::Unbounded("Box(-inf, 1, [2])".to_owned()));
    assert!(error.to_string().contains("finite"));
}

#[test]
fn a_mask_fits_the_actions() {
    let check = |n: usize, action: Space| {
        let keys = [("action_mask", Space::MultiBinary { n }), ("x", Space::box_f32(&[1], 0.0, 1.0))];
        TaskSpec::new("masked", keys, action).validate()
    };
    assert_eq!(check(3, Space::Discrete { n: 3 }), Ok(()));
    assert_eq!(check(5, Space::MultiDiscrete { nvec: vec![2, 3] }), Ok(()));
    let error = check(4, Space::Discrete { n: 3 }).expect_err("too wide").to_string();
    assert!(error.contains("MultiBinary(4)") && error.contains("must be MultiBinary(3)"), "{error}");
    for action in [Space::MultiBinary { n: 2 }, Space::box_f32(&[2], 0.0, 1.0)] {
        let error = check(2, action).expect_err("no choices").to_string();
        assert!(error.contains("only discrete choices"), "{error}");
    }
}

#[test]
fn columns_are_in_key_order() {
    let space = DictSpace(BTreeMap::from([
        ("b".to_owned(), Space::Discrete { n: 3 }),
        ("a".to_owned(), Space::box_f32(&[2, 2], 0.0, 1.0)),
    ]));
    assert_eq!(space.iter().map(|(k, _)| k).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(space.index("b"), Some(1));
    assert_eq!(space.index("c"), None);
    assert_eq!(space.width(), 7);
    assert_eq!(space.to_string(), "{a: Box(0, 1, [2, 2]), b: Discrete(3)}");
}

#[test]
fn bytes_with_three_dimensions_are_an_image() {
    let boxed = |dtype, shape| Space::Box(BoxSpace { shape, low: vec![0.0; 8], high: vec![9.0; 8], dtype });
    assert_eq!(boxed(Dtype::U8, vec![2, 2, 2]).image_shape(), Some([2, 2, 2]));
    let vectors = [boxed(Dtype::F32, vec![2, 2, 2]), boxed(Dtype::U8, vec![4, 2])];
    assert!(vectors.iter().all(|space| space.image_shape().is_none()));
}
