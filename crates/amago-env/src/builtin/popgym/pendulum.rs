//! PositionOnlyPendulum and NoisyPositionOnlyPendulum.
//!
//! The pendulum of Gymnasium's `Pendulum`, in 64 bits.

use std::f64::consts::PI;

use rand::RngExt;

use super::cart_pole::noise;
use super::picture;
use super::task::Task;
use crate::render::Grid;
use crate::{Rng, Space, Step};

const GRAVITY: f64 = 10.0;
/// Seconds of one step.
const TAU: f64 = 0.05;
const MAX_SPEED: f64 = 8.0;
const MAX_TORQUE: f32 = 2.0;
/// Half of the highest cost, by which the package scales rewards to about −1 to 1.
const HALF_COST: f64 = 16.273_604_4 / 2.0;

/// Swing a pendulum up and hold it there by a torque of at most 2. Mass and length are 1.
///
/// Observation: cosine and sine of the angle; with noise, moved by normal noise and clipped to ±1.
/// Cost: angle² + 0.1 speed² + 0.001 torque², the angle in [−π, π) from upright. The reward is 1 at
/// no cost and about −1 at the highest, over the time limit. Truncated at the limit.
pub(super) struct Pendulum {
    /// Standard deviation of the noise.
    sigma: f64,
    horizon: usize,
    pub theta: f64,
    pub speed: f64,
    time: usize,
}

impl Pendulum {
    pub fn new(sigma: f64, horizon: usize) -> Self {
        Self { sigma, horizon, theta: 0.0, speed: 0.0, time: 0 }
    }

    fn observe(&self, noise: [f32; 2], seen: &mut [f32]) {
        let (sin, cos) = self.theta.sin_cos();
        for (i, value) in [cos, sin].into_iter().enumerate() {
            seen[i] = (value as f32 + noise[i]).clamp(-1.0, 1.0);
        }
    }
}

impl Task for Pendulum {
    /// Angle and speed.
    type Hidden = [f64; 2];
    type Noise = [f32; 2];
    type Action = f32;

    fn bounds(&self) -> Vec<(f32, f32)> {
        vec![(-1.0, 1.0); 2]
    }

    fn action_space(&self) -> Space {
        Space::box_f32(&[1], -MAX_TORQUE, MAX_TORQUE)
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn hidden(&self) -> [f64; 2] {
        [0.0; 2]
    }

    fn draw(&self, start: &mut [f64; 2], rng: &mut Rng) {
        *start = [rng.random_range(-PI..PI), rng.random_range(-1.0..1.0)];
    }

    fn noise(&self, rng: &mut Rng) -> [f32; 2] {
        noise(self.sigma, rng)
    }

    fn begin(&mut self, start: &[f64; 2], noise: [f32; 2], seen: &mut [f32]) {
        [self.theta, self.speed] = *start;
        self.time = 0;
        self.observe(noise, seen);
    }

    fn step(&mut self, _start: &[f64; 2], action: f32, noise: [f32; 2], seen: &mut [f32]) -> Step {
        // As in the package, what depends on the torque alone has 32 bits.
        let torque = MAX_TORQUE * action;
        let angle = (self.theta + PI).rem_euclid(2.0 * PI) - PI;
        let cost = angle * angle + 0.1 * (self.speed * self.speed) + f64::from(0.001 * (torque * torque));
        let speed = self.speed + (1.5 * GRAVITY * self.theta.sin() + f64::from(3.0 * torque)) * TAU;
        self.speed = speed.clamp(-MAX_SPEED, MAX_SPEED);
        self.theta += self.speed * TAU;
        self.time += 1;
        self.observe(noise, seen);
        let reward = (HALF_COST - cost) / HALF_COST / self.horizon as f64;
        Step { reward: reward as f32, terminated: false, truncated: self.time >= self.horizon }
    }

    fn picture(&self, _start: &[f64; 2]) -> Grid {
        let mut grid = Grid::new(15, 15, picture::EMPTY);
        picture::rod(&mut grid, 7.0, 7.0, self.theta);
        grid.set(7, 7, picture::CART);
        grid
    }
}
