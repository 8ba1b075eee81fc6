//! Battleship: sink hidden ships.

use rand::RngExt;

use super::picture;
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Lengths of the ships.
const SHIPS: [usize; 4] = [2, 3, 3, 4];
/// Tiles of all ships.
const TARGETS: usize = 12;

/// Shoot at the tiles of a hidden board, row by row numbered, until all ships are sunk.
///
/// Observation: one-hot of miss and hit; a second shot at the same tile is a miss. Reward 1/12 for a
/// hit, −1/(tiles − 12) for a miss. Truncated after as many shots as there are tiles.
pub(super) struct Battleship {
    side: usize,
    shot_at: Vec<bool>,
    hits: usize,
    time: usize,
}

impl Battleship {
    pub fn new(side: usize) -> Self {
        Self { side, shot_at: vec![false; side * side], hits: 0, time: 0 }
    }

    /// Puts one ship on free tiles: uniform over start, axis and direction that fit.
    fn place(&self, board: &mut [bool], length: usize, rng: &mut Rng) {
        let side = self.side;
        loop {
            let start = rng.random_range(0..side * side);
            let (along, stride) = if rng.random() { (start / side, side) } else { (start % side, 1) };
            // How far the ship reaches back towards the edge when it points there.
            let back = if rng.random() { length - 1 } else { 0 };
            if along < back || along - back + length > side {
                continue;
            }
            let tiles = (0..length).map(|i| start - back * stride + i * stride);
            if tiles.clone().all(|tile| !board[tile]) {
                tiles.for_each(|tile| board[tile] = true);
                return;
            }
        }
    }
}

impl Task for Battleship {
    /// Where the ships are.
    type Hidden = Vec<bool>;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(2)
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: self.shot_at.len() }
    }

    fn horizon(&self) -> usize {
        self.shot_at.len()
    }

    fn hidden(&self) -> Vec<bool> {
        vec![false; self.shot_at.len()]
    }

    fn draw(&self, board: &mut Vec<bool>, rng: &mut Rng) {
        board.fill(false);
        for length in SHIPS {
            self.place(board, length, rng);
        }
    }

    fn noise(&self, _rng: &mut Rng) {}

    fn begin(&mut self, _board: &Vec<bool>, _noise: (), seen: &mut [f32]) {
        self.shot_at.fill(false);
        self.hits = 0;
        self.time = 0;
        one_hot(seen, 0);
    }

    fn step(&mut self, board: &Vec<bool>, action: usize, _noise: (), seen: &mut [f32]) -> Step {
        let hit = board[action] && !self.shot_at[action];
        self.shot_at[action] = true;
        self.hits += usize::from(hit);
        self.time += 1;
        one_hot(seen, usize::from(hit));
        let tiles = board.len();
        let reward = if hit { share(TARGETS) } else { -share(tiles - TARGETS) };
        Step { reward, terminated: self.hits == TARGETS, truncated: self.time >= tiles }
    }

    fn picture(&self, board: &Vec<bool>) -> Grid {
        picture::board(self.side, |tile| match (self.shot_at[tile], board[tile]) {
            (true, true) => picture::HIT,
            (true, false) => picture::MISS,
            (false, true) => picture::THING,
            (false, false) => picture::PLAIN,
        })
    }
}
