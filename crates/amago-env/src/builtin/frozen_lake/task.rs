//! What a frozen lake hides: where its holes are and what the actions mean.

use rand::RngExt;

use crate::builtin::{Builtin, FrozenLake, require};
use crate::{EnvError, Rng};

/// Chance that a tile of a random lake is frozen, as in Gymnasium's map generator.
const FROZEN_CHANCE: f64 = 0.8;
/// Hard mode: chance that two action indices are swapped for the whole episode.
const SWAP_CHANCE: f64 = 0.5;

/// Stay, x+1, x-1, y+1, y-1.
const MOVES: [(isize, isize); 5] = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tile {
    Ice,
    Hole,
    Goal,
}

/// The hidden part of one episode on a [`FrozenLake`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeTask {
    pub(super) size: usize,
    /// Row `x`, then `y`.
    pub(super) tiles: Vec<Tile>,
    /// Actions 1 and 3 have changed places.
    pub(super) swapped: bool,
}

impl LakeTask {
    /// A lake of a given layout, one string per `x`, `H` for a hole; `swapped` when actions 1 and 3
    /// change places, as on half of the lakes of the hard mode.
    ///
    /// # Errors
    /// When the rows are not a square with a way from the first corner to the last.
    pub fn new(rows: &[&str], swapped: bool) -> Result<Self, EnvError> {
        let (id, size) = (FrozenLake::ID, rows.len());
        let square = size >= 2 && rows.iter().all(|r| r.len() == size);
        require(id, square, || format!("the layout must be a square, not {rows:?}"))?;
        let tile = |c| if c == b'H' { Tile::Hole } else { Tile::Ice };
        let mut tiles: Vec<_> = rows.iter().flat_map(|r| r.bytes().map(tile)).collect();
        tiles[0] = Tile::Ice;
        tiles[size * size - 1] = Tile::Goal;
        let solvable = Search::default().solvable(&tiles, size);
        require(id, solvable, || "the layout has no way to the goal".to_owned())?;
        Ok(Self { size, tiles, swapped })
    }

    pub(super) fn flat(size: usize) -> Self {
        Self { size, tiles: vec![Tile::Ice; size * size], swapped: false }
    }

    /// Draws layouts until one has a way to the goal, then the meaning of the actions.
    pub(super) fn draw(&mut self, hard_mode: bool, search: &mut Search, rng: &mut Rng) {
        let last = self.tiles.len() - 1;
        loop {
            for tile in &mut self.tiles {
                *tile = if rng.random_bool(FROZEN_CHANCE) { Tile::Ice } else { Tile::Hole };
            }
            self.tiles[0] = Tile::Ice;
            self.tiles[last] = Tile::Goal;
            if search.solvable(&self.tiles, self.size) {
                break;
            }
        }
        self.swapped = hard_mode && rng.random_bool(SWAP_CHANCE);
    }

    /// Direction of an action.
    pub(super) fn step(&self, action: usize) -> (isize, isize) {
        MOVES[match action {
            1 if self.swapped => 3,
            3 if self.swapped => 1,
            a => a,
        }]
    }
}

/// Memory of a search for a way, kept so that no episode allocates it again.
#[derive(Debug, Default)]
pub(super) struct Search {
    seen: Vec<bool>,
    frontier: Vec<(usize, usize)>,
}

impl Search {
    /// Whether the goal corner can be reached from the start corner.
    fn solvable(&mut self, tiles: &[Tile], size: usize) -> bool {
        self.seen.clear();
        self.seen.resize(tiles.len(), false);
        self.frontier.clear();
        self.frontier.push((0, 0));
        while let Some((x, y)) = self.frontier.pop() {
            let at = x * size + y;
            if self.seen[at] || tiles[at] == Tile::Hole {
                continue;
            }
            if tiles[at] == Tile::Goal {
                return true;
            }
            self.seen[at] = true;
            let next = |(dx, dy)| Some((x.checked_add_signed(dx)?, y.checked_add_signed(dy)?));
            self.frontier.extend(MOVES.into_iter().filter_map(next).filter(|(x, y)| *x < size && *y < size));
        }
        false
    }
}
