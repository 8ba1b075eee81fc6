//! A point on a plane, moved by small steps: what Wind and the point robot share.

mod point_robot;
mod wind;

pub use point_robot::{PointReward, PointRobot, PointRobotOptions, PointTask};
pub use wind::{Wind, WindOptions};

use super::cells;
use crate::render::Grid;
use crate::{Action, ActionError, DictSpace, EnvError, Observation, Space, TaskSpec};

/// Largest move along each axis in one step: an action of 1.
const MAX_MOVE: f32 = 0.1;

/// A drawing shows -2 to 2 along both axes.
const SHOWN: f64 = 2.0;
const CELLS: usize = 41;

type Vec2 = [f64; 2];

fn spec(id: &str, horizon: usize) -> TaskSpec {
    let position = Space::box_f32(&[2], f32::NEG_INFINITY, f32::INFINITY);
    TaskSpec::new(id, position, Space::box_f32(&[2], -MAX_MOVE, MAX_MOVE)).with_horizon(horizon)
}

/// The move that an action asks for.
fn movement(action: &Action, space: &Space) -> Result<Vec2, ActionError> {
    let numbers = action.unit_numbers(space)?;
    Ok([0, 1].map(|i| f64::from(MAX_MOVE * numbers[i])))
}

fn add(a: Vec2, b: Vec2) -> Vec2 {
    [a[0] + b[0], a[1] + b[1]]
}

fn distance(a: Vec2, b: Vec2) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn observe(at: Vec2, obs: &mut Observation) -> Result<(), EnvError> {
    obs.write(DictSpace::SINGLE, &at.map(|x| x as f32))
}

/// The plane with the goal's disc and the agent, who is drawn at the edge when beyond it.
fn draw(agent: Vec2, goal: Vec2, radius: f64) -> Grid {
    let scale = (CELLS - 1) as f64 / (2.0 * SHOWN);
    let cell = |x: f64| ((x.clamp(-SHOWN, SHOWN) + SHOWN) * scale).round() as usize;
    // The vertical axis points upwards.
    let place = |[x, y]: Vec2| (cell(x), cell(-y));
    let mut grid = Grid::new(CELLS, CELLS, cells::FLOOR);
    for row in 0..CELLS {
        for column in 0..CELLS {
            let center = [column as f64 / scale - SHOWN, SHOWN - row as f64 / scale];
            if distance(center, goal) <= radius {
                grid.set(column, row, cells::GOAL);
            }
        }
    }
    for (at, thing) in [(goal, cells::GOAL), (agent, cells::AGENT)] {
        let (column, row) = place(at);
        grid.set(column, row, thing);
    }
    grid
}
