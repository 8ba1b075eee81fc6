//! MineSweeper: uncover every tile without a mine, from the counts alone.

use rand::RngExt;

use super::picture;
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Uncover the tiles of a hidden board, row by row numbered.
///
/// Observation: one-hot of the number of mines in the 3×3 square around the uncovered tile, the tile
/// itself included, so a mine counts itself. The first observation says 0. With `c` clear tiles the
/// reward is 1/c for a new clear tile, −0.5/(c − 2) for one seen before and −0.5 − 1/c for a mine,
/// which ends the episode. It also ends when all is uncovered, and is truncated after `c` steps.
pub(super) struct MineSweeper {
    pub side: usize,
    mines: usize,
    uncovered: Vec<bool>,
    /// Clear tiles still covered.
    left: usize,
    time: usize,
}

/// The hidden board.
#[derive(Debug)]
pub(super) struct Field {
    mine: Vec<bool>,
    /// Mines in the 3×3 square around each tile.
    count: Vec<u8>,
}

impl Field {
    /// A board without mines.
    pub fn clear(side: usize) -> Self {
        Self { mine: vec![false; side * side], count: vec![0; side * side] }
    }

    /// Puts a mine on a tile; false when there is one.
    pub fn lay(&mut self, tile: usize, side: usize) -> bool {
        if std::mem::replace(&mut self.mine[tile], true) {
            return false;
        }
        let around = |at: usize| at.saturating_sub(1)..=(at + 1).min(side - 1);
        for row in around(tile / side) {
            for column in around(tile % side) {
                self.count[row * side + column] += 1;
            }
        }
        true
    }
}

impl MineSweeper {
    pub fn new(side: usize, mines: usize) -> Self {
        Self { side, mines, uncovered: vec![false; side * side], left: 0, time: 0 }
    }

    fn clear_tiles(&self) -> usize {
        self.side * self.side - self.mines
    }

    /// One-hot entries of the observation.
    fn width(&self) -> usize {
        (self.mines + 1).min(10)
    }
}

impl Task for MineSweeper {
    type Hidden = Field;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(self.width())
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: self.uncovered.len() }
    }

    fn horizon(&self) -> usize {
        self.clear_tiles()
    }

    fn hidden(&self) -> Field {
        Field::clear(self.side)
    }

    fn draw(&self, field: &mut Field, rng: &mut Rng) {
        field.mine.fill(false);
        field.count.fill(0);
        let mut laid = 0;
        while laid < self.mines {
            let tile = rng.random_range(0..self.uncovered.len());
            laid += usize::from(field.lay(tile, self.side));
        }
    }

    fn noise(&self, _rng: &mut Rng) {}

    fn begin(&mut self, _field: &Field, _noise: (), seen: &mut [f32]) {
        self.uncovered.fill(false);
        self.left = self.clear_tiles();
        self.time = 0;
        one_hot(seen, 0);
    }

    fn step(&mut self, field: &Field, action: usize, _noise: (), seen: &mut [f32]) -> Step {
        let clear = self.clear_tiles();
        let mine = field.mine[action];
        let reward = if mine {
            self.uncovered[action] = true;
            (-0.5 - 1.0 / clear as f64) as f32
        } else if std::mem::replace(&mut self.uncovered[action], true) {
            (-0.5 / (clear - 2) as f64) as f32
        } else {
            self.left -= 1;
            share(clear)
        };
        self.time += 1;
        one_hot(seen, usize::from(field.count[action]));
        let terminated = mine || self.left == 0;
        Step { reward, terminated, truncated: self.time == clear && !terminated }
    }

    fn picture(&self, field: &Field) -> Grid {
        picture::board(self.side, |tile| match (field.mine[tile], self.uncovered[tile]) {
            (true, true) => picture::HIT,
            (true, false) => picture::THING,
            (false, true) => picture::number(field.count[tile]),
            (false, false) => picture::PLAIN,
        })
    }
}
