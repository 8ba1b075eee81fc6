use amago_env::{Column, Dtype};
use amago_replay::{FormatError, NpzError, ReplayError, Trajectory, read_npz};
use zip::CompressionMethod;

use crate::npz_file::{Npy, floats, write};

type Named = Vec<(&'static str, (&'static str, &'static str, Vec<u8>))>;

/// A trajectory of two steps with two actions, that begins at time 5 of its episode.
fn arrays() -> Named {
    let times: Vec<u8> = [5_i64, 6, 7].into_iter().flat_map(i64::to_le_bytes).collect();
    vec![
        ("rl2s", ("<f4", "(3, 3)", floats(&[0.5, 0.0, 1.0, 1.5, 1.0, 0.0, -2.0, 0.0, 1.0]))),
        ("time_idxs", ("<i8", "(3, 1)", times)),
        ("rews", ("<f4", "(2, 1)", floats(&[1.5, -2.0]))),
        ("dones", ("|b1", "(2, 1)", vec![0, 1])),
        ("actions", ("<f4", "(2, 2)", floats(&[1.0, 0.0, 0.0, 1.0]))),
        ("_OBS_KEY_image", ("|u1", "(3, 2, 1)", vec![1, 2, 3, 4, 5, 6])),
        ("_OBS_KEY_goal", ("<i4", "(3, 1)", vec![7, 0, 0, 0, 8, 0, 0, 0, 255, 255, 255, 255])),
    ]
}

fn owned(arrays: &Named) -> Vec<(String, Npy)> {
    let npy = |(name, (descr, shape, bytes)): &(&str, (&'static str, &str, Vec<u8>))| {
        ((*name).to_owned(), (*descr, (*shape).to_owned(), bytes.clone()))
    };
    arrays.iter().map(npy).collect()
}

fn read(arrays: &Named, method: CompressionMethod) -> Result<Trajectory, ReplayError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trajectory.npz");
    write(&path, &owned(arrays), method);
    read_npz(&path)
}

#[test]
fn a_recorded_trajectory_becomes_ours() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let t = read(&arrays(), method).unwrap();
        let c = t.columns();
        let described: Vec<_> =
            t.layout().columns.iter().map(|c| (c.key.as_str(), c.shape.as_slice(), c.dtype)).collect();
        assert_eq!(described, [("goal", &[1][..], Dtype::F32), ("image", &[2, 1][..], Dtype::U8)]);
        assert_eq!(c.obs, [Column::F32(vec![7.0, 8.0, -1.0]), Column::U8(vec![1, 2, 3, 4, 5, 6])]);
        assert_eq!((c.rewards.as_slice(), c.terminals.as_slice()), (&[1.5, -2.0][..], &[false, true][..]));
        assert_eq!((c.actions.as_slice(), c.start_time), (&[1.0, 0.0, 0.0, 1.0][..], 5));
        assert_eq!(c.first_prev, [0.5, 0.0, 1.0]);
    }
}

#[test]
fn every_fault_names_its_array() {
    let check = |edit: &dyn Fn(&mut Named), expected: &str| {
        let mut broken = arrays();
        edit(&mut broken);
        let error = read(&broken, CompressionMethod::Stored).unwrap_err().to_string();
        assert!(
            error.contains("trajectory.npz") && error.contains(expected),
            "\"{error}\" lacks \"{expected}\""
        );
    };
    check(&|a| drop(a.remove(0)), "no array \"rl2s\"");
    check(&|a| a.truncate(5), "no array \"_OBS_KEY_");
    check(&|a| a.push(("goals", ("|u1", "(1,)", vec![0]))), "\"goals\" does not belong");
    check(&|a| a[2].1.1 = "(1, 2)", "\"rews\" has the shape [1, 2], not [any, 1]");
    check(&|a| a[4].1.1 = "(1, 4)", "\"actions\" has the shape [1, 4], not [2, any]");
    check(&|a| a[3].1 = ("|b1", "(1, 1)", vec![0]), "\"dones\" has the shape [1, 1], not [2, 1]");
    check(&|a| a[6].1 = ("<i4", "(1, 1)", vec![0; 4]), "\"_OBS_KEY_goal\" has the shape [1, 1], not [3, ..]");
    check(&|a| a[1].1.2[16] = 9, "row 2 of \"time_idxs\"");
    check(&|a| a[0].1.2[15] = 0, "row 1 of \"rl2s\"");
    check(&|a| a[2].1.2 = floats(&[f32::NAN, 0.0]), "\"rews\" holds NaN");
    check(&|a| a[6].1 = ("<f8", "(3,)", vec![0xff; 24]), "\"_OBS_KEY_goal\" holds NaN");
    check(&|a| a[5].1.0 = "|O", "\"_OBS_KEY_image\" cannot be read: its type |O");
    check(&|a| a[5].1.2.truncate(5), "5 bytes of numbers, not 6");
    check(&|a| a[5].1.2.push(0), "more bytes of numbers, not 6");
    check(&|a| a[3].1 = ("<f4", "(2, 1)", floats(&[0.0, f32::NAN])), "\"dones\" holds NaN");
    check(&|a| a[5].1.1 = "(3, 1000000, 1000)", "more than 1073741824 bytes");
    check(&|a| a[5].1.1 = "(3, 4611686018427387904, 2)", "more than fits in memory");
    let negative = [-1_i64, 0, 1].into_iter().flat_map(i64::to_le_bytes).collect::<Vec<u8>>();
    let mut early = arrays();
    early[1].1.2 = negative;
    let error = read(&early, CompressionMethod::Stored).unwrap_err();
    let bad = FormatError::BadStartTime(-1);
    assert!(matches!(&error, ReplayError::Format { cause, .. } if *cause == bad), "{error}");
    assert!(error.to_string().contains("trajectory.npz"), "{error}");
}

#[test]
fn files_that_are_no_archive_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trajectory.npz");
    assert!(matches!(read_npz(&path), Err(ReplayError::Io { .. })));
    write(&path, &owned(&arrays()), CompressionMethod::Deflated);
    let whole = std::fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..len]).unwrap();
        let error = read_npz(&path).unwrap_err();
        assert!(matches!(error, ReplayError::Npz { .. }), "{len} bytes: {error}");
    }
    // A byte changed within an array is found by the archive's checksum.
    let at = whole.windows(5).position(|w| w == b"image").unwrap() + 40;
    let mut changed = whole.clone();
    changed[at] ^= 0x20;
    std::fs::write(&path, &changed).unwrap();
    let Err(ReplayError::Npz { cause, .. }) = read_npz(&path) else { panic!("the change was not found") };
    assert!(matches!(*cause, NpzError::Array { .. }), "{cause}");
}

#[test]
fn a_trajectory_without_steps_is_refused() {
    let mut none = arrays();
    for (i, shape, len) in [(0, "(1, 3)", 12), (1, "(1, 1)", 8), (5, "(1, 2, 1)", 2), (6, "(1, 1)", 4)] {
        none[i].1.1 = shape;
        none[i].1.2.truncate(len);
    }
    for (i, shape) in [(2, "(0, 1)"), (3, "(0, 1)"), (4, "(0, 2)")] {
        none[i].1 = (none[i].1.0, shape, Vec::new());
    }
    let error = read(&none, CompressionMethod::Stored).unwrap_err();
    assert!(
        matches!(&error, ReplayError::Npz { cause, .. } if matches!(**cause, NpzError::Empty)),
        "{error}"
    );
}
