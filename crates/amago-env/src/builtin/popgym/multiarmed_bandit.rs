//! MultiarmedBandit: find the arm that pays most often.

use rand::RngExt;

use super::picture;
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Pull one of several arms. Each pays with a chance that is drawn uniformly for every episode.
///
/// Observation: one-hot of "nothing" and "paid". Reward ±1/time limit. Truncated at the limit.
pub(super) struct MultiarmedBandit {
    arms: usize,
    horizon: usize,
    time: usize,
    /// The arm pulled last, and whether it paid.
    pulled: Option<(usize, bool)>,
}

impl MultiarmedBandit {
    pub fn new(arms: usize, horizon: usize) -> Self {
        Self { arms, horizon, time: 0, pulled: None }
    }
}

impl Task for MultiarmedBandit {
    /// How often each arm pays.
    type Hidden = Vec<f32>;
    /// The arm pays when its chance is above this number from 0 to 1. Not used by the reset.
    type Noise = f32;
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(2)
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: self.arms }
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn hidden(&self) -> Vec<f32> {
        vec![0.0; self.arms]
    }

    fn draw(&self, chances: &mut Vec<f32>, rng: &mut Rng) {
        chances.iter_mut().for_each(|chance| *chance = rng.random());
    }

    fn noise(&self, rng: &mut Rng) -> f32 {
        // As the package compares: 64 bits rounded to the 32 of the chances.
        rng.random::<f64>() as f32
    }

    fn begin(&mut self, _chances: &Vec<f32>, _noise: f32, seen: &mut [f32]) {
        self.time = 0;
        self.pulled = None;
        one_hot(seen, 0);
    }

    fn step(&mut self, chances: &Vec<f32>, action: usize, noise: f32, seen: &mut [f32]) -> Step {
        let paid = noise < chances[action];
        self.pulled = Some((action, paid));
        one_hot(seen, usize::from(paid));
        self.time += 1;
        let reward = if paid { share(self.horizon) } else { -share(self.horizon) };
        Step { reward, terminated: false, truncated: self.time >= self.horizon }
    }

    fn picture(&self, chances: &Vec<f32>) -> Grid {
        let mut grid = Grid::new(self.arms, 11, picture::PLAIN);
        for (arm, chance) in chances.iter().enumerate() {
            // From the lowest row up, one row for each tenth.
            let rows = (chance * 10.0).round() as usize;
            (0..rows).for_each(|row| grid.set(arm, 9 - row, picture::THING));
            let mark = match self.pulled {
                Some((pulled, true)) if pulled == arm => picture::FOUND,
                Some((pulled, false)) if pulled == arm => picture::MISS,
                _ => picture::EMPTY,
            };
            grid.set(arm, 10, mark);
        }
        grid
    }
}
