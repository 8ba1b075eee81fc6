//! Arrays of every type, and broken ones.

use super::*;

/// Shape, type and numbers.
fn read(mut bytes: &[u8]) -> Result<(Vec<usize>, Dtype, Vec<f64>), NpyError> {
    let header = Header::read(&mut bytes)?;
    let values = header.numbers(&mut bytes, |x| x)?;
    Ok((header.shape.clone(), header.dtype(), values))
}

fn npy(version: u8, header: &str, numbers: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    if version == 1 {
        bytes.extend((header.len() as u16).to_le_bytes());
    } else {
        bytes.extend((header.len() as u32).to_le_bytes());
    }
    bytes.extend(header.bytes());
    bytes.extend(numbers);
    bytes
}

fn header(descr: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}   \n")
}

fn check(descr: &str, numbers: &[u8], expected: &[f64]) {
    let shape = format!("({},)", expected.len());
    for version in [1, 2, 3] {
        let file = npy(version, &header(descr, "False", &shape), numbers);
        let (shape, dtype, values) = read(&file).expect(descr);
        assert_eq!(values, expected, "{descr}");
        assert_eq!(shape, [expected.len()]);
        assert_eq!(dtype, if descr == "|u1" { Dtype::U8 } else { Dtype::F32 });
    }
}

#[test]
fn every_type_of_number_is_read() {
    check("<f4", &[0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0], &[1.5, -2.0]);
    check(">f4", &[0x3f, 0xc0, 0, 0], &[1.5]);
    check("<f8", &(-0.1_f64).to_le_bytes(), &[-0.1]);
    check(">i2", &[0xff, 0xfe, 0, 3], &[-2.0, 3.0]);
    check("<i8", &(-5_i64).to_le_bytes(), &[-5.0]);
    check("<i4", &7_i32.to_le_bytes(), &[7.0]);
    check("|i1", &[0x80, 0x7f], &[-128.0, 127.0]);
    check("|u1", &[0, 255], &[0.0, 255.0]);
    check("<u2", &[0xff, 0xff], &[65535.0]);
    check("|b1", &[1, 0], &[1.0, 0.0]);
}

#[test]
fn fortran_order_is_turned_round() {
    let numbers: Vec<u8> = (0..12).collect();
    let (.., values) = read(&npy(1, &header("|u1", "True", "(2, 3, 2)"), &numbers)).expect("readable");
    // Entry (i, j, k) is stored at i + 2 j + 6 k.
    assert_eq!(values, [0.0, 6.0, 2.0, 8.0, 4.0, 10.0, 1.0, 7.0, 3.0, 9.0, 5.0, 11.0]);
    let (shape, _, values) = read(&npy(1, &header("|u1", "False", "()"), &[9])).expect("readable");
    assert_eq!((values, shape), (vec![9.0], vec![]));
}

#[test]
fn broken_arrays_are_refused() {
    let good = npy(1, &header("<f4", "False", "(2,)"), &[0; 8]);
    assert!(read(&good).is_ok());
    for len in 0..good.len() {
        assert!(read(&good[..len]).is_err(), "{len} bytes");
    }
    let fail = |header: &str, numbers: usize| {
        read(&npy(1, header, &vec![0; numbers])).expect_err("broken").to_string()
    };
    assert!(fail(&header("<f4", "False", "(2,)"), 9).contains("more bytes of numbers, not 8"));
    assert!(fail(&header("<f8", "False", "(9223372036854775807, 3)"), 9).contains("more than fits"));
    for descr in ["|O", "<c8", "<U4", "<f2", "<M8[ns]", "f4", "<f", ""] {
        assert!(fail(&header(descr, "False", "(2,)"), 8).contains("not supported"), "{descr}");
    }
    assert!(fail("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8).contains("several"));
    for header in ["", "{}", "{'descr': '<f4', 'fortran_order': 1, 'shape': (2,)}"] {
        assert_eq!(fail(header, 8), NpyError::Header.to_string());
    }
    assert_eq!(fail(&header("<f4", "False", "(-2,)"), 8), NpyError::Header.to_string());
    let mut other = good.clone();
    other[6] = 4;
    assert!(matches!(read(&other), Err(NpyError::Header)));
    let mut long = good;
    long[6..12].copy_from_slice(&[2, 0, 0xff, 0xff, 0xff, 0x7f]);
    assert!(matches!(read(&long), Err(NpyError::Header)));
}
