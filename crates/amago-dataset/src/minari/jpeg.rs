//! Images as Minari packs them.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::EpisodeError;

/// Unpacks images of a shape, `[height, width]` or `[height, width, channels]`, one after the other.
pub(super) fn images(name: &str, shape: &[usize], files: &[Vec<u8>]) -> Result<Vec<u8>, EpisodeError> {
    let fault = |row, reason: String| EpisodeError::Image { name: name.to_owned(), row, reason };
    let (height, width) = (shape[0], shape[1]);
    let colors = match shape.get(2) {
        None | Some(1) => ColorSpace::Luma,
        Some(3) => ColorSpace::RGB,
        Some(n) => return Err(fault(0, format!("should have {n} channels, which JPEG has not"))),
    };
    let options = DecoderOptions::new_safe()
        .set_max_width(width)
        .set_max_height(height)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(colors);
    let size: usize = shape.iter().product();
    let mut all = Vec::new();
    for (row, file) in files.iter().enumerate() {
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&file[..]), options);
        // Its size is known before its pixels are allocated.
        decoder.decode_headers().map_err(|e| fault(row, format!("cannot be unpacked: {e}")))?;
        match decoder.dimensions() {
            Some(found) if found == (width, height) => {}
            found => return Err(fault(row, format!("is {found:?} pixels, not {width} by {height}"))),
        }
        let pixels = decoder.decode().map_err(|e| fault(row, format!("cannot be unpacked: {e}")))?;
        if pixels.len() != size {
            return Err(fault(row, format!("has {} bytes, not {size}", pixels.len())));
        }
        all.extend_from_slice(&pixels);
    }
    Ok(all)
}
