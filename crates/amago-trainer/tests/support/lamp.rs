//! A small task with images: name the side that is bright.

use amago_env::{Action, BoxSpace, DictSpace, Dtype, Env, EnvError, Observation, Rng, Space, Step, TaskSpec};
use rand::{RngExt, SeedableRng};

pub const IMAGE: [usize; 3] = [5, 4, 3];
const PIXELS: usize = IMAGE[0] * IMAGE[1] * IMAGE[2];
/// Steps of an episode; each shows another image.
pub const EPISODE: usize = 4;

/// `camera` is bright on the left or on the right. With a mirror the observation has a second key, a
/// switch that is plus or minus one, and minus one swaps the answers: only both keys together tell them.
pub struct Lamp {
    spec: TaskSpec,
    mirror: bool,
    draws: Rng,
    time: usize,
    answer: usize,
}

impl Lamp {
    pub fn new(mirror: bool) -> Self {
        let bytes = BoxSpace {
            shape: IMAGE.to_vec(),
            low: vec![0.0; PIXELS],
            high: vec![255.0; PIXELS],
            dtype: Dtype::U8,
        };
        let mut keys = DictSpace::from([("camera", Space::Box(bytes))]);
        if mirror {
            keys.0.insert("switch".to_owned(), Space::box_f32(&[1], -1.0, 1.0));
        }
        let spec = TaskSpec::new("lamp", keys, Space::Discrete { n: 2 }).with_horizon(EPISODE);
        Self { spec, mirror, draws: Rng::seed_from_u64(0), time: 0, answer: 0 }
    }

    fn observe(&mut self, obs: &mut Observation) -> Result<(), EnvError> {
        let (side, swapped): (usize, bool) = (self.draws.random_range(0..2), self.draws.random());
        let mut image = [0; PIXELS];
        for (i, byte) in image.iter_mut().enumerate() {
            let right = i / IMAGE[2] % IMAGE[1] >= IMAGE[1] / 2;
            let dark: u8 = self.draws.random_range(0..100);
            *byte = if right == (side == 1) { dark + 150 } else { dark };
        }
        obs.write_u8("camera", &image)?;
        self.answer = side;
        if self.mirror {
            obs.write("switch", &[if swapped { -1.0 } else { 1.0 }])?;
            self.answer = if swapped { 1 - side } else { side };
        }
        Ok(())
    }
}

impl Env for Lamp {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        (self.time, self.draws) = (0, Rng::seed_from_u64(seed));
        self.observe(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let right = action.choice(&self.spec.action_space)? == self.answer;
        self.time += 1;
        self.observe(obs)?;
        Ok(Step { reward: f32::from(right), terminated: self.time == EPISODE, truncated: false })
    }
}
