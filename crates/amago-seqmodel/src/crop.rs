//! The image augmentation of DrQ-v2 (Yarats et al. 2021, arXiv 2107.09645): pad and crop.

use burn::tensor::{Int, Tensor};

/// Pixels added on every side before cropping.
pub(crate) const PAD: usize = 4;

/// Places a crop may start at, per direction.
pub(crate) const PLACES: usize = 2 * PAD + 1;

/// Pads every image by four pixels, repeating its border, and cuts the old size out of it. `shifts` are the
/// column and the row, each from 0 to 8, at which the cut of that frame starts; four leaves it as it was. The
/// original samples with bilinear interpolation at the same whole positions.
///
/// # Shapes
/// - images, output: `[B, L, H, W, C]`, or `[B, L, C, H, W]` with `channels_first`
/// - shifts: `[B, L, 2]`
pub fn shift_images(images: Tensor<5, Int>, shifts: Tensor<3, Int>, channels_first: bool) -> Tensor<5, Int> {
    if channels_first {
        let last = images.permute([0, 1, 3, 4, 2]);
        return shift_images(last, shifts, false).permute([0, 1, 4, 2, 3]);
    }
    let [b, l, h, w, c] = images.dims();
    let n = b * l;
    let shifts = shifts.reshape([n, 2]);
    let rows = sources(shifts.clone().narrow(1, 1, 1), h);
    let columns = sources(shifts.narrow(1, 0, 1), w);
    // Whole rows of all frames are picked, then, with the two directions swapped, whole columns.
    let images = images.reshape([n * h, w * c]).select(0, rows);
    let images = images.reshape([n, h, w, c]).swap_dims(1, 2).reshape([n * w, h * c]).select(0, columns);
    images.reshape([n, w, h, c]).swap_dims(1, 2).reshape([b, l, h, w, c])
}

/// For starts `[N, 1]` of cuts in lines of `size` pixels: which line each comes from, over all frames.
/// Beyond the border that is the border itself.
fn sources(starts: Tensor<2, Int>, size: usize) -> Tensor<1, Int> {
    let (n, device) = (starts.dims()[0], starts.device());
    let place = Tensor::<1, Int>::arange(0..size as i64, &device).unsqueeze::<2>();
    let frame = Tensor::<1, Int>::arange(0..n as i64, &device).unsqueeze_dim::<2>(1) * size as i64;
    let inside = (place + starts - PAD as i64).clamp(0, size as i64 - 1);
    (inside + frame).reshape([n * size])
}
