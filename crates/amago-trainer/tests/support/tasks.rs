//! Two small tasks: one with numbers as actions, one with choices of which some are illegal.

use amago_env::{
    Action, ActionError, BoxSpace, DictSpace, Dtype, Env, EnvError, Observation, Rng, Role, Space, Step,
    TaskSpec, rng,
};
use rand::{RngExt, SeedableRng};

/// Steps of an episode of either task.
pub const STEPS: usize = 6;

/// Hit a point that is shown at the first step only. The reward of each step is one minus the distance
/// in units of the bounds' half widths, so a policy without memory cannot do well.
pub struct Aim {
    spec: TaskSpec,
    target: [f32; 2],
    time: usize,
}

impl Aim {
    /// Bounds of the two numbers: neither symmetric nor equal.
    const BOUNDS: [[f32; 2]; 2] = [[0.0, 10.0], [-3.0, 1.0]];

    pub fn new() -> Self {
        let [first, second] = Self::BOUNDS;
        let (low, high) = (vec![first[0], second[0]], vec![first[1], second[1]]);
        let action = Space::Box(BoxSpace { shape: vec![2], low, high, dtype: Dtype::F32 });
        let spec = TaskSpec::new("aim", Space::box_f32(&[3], -1.0, 1.0), action).with_horizon(STEPS);
        Self { spec, target: [0.0; 2], time: 0 }
    }

    fn observe(&self, obs: &mut Observation) -> Result<(), EnvError> {
        let shown = if self.time == 0 { [self.target[0], self.target[1], 1.0] } else { [0.0; 3] };
        obs.write(DictSpace::SINGLE, &shown)
    }
}

impl Env for Aim {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        let mut draws = rng(seed, Role::TrainEnv, 0, 0);
        self.target = [0, 1].map(|_| draws.random_range(-0.9..0.9));
        self.time = 0;
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let numbers = action.numbers(&self.spec.action_space)?;
        let distance = numbers.iter().zip(Self::BOUNDS).zip(self.target).map(|((x, [low, high]), target)| {
            let centred = 2.0 * (x - low) / (high - low) - 1.0;
            (centred - target).powi(2)
        });
        let reward = 1.0 - distance.sum::<f32>().sqrt();
        self.time += 1;
        self.observe(obs)?;
        Ok(Step { reward, terminated: self.time == STEPS, truncated: false })
    }
}

/// Two choices, of three and of four options. Every option has a hidden worth, shown at the first
/// step; each step forbids some, at random but never all. The reward is the mean worth of the two
/// options taken. A forbidden option is refused.
pub struct Pick {
    spec: TaskSpec,
    worth: [f32; 7],
    mask: [f32; 7],
    draws: Rng,
    time: usize,
}

impl Pick {
    const OPTIONS: [usize; 2] = [3, 4];

    pub fn new() -> Self {
        let keys = [
            (DictSpace::ACTION_MASK, Space::MultiBinary { n: 7 }),
            ("worth", Space::box_f32(&[7], 0.0, 1.0)),
        ];
        let action = Space::MultiDiscrete { nvec: Self::OPTIONS.to_vec() };
        Self {
            spec: TaskSpec::new("pick", keys, action).with_horizon(STEPS),
            worth: [0.0; 7],
            mask: [0.0; 7],
            draws: Rng::seed_from_u64(0),
            time: 0,
        }
    }

    fn observe(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        self.mask = std::array::from_fn(|_| f32::from(self.draws.random_bool(0.6)));
        for start in [0, Self::OPTIONS[0]] {
            let n = if start == 0 { Self::OPTIONS[0] } else { Self::OPTIONS[1] };
            self.mask[start + self.draws.random_range(0..n)] = 1.0;
        }
        obs.write(DictSpace::ACTION_MASK, &self.mask)?;
        obs.write("worth", if self.time == 0 { &self.worth } else { &[0.0; 7] })
    }
}

impl Env for Pick {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.draws = rng(seed, Role::TrainEnv, 0, 0);
        self.worth = std::array::from_fn(|_| self.draws.random());
        self.time = 0;
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let choices = action.choices(&self.spec.action_space)?;
        let taken = [choices[0], Self::OPTIONS[0] + choices[1]];
        if taken.iter().any(|i| self.mask[*i] == 0.0) {
            let space = format!("{} under the mask {:?}", self.spec.action_space, self.mask);
            return Err(ActionError { action: action.clone(), space }.into());
        }
        let reward = taken.iter().map(|i| self.worth[*i]).sum::<f32>() / 2.0;
        self.time += 1;
        self.observe(obs)?;
        Ok(Step { reward, terminated: self.time == STEPS, truncated: false })
    }
}

/// Three bits shown at the first step; the reward of each step is the share of bits that are matched.
pub struct Match {
    spec: TaskSpec,
    bits: [bool; 3],
    time: usize,
}

impl Match {
    pub fn new() -> Self {
        let bits = Space::MultiBinary { n: 3 };
        let spec = TaskSpec::new("match", bits.clone(), bits).with_horizon(STEPS);
        Self { spec, bits: [false; 3], time: 0 }
    }

    fn observe(&self, obs: &mut Observation) -> Result<(), EnvError> {
        obs.write(DictSpace::SINGLE, &self.bits.map(|bit| f32::from(bit && self.time == 0)))
    }
}

impl Env for Match {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.bits = rng(seed, Role::TrainEnv, 0, 0).random();
        self.time = 0;
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let bits = action.bits(&self.spec.action_space)?;
        let right = bits.iter().zip(self.bits).filter(|(a, b)| **a == *b).count();
        self.time += 1;
        self.observe(obs)?;
        Ok(Step { reward: right as f32 / 3.0, terminated: self.time == STEPS, truncated: false })
    }
}
