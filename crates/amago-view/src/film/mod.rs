//! Films: drawings of states with a caption, as GIF files.

mod font;

use std::borrow::Cow;
use std::collections::HashMap;

use amago_env::render::Frame;

use crate::ViewError;

/// One picture of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    /// The drawing.
    pub frame: Frame,
    /// Lines of text above it: letters of the Latin alphabet, digits and some signs.
    pub caption: Vec<String>,
    /// For how long it is shown, in hundredths of a second.
    pub delay: u16,
}

/// Drawings are enlarged by a whole factor until their longer side has this many pixels.
const SIDE: usize = 240;
/// Size of a pixel of a letter.
const LETTER: usize = 2;
const MARGIN: usize = 6;
const PAPER: [u8; 3] = [24, 26, 32];
const INK: [u8; 3] = [235, 235, 225];

/// Encodes a film that repeats for ever.
///
/// # Errors
/// When there are no pictures, one is empty or broken, or they are too large for a GIF (65,535 pixels a
/// side).
pub fn gif(shots: &[Shot]) -> Result<Vec<u8>, ViewError> {
    encode(&compose(shots)?, &shots.iter().map(|shot| shot.delay).collect::<Vec<_>>())
}

/// Pictures of one size as they are, each with its delay.
pub(crate) fn encode(pictures: &[Frame], delays: &[u16]) -> Result<Vec<u8>, ViewError> {
    let failed = |e: gif::EncodingError| ViewError::Film(e.to_string());
    let first = pictures.first().ok_or_else(|| ViewError::Film("it has no pictures".to_owned()))?;
    let side = |x: usize| u16::try_from(x).map_err(|_| ViewError::Film(format!("{x} pixels are too many")));
    let (width, height) = (side(first.width)?, side(first.height)?);
    let colors = colors(pictures);
    let palette: Vec<u8> = colors.as_ref().map(in_order).unwrap_or_default();
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, width, height, &palette).map_err(failed)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(failed)?;
    for (picture, delay) in pictures.iter().zip(delays) {
        let mut frame = match &colors {
            Some(colors) => {
                let number = |p: &[u8]| colors[&[p[0], p[1], p[2]]];
                let pixels: Vec<u8> = picture.rgb.chunks_exact(3).map(number).collect();
                gif::Frame { width, height, buffer: Cow::Owned(pixels), ..gif::Frame::default() }
            }
            None => gif::Frame::from_rgb_speed(width, height, &picture.rgb, 10),
        };
        frame.delay = *delay;
        encoder.write_frame(&frame).map_err(failed)?;
    }
    drop(encoder);
    Ok(out)
}

/// All colours with their numbers; `None` when they are more than a palette holds.
fn colors(pictures: &[Frame]) -> Option<HashMap<[u8; 3], u8>> {
    let mut found = HashMap::new();
    for pixel in pictures.iter().flat_map(|p| p.rgb.chunks_exact(3)) {
        let next = u8::try_from(found.len());
        if let std::collections::hash_map::Entry::Vacant(entry) = found.entry([pixel[0], pixel[1], pixel[2]])
        {
            entry.insert(next.ok()?);
        }
    }
    Some(found)
}

fn in_order(colors: &HashMap<[u8; 3], u8>) -> Vec<u8> {
    let mut palette = vec![0; 3 * colors.len()];
    for (color, number) in colors {
        let at = 3 * usize::from(*number);
        palette[at..at + 3].copy_from_slice(color);
    }
    palette
}

/// Enlarged drawings below their captions, all of one size.
fn compose(shots: &[Shot]) -> Result<Vec<Frame>, ViewError> {
    let broken =
        |s: &&Shot| s.frame.rgb.is_empty() || s.frame.rgb.len() != 3 * s.frame.width * s.frame.height;
    if let Some(shot) = shots.iter().find(broken) {
        let Frame { width, height, rgb } = &shot.frame;
        return Err(ViewError::Film(format!("a drawing of {width} x {height} has {} bytes", rgb.len())));
    }
    let longest = |f: &dyn Fn(&Shot) -> usize| shots.iter().map(f).max().unwrap_or(1);
    let side = longest(&|s| s.frame.width.max(s.frame.height));
    let zoom = SIDE.div_ceil(side).max(1);
    let letters = longest(&|s| s.caption.iter().map(|line| line.chars().count()).max().unwrap_or(0));
    let lines = longest(&|s| s.caption.len());
    let line = LETTER * (font::HEIGHT + 2);
    let caption = if lines > 0 { 2 * MARGIN + lines * line } else { 0 };
    let width = (zoom * longest(&|s| s.frame.width)).max(letters * font::ADVANCE * LETTER) + 2 * MARGIN;
    let height = caption + zoom * longest(&|s| s.frame.height) + MARGIN;
    Ok(shots
        .iter()
        .map(|shot| {
            let mut page = Frame { width, height, rgb: PAPER.repeat(width * height) };
            for (i, text) in shot.caption.iter().enumerate() {
                write(&mut page, text, MARGIN + i * line);
            }
            let left = (width - zoom * shot.frame.width) / 2;
            enlarge(&mut page, &shot.frame, [left, caption], zoom);
            page
        })
        .collect())
}

