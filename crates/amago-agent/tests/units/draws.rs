use amago_agent::{Draws, RandomDraws};
use amago_golden::modules::device;

use super::assert_close;

/// Enough draws that a deviation of 0.025 is seven standard deviations of a fair coin.
const DRAWS: usize = 20_000;
const TOLERANCE: f32 = 0.025;

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
