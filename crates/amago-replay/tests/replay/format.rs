use amago_replay::{FormatError, VERSION, decode, encode};

use crate::common::{builder, observation, push, trajectory};

const PREFIX: usize = 36;
/// Bytes of the header of `common::spaces`: four numbers and two keys.
const HEADER: usize = 4 * 8 + (8 + 5 + 1 + 8 + 16) + (8 + 5 + 1 + 8 + 8);

/// Makes the checksums right again, as an attacker would.
pub fn reseal(bytes: &mut [u8]) {
    let header = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    let body = crc32fast::hash(bytes.get(PREFIX + header..).unwrap_or(&[]));
    bytes[12..16].copy_from_slice(&body.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[8..32]);
    hasher.update(bytes.get(PREFIX..PREFIX + header).unwrap_or(&[]));
    bytes[32..36].copy_from_slice(&hasher.finalize().to_le_bytes());
}

/// The error after writing `patch` at `at` and making the checksums right.
fn patched(at: usize, patch: &[u8]) -> FormatError {
    let mut bytes = encode(&trajectory(9, 3));
    bytes[at..at + patch.len()].copy_from_slice(patch);
    reseal(&mut bytes);
    decode(&bytes).unwrap_err()
}

#[test]
fn round_trip() {
    for len in [1, 2, 17] {
        let t = trajectory(4, len);
        assert_eq!(decode(&encode(&t)).unwrap(), t);
    }
    let mut b = builder();
    b.start(&observation(2, 0)).unwrap();
    (0..3).for_each(|t| push(&mut b, 2, t, false));
    b.cut();
    push(&mut b, 2, 3, false);
    let cut = b.finish();
    assert_eq!(decode(&encode(&cut)).unwrap(), cut);
    assert_eq!(cut.columns().first_prev, [3.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_bytes_of_version_1_do_not_change() {
    let bytes = encode(&trajectory(1, 1));
    assert_eq!(bytes.len(), PREFIX + HEADER + 16 + 2 * (2 + 8) + 12 + 4 + 1);
    assert_eq!(&bytes[..8], b"AMAGOTRJ");
    assert_eq!(bytes[8..12], 1_u32.to_le_bytes());
    // Header and body, written by hand with Python's struct and zlib.crc32. A change of these bytes
    // needs a new version number.
    assert_eq!(crc32fast::hash(&bytes[PREFIX..]), 671_868_348);
}

#[test]
fn truncation_at_every_length() {
    let bytes = encode(&trajectory(9, 3));
    for len in 0..bytes.len() {
        let error = decode(&bytes[..len]).unwrap_err();
        assert!(matches!(error, FormatError::TooShort { got, .. } if got == len as u64), "{len}: {error}");
    }
}

#[test]
fn every_single_bit_flip_is_found() {
    let good = encode(&trajectory(9, 3));
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = decode(&bytes).unwrap_err();
        // A flipped version number is damage, not another version.
        assert!(!matches!(error, FormatError::UnsupportedVersion { .. }), "bit {bit}: {error}");
        if bit / 8 >= PREFIX + HEADER {
            assert!(matches!(error, FormatError::Checksum { part: "body", .. }), "bit {bit}: {error}");
        }
    }
}

#[test]
fn appended_bytes() {
    let mut bytes = encode(&trajectory(9, 3));
    let expected = bytes.len() as u64;
    bytes.push(0);
    assert_eq!(decode(&bytes).unwrap_err(), FormatError::TrailingBytes { expected, got: expected + 1 });
}

#[test]
fn other_files_and_versions() {
    assert_eq!(patched(0, b"PK"), FormatError::BadMagic);
    let error = patched(8, &2_u32.to_le_bytes());
    assert_eq!(error, FormatError::UnsupportedVersion { found: 2, supported: VERSION });
    assert_eq!(error.to_string(), "the file has format version 2, this program reads version 1");
}

#[test]
fn broken_fields_with_right_checksums() {
    let first_key = PREFIX + 32;
    assert_eq!(patched(first_key + 8, &[0xff]), FormatError::BadKey(0));
    assert_eq!(patched(first_key + 8, b"z"), FormatError::KeyOrder(1));
    assert_eq!(patched(first_key + 13, &[7]), FormatError::BadDtype { column: 0, code: 7 });
    let body_end = encode(&trajectory(9, 3)).len();
    assert_eq!(patched(body_end - 2, &[2]), FormatError::BadTerminal { index: 1, value: 2 });
    assert_eq!(patched(PREFIX + 8, &(-1_i64).to_le_bytes()), FormatError::BadStartTime(-1));
    assert_eq!(patched(PREFIX + 8, &i64::MAX.to_le_bytes()), FormatError::BadStartTime(i64::MAX));
    // Time is counted in i32 on devices: the last index of three steps may be 2^31 - 1.
    let last = i64::from(i32::MAX) - 3;
    let late = |time: i64| patched(PREFIX + 8, &time.to_le_bytes());
    assert_eq!(late(last + 1), FormatError::BadStartTime(last + 1));
    assert_eq!(late(1 << 31), FormatError::BadStartTime(1 << 31));
    assert_eq!(patched(PREFIX, &0_u64.to_le_bytes()), FormatError::Empty);
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_name() {
    let whole = encode(&trajectory(9, 3));
    let state = PREFIX + HEADER + 16 + 4 * 2;
    let actions = state + 4 * 2 * 4;
    let rewards = actions + 3 * 3 * 4;
    for (at, column, index) in [
        (PREFIX + HEADER + 4, "first rl2s row", 1),
        (state + 12, "observation \"state\"", 3),
        (actions, "actions", 0),
        (rewards + 8, "rewards", 2),
    ] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = patched(at, &value.to_le_bytes());
            assert_eq!(error, FormatError::NotFinite { column: column.to_owned(), index }, "{value}");
        }
    }
    assert_eq!(whole.len(), rewards + 3 * 4 + 3);
}

/// Lengths that would allocate terabytes or overflow, in every length field.
#[test]
fn hostile_lengths() {
    let first_key = PREFIX + 32;
    let (transitions, actions, keys, dims) = (PREFIX, PREFIX + 16, PREFIX + 24, first_key + 14);
    let shape = dims + 8;
    for huge in [6, 1 << 20, 1 << 40, 1 << 62, u64::MAX - 1, u64::MAX] {
        for at in [transitions, actions, keys, first_key, dims, shape, shape + 8] {
            let error = patched(at, &huge.to_le_bytes());
            let typed = matches!(
                error,
                FormatError::Lengths(_) | FormatError::BadKey(_) | FormatError::BadDtype { .. }
            );
            assert!(typed, "{huge} at {at}: {error}");
        }
        for at in [16, 24] {
            let mut bytes = encode(&trajectory(9, 3));
            bytes[at..at + 8].copy_from_slice(&huge.to_le_bytes());
            let error = decode(&bytes).unwrap_err();
            let short = matches!(error, FormatError::TooShort { .. });
            assert!(short || (huge == 6 && matches!(error, FormatError::TrailingBytes { .. })), "{error}");
        }
    }
}

#[test]
fn an_empty_trajectory_is_refused() {
    let mut b = builder();
    b.start(&observation(0, 0)).unwrap();
    assert_eq!(decode(&encode(&b.finish())).unwrap_err(), FormatError::Empty);
}
