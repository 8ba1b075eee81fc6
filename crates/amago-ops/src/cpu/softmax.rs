//! Softmax of rows.

use std::f32::consts::LOG2_E;

/// `1.5 · 2²³`: adding it rounds to the nearest integer and leaves that integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` in two parts; the first has few bits, so that its small multiples are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `eˣ` to about one unit in the last place for `x` in `[-87, 88]`, clamped outside. Free of branches, so that the
/// compiler vectorises loops over it. Range reduction and polynomial as in Cephes' `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let fraction = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    fraction * f32::from_bits(exponent)
}

/// In place: `exp(x − max)`. Returns the maximum and the sum of the results.
#[inline(always)]
pub(super) fn exp_shifted(row: &mut [f32]) -> (f32, f32) {
    let mut tops = [f32::NEG_INFINITY; 8];
    let (chunks, rest) = row.as_chunks::<8>();
    for chunk in chunks {
        for (top, x) in tops.iter_mut().zip(chunk) {
            // `f32::max` would look after NaN as well, at the cost of instructions; NaN shows in the sum in
            // any case.
            *top = if *x > *top { *x } else { *top };
        }
    }
    let top = tops.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    for x in row.iter_mut() {
        *x = exp(*x - top);
    }
    (top, dot(row, None))
}

/// Sum of the products with `other`, or the plain sum; eight lanes, fixed order.
#[inline(always)]
pub(super) fn dot(row: &[f32], other: Option<&[f32]>) -> f32 {
    let (chunks, rest) = row.as_chunks::<8>();
    // A single sum would wait for each addition before the next, and the compiler may not reorder it.
    let mut lanes = [0.0; 8];
    let Some(other) = other else {
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane += x;
            }
        }
        return lanes.iter().sum::<f32>() + rest.iter().sum::<f32>();
    };
    let (others, other_rest) = other.as_chunks::<8>();
    for (chunk, other) in chunks.iter().zip(others) {
        for ((lane, x), y) in lanes.iter_mut().zip(chunk).zip(other) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().zip(other_rest).map(|(x, y)| x * y).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_two_units_in_the_last_place() {
        for i in -8_700..8_800 {
            let x = i as f32 * 0.01;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 2.4e-7, "exp({x}) = {ours}, exact {exact}");
        }
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn shifted_exponentials_sum_to_the_softmax_normaliser() {
        let mut row: Vec<f32> = (0..19).map(|i| (i as f32 * 0.7).sin() * 5.0 + 100.0).collect();
        let exact: f64 = row.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        let (top, total) = exp_shifted(&mut row);
        assert!((f64::from(top) + f64::from(total).ln() - exact).abs() < 1e-5);
    }
}