fn enlarge(page: &mut Frame, frame: &Frame, [left, top]: [usize; 2], zoom: usize) {
    for y in 0..zoom * frame.height {
        for x in 0..zoom * frame.width {
            let from = 3 * (y / zoom * frame.width + x / zoom);
            set(page, [left + x, top + y], [frame.rgb[from], frame.rgb[from + 1], frame.rgb[from + 2]]);
        }
    }
}

fn write(page: &mut Frame, text: &str, top: usize) {
    for (i, letter) in text.chars().enumerate() {
        let left = MARGIN + i * font::ADVANCE * LETTER;
        for (x, y) in (0..font::WIDTH * LETTER).flat_map(|x| (0..font::HEIGHT * LETTER).map(move |y| (x, y)))
        {
            if font::is_set(letter, x / LETTER, y / LETTER) {
                set(page, [left + x, top + y], INK);
            }
        }
    }
}

fn set(page: &mut Frame, [x, y]: [usize; 2], color: [u8; 3]) {
    let at = 3 * (y * page.width + x);
    page.rgb[at..at + 3].copy_from_slice(&color);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(color: [u8; 3], text: &str) -> Shot {
        let frame = Frame { width: 3, height: 2, rgb: color.repeat(6) };
        Shot { frame, caption: vec![text.to_owned()], delay: 7 }
    }

    fn decode(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes).expect("a GIF");
        let mut found = Vec::new();
        while let Some(frame) = decoder.read_next_frame().expect("frames") {
            found.push((frame.delay, frame.buffer.to_vec()));
        }
        found
    }

    #[test]
    fn a_film_shows_drawings_and_captions() {
        let shots = [shot([200, 0, 0], "step 1"), shot([0, 200, 0], "step 2")];
        let bytes = gif(&shots).expect("a film");
        let frames = decode(&bytes);
        assert_eq!(frames.iter().map(|f| f.0).collect::<Vec<_>>(), [7, 7]);
        let pages = compose(&shots).expect("pages");
        assert_eq!(crate::picture_size(&bytes), Some([pages[0].width as u32, pages[0].height as u32]));
        for ((_, pixels), page) in frames.iter().zip(&pages) {
            let rgb: Vec<u8> = pixels.chunks(4).flat_map(|p| p[..3].to_vec()).collect();
            assert!(rgb == page.rgb, "the palette is exact");
        }
        let count = |page: &Frame, color: [u8; 3]| page.rgb.chunks(3).filter(|p| **p == color).count();
        assert_eq!(count(&pages[0], [200, 0, 0]), 240 * 160);
        assert!(count(&pages[0], INK) > 100);
        assert_ne!(pages[0].rgb[..3 * 264 * 20], pages[1].rgb[..3 * 264 * 20], "captions differ");
    }

    #[test]
    fn many_colours_are_approximated() {
        let rgb = (0..32 * 32).flat_map(|i: u32| [(i % 32 * 8) as u8, (i / 32 * 8) as u8, 0]).collect();
        let frame = Frame { width: 32, height: 32, rgb };
        let bytes = gif(&[Shot { frame, caption: vec![], delay: 1 }]).expect("a film");
        let page = &decode(&bytes)[0].1;
        // A pixel in the middle of the drawing, where the colour is (128, 128, 0).
        let at = 4 * ((16 * 8 + 4) * (32 * 8 + 2 * MARGIN) + MARGIN + 16 * 8 + 4);
        assert!(page[at].abs_diff(128) < 24 && page[at + 1].abs_diff(128) < 24, "{:?}", &page[at..at + 3]);
    }

    #[test]
    fn what_cannot_be_filmed() {
        assert!(gif(&[]).expect_err("nothing").to_string().contains("no pictures"));
        let mut broken = shot([0; 3], "");
        broken.frame.rgb.pop();
        assert!(gif(&[broken]).expect_err("broken").to_string().contains("3 x 2 has 17 bytes"));
    }
}
