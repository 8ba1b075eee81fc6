//! Linear recurrences in parallel.

use burn::tensor::Tensor;

/// All states of `h_t = a_t ⊙ h_{t−1} + b_t` with `h_{−1} = 0`.
///
/// Two neighbouring steps are one step of the same kind, `h_{t+1} = a_{t+1} a_t ⊙ h_{t−1} + (a_{t+1} ⊙ b_t +
/// b_{t+1})`. So a sequence of half the length gives every second state, and each of the others is one
/// step from the state before it (Blelloch 1990): `O(L)` work in `O(log L)` operations.
///
/// # Shapes
/// - a, b, output: `[B, L, M]`
///
/// # Examples
/// ```
/// use amago_seqmodel::scan;
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let states = scan(Tensor::full([1, 3, 1], 0.5, &device), Tensor::ones([1, 3, 1], &device));
/// states.into_data().assert_eq(&[[[1.0f32], [1.5], [1.75]]].into(), false);
/// ```
pub fn scan(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    let [batch, len, width] = b.dims();
    if len == 1 {
        return b;
    }
    let pairs = len / 2;
    let every_second = |x: &Tensor<3>, first: usize| {
        let x = x.clone().narrow(1, 0, 2 * pairs).reshape([batch, pairs, 2, width]);
        x.narrow(2, first, 1).squeeze_dim::<3>(2)
    };
    let ([a0, a1], [b0, b1]) = ([0, 1].map(|i| every_second(&a, i)), [0, 1].map(|i| every_second(&b, i)));
    let odd = scan(a0.clone() * a1.clone(), a1 * b0.clone() + b1);

    // The state at 2i comes from that at 2i − 1.
    let step = |a: Tensor<3>, b: Tensor<3>, before: Tensor<3>| b + a * before;
    let mut even = vec![b0.clone().narrow(1, 0, 1)];
    if pairs > 1 {
        let (a, b) = (a0.narrow(1, 1, pairs - 1), b0.narrow(1, 1, pairs - 1));
        even.push(step(a, b, odd.clone().narrow(1, 0, pairs - 1)));
    }
    let both = vec![Tensor::cat(even, 1), odd.clone()];
    let states = Tensor::stack::<4>(both, 2).reshape([batch, 2 * pairs, width]);
    if len == 2 * pairs {
        return states;
    }
    let (a, b) = (a.narrow(1, len - 1, 1), b.narrow(1, len - 1, 1));
    Tensor::cat(vec![states, step(a, b, odd.narrow(1, pairs - 1, 1))], 1)
}
