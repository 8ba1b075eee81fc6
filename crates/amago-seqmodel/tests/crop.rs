//! The augmentation of images, with chosen draws.

mod support;

use std::collections::BTreeMap;

use amago_golden::modules::device;
use amago_seqmodel::*;
use burn::tensor::{Int, Tensor, TensorData};
use support::{bytes, ints, layout, small};

const PAD: usize = 4;

fn shifts(values: &[i64], shape: [usize; 3]) -> Tensor<3, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &device())
}

/// Pads with the border and cuts, pixel by pixel.
fn padded_and_cut(images: &Tensor<5, Int>, shifts: &Tensor<3, Int>) -> Vec<i64> {
    let [b, l, h, w, c] = images.dims();
    let (old, shifts) = (ints(images), ints(shifts));
    let mut new = Vec::with_capacity(old.len());
    for frame in 0..b * l {
        let (dx, dy) = (shifts[2 * frame] as usize, shifts[2 * frame + 1] as usize);
        // The padded image, row by row of pixels.
        let border = |i: usize, size: usize| i.saturating_sub(PAD).min(size - 1);
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            assert!(y + dy < h + 2 * PAD && x + dx < w + 2 * PAD, "outside the padded image");
            let start = ((frame * h + border(y + dy, h)) * w + border(x + dx, w)) * c;
            new.extend_from_slice(&old[start..start + c]);
        }
    }
    new
}

#[test]
fn shifts_cut_the_padded_image() {
    for shape in [[1, 1, 1, 1, 1], [2, 3, 5, 5, 3], [1, 4, 3, 12, 2]] {
        let images = bytes(shape);
        let [b, l, ..] = shape;
        // The corners, then every place in turn.
        for start in [0, 4, 8, 13, 40, 80] {
            let starts: Vec<i64> = (0..b * l)
                .flat_map(|i| [(start + 7 * i as i64) % 9, (start / 9 + 5 * i as i64) % 9])
                .collect();
            let starts = shifts(&starts, [b, l, 2]);
            let expected = padded_and_cut(&images, &starts);
            let shifted = shift_images(images.clone(), starts.clone(), false);
            assert_eq!(shifted.dims(), shape);
            assert_eq!(shifted.dtype(), images.dtype(), "bytes stay bytes");
            assert_eq!(ints(&shifted), expected, "{shape:?} from {start}");
            let first = images.clone().permute([0, 1, 4, 2, 3]);
            let shifted = shift_images(first, starts, true).permute([0, 1, 3, 4, 2]);
            assert_eq!(ints(&shifted), expected, "channels first, {shape:?} from {start}");
        }
    }
}

#[test]
fn a_shift_by_the_padding_changes_nothing() {
    let images = bytes([2, 3, 6, 7, 3]);
    let same = shift_images(images.clone(), Tensor::full([2, 3, 2], PAD as i64, &device()), false);
    assert_eq!(ints(&same), ints(&images));
}

/// Columns and rows are not mixed up: a bright pixel moves against the shift.
#[test]
fn the_first_number_shifts_columns_and_the_second_rows() {
    let dark = Tensor::<5, Int>::zeros([1, 1, 9, 9, 1], &device());
    let image = dark.slice_fill([0..1, 0..1, 4..5, 4..5, 0..1], 200);
    let shifted = shift_images(image, shifts(&[6, 3], [1, 1, 2]), false);
    let bright: Vec<usize> = (0..81).filter(|i| ints(&shifted)[*i] == 200).collect();
    assert_eq!(bright, [5 * 9 + 2], "two to the left and one down");
}

#[test]
fn augmentation_leaves_the_first_sequences_alone() {
    let observation = layout(&[("camera", ObsKind::Image([6, 6, 3])), ("map", ObsKind::Image([4, 5, 1]))]);
    for (batch, share, kept) in [(8, 0.75, 2), (7, 0.75, 2), (1, 0.75, 0), (3, 0.1, 2), (4, 1.0, 0)] {
        let config = CnnTstepConfig { drqv2_aug: true, aug_pct_of_batch: share, ..small() };
        let encoder = TstepEncoderConfig::Cnn(config).init(&observation, 3, &device());
        let images = BTreeMap::from([
            ("camera".to_owned(), bytes([batch, 2, 6, 6, 3])),
            ("map".to_owned(), bytes([batch, 2, 4, 5, 1])),
        ]);
        let obs = ObsTensors { vectors: None, images };
        let mut asked = Vec::new();
        let augmented = encoder.augment(obs.clone(), |shape, n| {
            asked.push((shape, n));
            Tensor::full(shape, asked.len() as i64, &device())
        });
        let shape = [batch - kept, 2, 2];
        assert_eq!(asked, [(shape, 9), (shape, 9)], "one call for each image key");
        for (call, (key, old)) in (1..).zip(&obs.images) {
            let new = &augmented.images[key];
            assert_eq!((new.dims(), new.dtype()), (old.dims(), old.dtype()));
            if kept > 0 {
                let first = |x: &Tensor<5, Int>| ints(&x.clone().narrow(0, 0, kept));
                assert_eq!(first(new), first(old), "{key}, batch {batch}");
            }
            let rest = |x: &Tensor<5, Int>| x.clone().narrow(0, kept, batch - kept);
            let starts = Tensor::full(shape, call, &device());
            assert_eq!(ints(&rest(new)), padded_and_cut(&rest(old), &starts), "{key}, batch {batch}");
        }
    }
}

#[test]
fn only_an_encoder_that_is_set_to_augments() {
    let observation = layout(&[("camera", ObsKind::Image([6, 6, 3]))]);
    let images = BTreeMap::from([("camera".to_owned(), bytes([4, 2, 6, 6, 3]))]);
    let obs = ObsTensors { vectors: None, images };
    let encoder = TstepEncoderConfig::Cnn(small()).init(&observation, 3, &device());
    let same = encoder.augment(obs.clone(), |_, _| panic!("nothing is drawn"));
    assert_eq!(ints(&same.images["camera"]), ints(&obs.images["camera"]));
}
