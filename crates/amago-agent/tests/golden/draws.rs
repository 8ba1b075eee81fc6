//! Recorded draws in place of random ones.

use amago_agent::Draws;
use amago_golden::Case;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::recorded;

/// The draws of one recorded update, in the order in which they were made.
pub struct Recorded<'a> {
    case: &'a Case,
    step: usize,
    action_calls: usize,
}

impl<'a> Recorded<'a> {
    /// Draws of update `step`, counted from one.
    pub fn new(case: &'a Case, step: usize) -> Self {
        Self { case, step, action_calls: 0 }
    }
}

impl Draws for Recorded<'_> {
    fn critic_subset(&mut self, n_critics: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        let array = self.case.get(&format!("step{}.rand.critic_subset", self.step));
        let [s, b, l, g] = shape;
        assert_eq!(array.shape, [b, l, s, g, 1]);
        let indices = array.i64();
        assert!(indices.iter().all(|i| (0..n_critics as i64).contains(i)));
        Tensor::<4, Int>::from_data(TensorData::new(indices, [b, l, s, g]), device).permute([2, 0, 1, 3])
    }

    fn actions(&mut self, probs: Tensor<4>, k: usize) -> Tensor<5> {
        let call = self.action_calls;
        self.action_calls += 1;
        let suffix = if call == 0 { String::new() } else { format!(".call{call}") };
        let name = format!("step{}.rand.sampled_actions{suffix}", self.step);
        let all = recorded::<5>(self.case, &name);
        let [b, l, g, a] = probs.dims();
        assert_eq!(all.dims(), [k, b, l + 1, g, a]);
        // Recorded for every state. The first call is for the TD target, which needs the next
        // states; later ones are for the states that have an action.
        all.narrow(2, usize::from(call == 0), l)
    }

    fn image_shifts(&mut self, _: [usize; 3], _: usize, _: &Device) -> Tensor<3, Int> {
        panic!("no recorded update has images")
    }
}
