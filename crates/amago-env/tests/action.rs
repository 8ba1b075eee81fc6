//! Encoding, decoding and drawing of actions.

use std::collections::BTreeSet;

use amago_env::{Action, BoxSpace, Dtype, Role, Space, rng};

fn check(action: Action, space: Space, expected: Option<&[f32]>) {
    let mut out = vec![9.0; space.width()];
    let result = action.encode(&space, &mut out);
    match expected {
        Some(values) => {
            assert_eq!(result, Ok(()), "{action:?} in {space}");
            assert_eq!(out, values, "{action:?} in {space}");
        }
        None => {
            let error = result.expect_err("an illegal action");
            assert_eq!(format!("{:?}", error.action), format!("{action:?}"), "NaN is not equal to itself");
            assert!(error.to_string().contains(&space.to_string()));
        }
    }
}

#[test]
fn encode_writes_the_vector_form_or_refuses() {
    let two_three = || Space::MultiDiscrete { nvec: vec![2, 3] };
    let bits = || Space::MultiBinary { n: 2 };
    let pair = || Space::box_f32(&[2], -5.0, 5.0);
    check(Action::Discrete(2), Space::Discrete { n: 3 }, Some(&[0.0, 0.0, 1.0]));
    check(Action::Discrete(3), Space::Discrete { n: 3 }, None);
    check(Action::Discrete(0), pair(), None);
    check(Action::MultiDiscrete(vec![1, 2]), two_three(), Some(&[0.0, 1.0, 0.0, 0.0, 1.0]));
    check(Action::MultiDiscrete(vec![1, 3]), two_three(), None);
    check(Action::MultiDiscrete(vec![1]), two_three(), None);
    check(Action::MultiBinary(vec![true, false]), bits(), Some(&[1.0, 0.0]));
    check(Action::MultiBinary(vec![true]), bits(), None);
    check(Action::Continuous(vec![-1.0, 0.5]), pair(), Some(&[-1.0, 0.5]));
    check(Action::Continuous(vec![-1.5, 0.5]), pair(), None);
    check(Action::Continuous(vec![f32::NAN, 0.5]), pair(), None);
    check(Action::Continuous(vec![0.5]), pair(), None);
}

#[test]
fn zero_and_random_actions_are_legal() {
    let mut draws = rng(1, Role::Exploration, 0, 0);
    for space in [
        Space::Discrete { n: 300 },
        Space::MultiDiscrete { nvec: vec![2, 7] },
        Space::MultiBinary { n: 4 },
        Space::box_f32(&[2, 2], 0.0, 1.0),
    ] {
        let mut out = vec![0.0; space.width()];
        assert_eq!(Action::zero(&space).encode(&space, &mut out), Ok(()));
        for _ in 0..50 {
            let action = Action::random(&space, None, &mut draws);
            assert_eq!(action.encode(&space, &mut out), Ok(()));
            assert_eq!(Action::decode(&space, &out), action);
        }
    }
}

#[test]
fn random_actions_keep_to_the_mask() {
    let mut draws = rng(1, Role::Exploration, 0, 0);
    let space = Space::MultiDiscrete { nvec: vec![2, 3] };
    // The second choice allows nothing, which stands for everything.
    for (mask, expected) in [([0.0, 1.0, 1.0, 0.0, 1.0], [1, 2]), ([1.0, 0.0, 0.0, 0.0, 0.0], [1, 3])] {
        let mut seen = [BTreeSet::new(), BTreeSet::new()];
        for _ in 0..60 {
            let Action::MultiDiscrete(a) = Action::random(&space, Some(&mask), &mut draws) else {
                panic!("another kind")
            };
            assert!(mask[a[0]] > 0.0 && (mask[2 + a[1]] > 0.0 || mask[2..] == [0.0; 3]), "{a:?}");
            for (seen, a) in seen.iter_mut().zip(a) {
                seen.insert(a);
            }
        }
        assert_eq!(seen.map(|s| s.len()), expected);
    }
}

#[test]
fn a_mask_that_allows_everything_changes_no_draw() {
    let space = Space::MultiDiscrete { nvec: vec![4, 9] };
    let stream = || rng(2, Role::Exploration, 0, 0);
    let (mut plain, mut masked) = (stream(), stream());
    for _ in 0..20 {
        let all = Action::random(&space, Some(&[1.0; 13]), &mut masked);
        assert_eq!(Action::random(&space, None, &mut plain), all);
    }
}

#[test]
fn numbers_are_in_the_true_bounds() {
    let bounded = |low: [f32; 3], high: [f32; 3]| {
        let (low, high) = (low.to_vec(), high.to_vec());
        Space::Box(BoxSpace { shape: vec![3], low, high, dtype: Dtype::F32 })
    };
    let space = bounded([0.0, -3.0, 2.0], [10.0, 1.0, 2.0]);
    let numbers = |a: [f32; 3]| Action::Continuous(a.to_vec()).numbers(&space);
    assert_eq!(numbers([-1.0, -1.0, -1.0]), Ok(vec![0.0, -3.0, 2.0]));
    assert_eq!(numbers([1.0, 1.0, 1.0]), Ok(vec![10.0, 1.0, 2.0]));
    assert_eq!(numbers([0.0, 0.5, 0.3]), Ok(vec![5.0, 0.0, 2.0]));
    assert!(numbers([0.0, 1.01, 0.0]).is_err() && numbers([f32::NAN, 0.0, 0.0]).is_err());
    assert!(Action::Continuous(vec![0.0]).numbers(&space).is_err());
    let huge = bounded([f32::MIN; 3], [f32::MAX; 3]);
    assert_eq!(Action::Continuous(vec![0.0, 1.0, -1.0]).numbers(&huge).unwrap(), [0.0, f32::MAX, f32::MIN]);
}

#[test]
fn choices_and_bits_are_checked() {
    let space = Space::MultiDiscrete { nvec: vec![2, 3] };
    assert_eq!(Action::MultiDiscrete(vec![1, 2]).choices(&space), Ok([1, 2].as_slice()));
    assert!(Action::MultiDiscrete(vec![2, 0]).choices(&space).is_err());
    assert!(Action::MultiDiscrete(vec![1]).choices(&space).is_err());
    assert!(Action::Discrete(1).choices(&space).is_err());
    let bits = Space::MultiBinary { n: 2 };
    assert_eq!(Action::MultiBinary(vec![true, false]).bits(&bits), Ok([true, false].as_slice()));
    assert!(Action::MultiBinary(vec![true]).bits(&bits).is_err());
    assert!(Action::Discrete(0).bits(&bits).is_err());
}

#[test]
fn decode_takes_the_nearest_action() {
    let space = Space::MultiDiscrete { nvec: vec![2, 3] };
    assert_eq!(Action::decode(&space, &[0.4, 0.6, 0.5, 0.2, 0.3]), Action::MultiDiscrete(vec![1, 0]));
    let bits = Space::MultiBinary { n: 3 };
    assert_eq!(Action::decode(&bits, &[0.5, 0.98, 0.0]), Action::MultiBinary(vec![false, true, false]));
    let pair = Space::box_f32(&[2], 0.0, 9.0);
    assert_eq!(Action::decode(&pair, &[1.5, -0.3]), Action::Continuous(vec![1.0, -0.3]));
}

#[test]
fn choice_accepts_only_choices() {
    let space = Space::Discrete { n: 3 };
    assert_eq!(Action::Discrete(2).choice(&space), Ok(2));
    assert!(Action::Discrete(3).choice(&space).is_err());
    assert!(Action::MultiDiscrete(vec![1]).choice(&space).is_err());
}
