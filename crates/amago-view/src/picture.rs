//! What an encoded picture says of itself.

/// Width and height of a GIF (GIF89a, section 18) or PNG file (third edition, section 11.2.2).
pub fn picture_size(bytes: &[u8]) -> Option<[u32; 2]> {
    let at = |i: usize| bytes.get(i).copied().map(u32::from);
    if bytes.starts_with(b"GIF8") {
        let number = |i| Some(at(i)? | at(i + 1)? << 8);
        return Some([number(6)?, number(8)?]);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let number = |i| Some(at(i)? << 24 | at(i + 1)? << 16 | at(i + 2)? << 8 | at(i + 3)?);
        return Some([number(16)?, number(20)?]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_where_the_formats_have_them() {
        assert_eq!(picture_size(b"GIF89a\x2c\x01\x02\x00"), Some([300, 2]));
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\x2c\0\0\0\x07";
        assert_eq!(picture_size(png), Some([300, 7]));
        assert_eq!((picture_size(b"GIF89a"), picture_size(b"text")), (None, None));
    }
}
