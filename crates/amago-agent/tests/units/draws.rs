use amago_agent::{Draws, RandomDraws};
use amago_golden::modules::{device, values};
use burn::tensor::Tensor;

use super::{assert_close, row};

/// Enough draws that a deviation of 0.025 is seven standard deviations of a fair coin.
const DRAWS: usize = 20_000;
const TOLERANCE: f32 = 0.025;

#[test]
fn actions_follow_the_probabilities() {
    let probs = [0.1, 0.6, 0.3, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.5];
    let tensor: Tensor<4> = row(&probs).reshape([1, 2, 2, 3]);
    let actions = RandomDraws.actions(tensor, DRAWS);
    assert_eq!(actions.dims(), [DRAWS, 1, 2, 2, 3]);
    for one in values(&actions).chunks_exact(3) {
        assert_eq!(one.iter().filter(|x| **x == 1.0).count(), 1, "{one:?} is not one-hot");
        assert_eq!(one.iter().sum::<f32>(), 1.0, "{one:?} is not one-hot");
    }
    let frequencies = values(&actions.mean_dim(0));
    assert_close(&frequencies, &probs, TOLERANCE);
    let impossible = probs.iter().zip(&frequencies).filter(|(p, _)| **p == 0.0);
    assert!(impossible.into_iter().all(|(_, f)| *f == 0.0), "drew an action of probability zero");
}

#[test]
fn every_sample_is_drawn_anew() {
    let probs: Tensor<4> = Tensor::full([4, 8, 2, 5], 0.2, &device());
    let actions = values(&RandomDraws.actions(probs, 2));
    let (first, second) = actions.split_at(actions.len() / 2);
    assert_ne!(first, second);
}

#[test]
fn critic_subsets_are_uniform_with_replacement() {
    let (n, s) = (3, 2);
    let subset = RandomDraws.critic_subset(n, [s, DRAWS / 10, 5, 2], &device());
    assert_eq!(subset.dims(), [s, DRAWS / 10, 5, 2]);
    let indices: Vec<i64> = subset.into_data().iter::<i64>().collect();
    assert!(indices.iter().all(|i| (0..n as i64).contains(i)));
    let share = |i: i64| indices.iter().filter(|x| **x == i).count() as f32 / indices.len() as f32;
    let third = 1.0 / 3.0;
    assert_close(&[share(0), share(1), share(2)], &[third; 3], TOLERANCE);
    let (first, second) = indices.split_at(indices.len() / 2);
    let twice = first.iter().zip(second).filter(|(a, b)| a == b).count() as f32 / first.len() as f32;
    assert_close(&[twice], &[third], TOLERANCE);
}

#[test]
fn image_shifts_are_uniform() {
    let n = 9;
    let shifts = RandomDraws.image_shifts([DRAWS / 10, 5, 2], n, &device());
    assert_eq!(shifts.dims(), [DRAWS / 10, 5, 2]);
    let shifts: Vec<i64> = shifts.into_data().iter::<i64>().collect();
    let share = |i| shifts.iter().filter(|x| **x == i).count() as f32 / shifts.len() as f32;
    assert_close(&(0..n as i64).map(share).collect::<Vec<_>>(), &[1.0 / n as f32; 9], TOLERANCE);
}
