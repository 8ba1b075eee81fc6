//! PositionOnlyCartPole, VelocityOnlyCartpole and NoisyPositionOnlyCartPole.
//!
//! The cart and pole of Barto, Sutton and Anderson (1983) with the constants of Gymnasium's
//! `CartPole`, in 64 bits.

use rand::RngExt;
use rand_distr::StandardNormal;

use super::picture;
use super::task::{Task, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = POLE_MASS + 1.0;
/// Half the pole.
const LENGTH: f64 = 0.5;
const FORCE: f64 = 10.0;
/// Seconds of one step.
const TAU: f64 = 0.02;
/// The episode ends beyond this position and angle.
const MAX_X: f64 = 2.4;
const MAX_THETA: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;

/// Half of the state that the agent sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sensor {
    /// Position of the cart and angle of the pole.
    Position,
    /// Their velocities; but the first observation of an episode shows position and angle, a fault
    /// of the package that is kept.
    Velocity,
}

/// Balance a pole on a cart by pushing it left (action 0) or right (1).
///
/// Reward 1/time limit for every step, the last one included. With noise, each observation is moved
/// by normal noise and then clipped to its bounds: twice the position and angle that end the
/// episode.
pub(super) struct CartPole {
    sensor: Sensor,
    /// Standard deviation of the noise.
    sigma: f64,
    horizon: usize,
    pub state: State,
    time: usize,
}

/// Position, velocity, angle and angular velocity.
pub(super) type State = [f64; 4];

impl CartPole {
    pub fn new(sensor: Sensor, sigma: f64, horizon: usize) -> Self {
        Self { sensor, sigma, horizon, state: [0.0; 4], time: 0 }
    }

    fn limits(&self) -> [f32; 2] {
        match self.sensor {
            Sensor::Position => [2.0 * MAX_X, 2.0 * MAX_THETA].map(|limit| limit as f32),
            Sensor::Velocity => [f32::INFINITY; 2],
        }
    }

    fn observe(&self, values: [f64; 2], noise: [f32; 2], seen: &mut [f32]) {
        for (i, limit) in self.limits().into_iter().enumerate() {
            seen[i] = (values[i] as f32 + noise[i]).clamp(-limit, limit);
        }
    }

    /// One Euler step.
    fn push(&mut self, force: f64) {
        let [x, x_dot, theta, theta_dot] = self.state;
        let (sin, cos) = theta.sin_cos();
        let pole = POLE_MASS * LENGTH;
        let push = (force + pole * (theta_dot * theta_dot) * sin) / TOTAL_MASS;
        let theta_acc =
            (GRAVITY * sin - cos * push) / (LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS));
        let x_acc = push - pole * theta_acc * cos / TOTAL_MASS;
        self.state =
            [x + TAU * x_dot, x_dot + TAU * x_acc, theta + TAU * theta_dot, theta_dot + TAU * theta_acc];
    }
}

impl Task for CartPole {
    type Hidden = State;
    type Noise = [f32; 2];
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        self.limits().map(|limit| (-limit, limit)).to_vec()
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: 2 }
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn hidden(&self) -> State {
        [0.0; 4]
    }

    fn draw(&self, start: &mut State, rng: &mut Rng) {
        *start = std::array::from_fn(|_| rng.random_range(-0.05..0.05));
    }

    fn noise(&self, rng: &mut Rng) -> [f32; 2] {
        noise(self.sigma, rng)
    }

    fn begin(&mut self, start: &State, noise: [f32; 2], seen: &mut [f32]) {
        self.state = *start;
        self.time = 0;
        self.observe([start[0], start[2]], noise, seen);
    }

    fn step(&mut self, _start: &State, action: usize, noise: [f32; 2], seen: &mut [f32]) -> Step {
        self.push(if action == 1 { FORCE } else { -FORCE });
        self.time += 1;
        let [x, x_dot, theta, theta_dot] = self.state;
        let values = if self.sensor == Sensor::Position { [x, theta] } else { [x_dot, theta_dot] };
        self.observe(values, noise, seen);
        Step {
            reward: share(self.horizon),
            terminated: x.abs() > MAX_X || theta.abs() > MAX_THETA,
            truncated: self.time >= self.horizon,
        }
    }

    fn picture(&self, _start: &State) -> Grid {
        let [x, _, theta, _] = self.state;
        let mut grid = Grid::new(41, 8, picture::EMPTY);
        (0..41).for_each(|column| grid.set(column, 7, picture::PLAIN));
        let column = 20.0 * (1.0 + x / MAX_X);
        picture::rod(&mut grid, column, 7.0, theta);
        grid.set(column.round() as usize, 7, picture::CART);
        grid
    }
}

/// Normal noise for two entries; draws nothing when there is none.
pub(super) fn noise(sigma: f64, rng: &mut Rng) -> [f32; 2] {
    if sigma == 0.0 {
        return [0.0; 2];
    }
    std::array::from_fn(|_| (sigma * rng.sample::<f64, _>(StandardNormal)) as f32)
}
