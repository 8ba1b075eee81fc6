//! Observations that do not fit.

use std::collections::BTreeMap;

use super::*;
use crate::BoxSpace;

fn space() -> DictSpace {
    let image = BoxSpace { shape: vec![2], low: vec![0.0; 2], high: vec![100.0; 2], dtype: Dtype::U8 };
    DictSpace(BTreeMap::from([
        ("image".to_owned(), Space::Box(image)),
        ("place".to_owned(), Space::box_f32(&[3], 0.0, 1.0)),
    ]))
}

#[test]
fn write_refuses_wrong_keys_widths_and_types() {
    let mut obs = Observation::new(&space());
    assert!(obs.write("place", &[0.1, 0.2, 0.3]).is_ok());
    assert!(obs.write_u8("image", &[1, 2]).is_ok());
    assert_eq!(obs.columns(), [Column::U8(vec![1, 2]), Column::F32(vec![0.1, 0.2, 0.3])]);
    assert!(matches!(obs.write("door", &[0.1]), Err(EnvError::UnknownKey(k)) if k == "door"));
    let error = obs.write("place", &[0.1]).expect_err("too narrow");
    assert_eq!(error.to_string(), "observation \"place\" has 1 f32 entries, its space has 3 f32");
    let error = obs.write("image", &[0.1, 0.2]).expect_err("floats for bytes");
    assert_eq!(error.to_string(), "observation \"image\" has 2 f32 entries, its space has 2 u8");
    assert!(matches!(obs.write_u8("place", &[1, 2, 3]), Err(EnvError::WrongShape { .. })));
    assert!(matches!(obs.write_u8("image", &[1]), Err(EnvError::WrongShape { .. })));
    obs.bytes_mut("image").expect("bytes").copy_from_slice(&[8, 9]);
    assert_eq!(obs.columns()[0], Column::U8(vec![8, 9]));
    assert!(matches!(obs.bytes_mut("place"), Err(EnvError::WrongShape { .. })));
    assert!(matches!(obs.bytes_mut("door"), Err(EnvError::UnknownKey(_))));
}

#[test]
fn check_names_the_bad_entry() {
    let space = space();
    let mut obs = Observation::new(&space);
    assert!(obs.check(&space).is_ok());
    obs.write("place", &[0.0, f32::NAN, 0.0]).expect("right width");
    let error = obs.check(&space).expect_err("NaN");
    assert_eq!(error.to_string(), "observation \"place\"[1] is NaN, not a finite number");
    obs.write("place", &[0.0, 2.0, 0.0]).expect("right width");
    assert!(matches!(obs.check(&space), Err(EnvError::OutOfSpace { key, .. }) if key == "place"));
    obs.write("place", &[0.0; 3]).expect("right width");
    obs.write_u8("image", &[0, 101]).expect("right width");
    assert!(matches!(obs.check(&space), Err(EnvError::OutOfSpace { key, .. }) if key == "image"));
}

#[test]
fn bytes_without_bounds_are_known() {
    let mut space = space();
    assert_eq!(KnownSpace::new(space.clone()).whole, [false, false], "an image up to 100, and floats");
    let image = BoxSpace { shape: vec![2], low: vec![0.0; 2], high: vec![255.0; 2], dtype: Dtype::U8 };
    space.0.insert("image".to_owned(), Space::Box(image));
    let known = KnownSpace::new(space.clone());
    assert_eq!(known.whole, [true, false]);
    let mut obs = Observation::new(&space);
    obs.write_u8("image", &[0, 255]).expect("right width");
    obs.check_known(&known).expect("legal");
    obs.write("place", &[0.0, 2.0, 0.0]).expect("right width");
    assert!(matches!(obs.check_known(&known), Err(EnvError::OutOfSpace { key, .. }) if key == "place"));
    let narrow = DictSpace::single(Space::box_f32(&[1], 0.0, 1.0));
    assert!(Observation::new(&narrow).check_known(&known).is_err());
}

#[test]
fn check_finds_a_buffer_of_another_space() {
    let space = space();
    let narrow = DictSpace::single(Space::box_f32(&[1], 0.0, 1.0));
    assert!(matches!(Observation::new(&narrow).check(&space), Err(EnvError::UnknownKey(_))));
    let mut without = space.clone();
    without.0.remove("image");
    let error = Observation::new(&without).check(&space).expect_err("no image");
    assert!(matches!(error, EnvError::WrongShape { key, got: 0, .. } if key == "image"));
    let mut wider = space.clone();
    wider.0.insert("place".to_owned(), Space::box_f32(&[4], 0.0, 1.0));
    assert!(matches!(Observation::new(&wider).check(&space), Err(EnvError::WrongShape { got: 4, .. })));
}
