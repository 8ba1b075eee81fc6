//! Recorded draws in place of random ones.

use amago_agent::{AgentConfig, CriticKind, Draws, Noise, NoiseSource, Policy, Purpose};
use amago_golden::Case;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::recorded;

/// The draws of one recorded update. Samples of actions and the noise of differentiable ones are
/// numbered by the order in which the original made them: AMAGO-2 for the TD target, then for the
/// advantage, then for the online loss; AMAGO for the states, then for the TD target.
pub struct Recorded<'a> {
    case: &'a Case,
    step: usize,
    two: bool,
    k_actor: usize,
    /// Take the draws of all states, not only of those that the loss looks at.
    all_states: bool,
    purpose: Purpose,
}

impl<'a> Recorded<'a> {
    /// Draws of update `step`, counted from one.
    pub fn new(case: &'a Case, step: usize, config: &AgentConfig) -> Self {
        let two = config.critic.kind == CriticKind::Classification;
        let (k_actor, purpose) = (config.k_actor, Purpose::Entropy);
        Self { case, step, two, k_actor, all_states: false, purpose }
    }

    /// The draws for every state, as recorded.
    pub fn of_all_states(self) -> Self {
        Self { all_states: true, ..self }
    }

    fn name(&self, what: &str, call: usize) -> String {
        let suffix = if call == 0 { String::new() } else { format!(".call{call}") };
        format!("step{}.rand.{what}{suffix}", self.step)
    }

    /// Recorded for every state: the TD target needs the next ones, all else those with an action.
    fn states<const D: usize>(&self, all: Tensor<D>, dim: usize, len: usize) -> Tensor<D> {
        if self.all_states {
            return all;
        }
        assert_eq!(all.dims()[dim], len + 1);
        all.narrow(dim, usize::from(self.purpose == Purpose::Target), len)
    }
}

impl NoiseSource for Recorded<'_> {
    fn noise(&mut self, kind: Noise, shape: [usize; 5], device: &Device) -> Tensor<5> {
        let name = match kind {
            _ if self.purpose == Purpose::Entropy => return Tensor::full(shape, 0.5, device),
            Noise::Normal => "normal_eps",
            Noise::Gumbel => "gumbel",
            Noise::Uniform => panic!("{}: uniform draws are not recorded", self.case.name),
        };
        let target = self.purpose == Purpose::Target;
        let first = if !self.two && target { self.k_actor } else { 0 };
        let calls = first..first + shape[0];
        let all = calls.map(|call| recorded::<4>(self.case, &self.name(name, call)));
        let noise = self.states(Tensor::stack(all.collect(), 0), 2, shape[2]);
        assert_eq!(noise.dims(), shape);
        noise
    }
}

impl Draws for Recorded<'_> {
    fn critic_subset(&mut self, n_critics: usize, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
        let array = self.case.get(&self.name("critic_subset", 0));
        let [s, b, l, g] = shape;
        assert_eq!(array.shape, [b, l, s, g, 1]);
        let indices = array.i64();
        assert!(indices.iter().all(|i| (0..n_critics as i64).contains(i)));
        Tensor::<4, Int>::from_data(TensorData::new(indices, [b, l, s, g]), device).permute([2, 0, 1, 3])
    }

    fn actions(&mut self, policy: &Policy, k: usize, purpose: Purpose) -> Tensor<5> {
        self.purpose = purpose;
        let [b, l, g, a] = policy.dims();
        let call = usize::from((purpose == Purpose::Target) != self.two);
        let name = self.name("sampled_actions", call);
        match purpose {
            Purpose::Online => policy.rsample(k, self),
            Purpose::Target | Purpose::Value if self.case.has(&name) => {
                let actions = self.states(recorded::<5>(self.case, &name), 2, l);
                assert_eq!(actions.dims(), [k, b, l, g, a]);
                actions
            }
            _ => policy.sample(k, self),
        }
    }

    fn image_shifts(&mut self, _: [usize; 3], _: usize, _: &Device) -> Tensor<3, Int> {
        panic!("{}: the shifts of images are not recorded", self.case.name)
    }
}
