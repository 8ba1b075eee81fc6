//! What a MazeRunner episode hides: the maze, its goals and the meaning of the actions.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::MazeRunnerOptions;
use crate::Rng;

/// Walls begun, over a quarter of the places.
const DENSITY: f64 = 0.75;
/// Steps of each wall, over five times the sum of both sides.
const COMPLEXITY: f64 = 0.75;
/// Rows of the open area in which every episode begins.
const SPAWN_ROWS: usize = 4;
/// West, north, east, south, stay, as (row, column).
const MOVES: [(isize, isize); 5] = [(0, -1), (-1, 0), (0, 1), (1, 0), (0, 0)];

/// The hidden part of one episode of [`super::MazeRunner`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MazeTask {
    /// Side of the square maze, odd.
    pub side: usize,
    /// Whether there is a wall, row by row.
    pub walls: Vec<bool>,
    /// Where the goals are, in their order: (row, column).
    pub goals: Vec<(usize, usize)>,
    /// Direction of each action, as (row, column).
    pub moves: [(isize, isize); 5],
}

impl MazeTask {
    pub(super) fn empty(options: &MazeRunnerOptions) -> Self {
        let side = options.side();
        Self { side, walls: vec![false; side * side], goals: vec![(0, 0); options.num_goals], moves: MOVES }
    }

    /// Where the agent begins: in the middle of the lowest free row.
    pub(super) fn start(&self) -> (usize, usize) {
        start(self.side)
    }

    /// Whether the place is a wall.
    pub(super) fn wall(&self, (row, column): (usize, usize)) -> bool {
        self.walls[row * self.side + column]
    }

    /// Draws everything anew. `free` is memory that is kept between episodes.
    pub(super) fn draw(&mut self, rewired: bool, free: &mut Vec<(usize, usize)>, rng: &mut Rng) {
        self.draw_walls(rng);
        self.open_spawn();
        let (side, start) = (self.side, self.start());
        free.clear();
        let places = (0..side * side).map(|i| (i / side, i % side));
        free.extend(places.filter(|place| !self.wall(*place) && *place != start));
        for (i, goal) in self.goals.iter_mut().enumerate() {
            let chosen = rng.random_range(i..free.len());
            free.swap(i, chosen);
            *goal = free[i];
        }
        self.moves = MOVES;
        if rewired {
            self.moves.shuffle(rng);
        }
    }

    /// Random walls as in the mazelab generator that the original uses: each begins at a point with
    /// even coordinates and grows, two places at a time, into points that are still free.
    fn draw_walls(&mut self, rng: &mut Rng) {
        let side = self.side;
        let last = side - 1;
        for (i, wall) in self.walls.iter_mut().enumerate() {
            let (row, column) = (i / side, i % side);
            *wall = row == 0 || row == last || column == 0 || column == last;
        }
        let walls = (DENSITY * ((side / 2) * (side / 2)) as f64) as usize;
        let length = (COMPLEXITY * (5 * (side + side)) as f64) as usize;
        for _ in 0..walls {
            let mut column = 2 * rng.random_range(0..=side / 2);
            let mut row = 2 * rng.random_range(0..=side / 2);
            self.walls[row * side + column] = true;
            for _ in 0..length {
                let (next_row, next_column) = neighbour((row, column), last, rng);
                if !self.walls[next_row * side + next_column] {
                    self.walls[next_row * side + next_column] = true;
                    self.walls[row.midpoint(next_row) * side + column.midpoint(next_column)] = true;
                    (row, column) = (next_row, next_column);
                }
            }
        }
    }

    /// Clears the lowest rows, except for two short walls beside the start.
    fn open_spawn(&mut self) {
        let side = self.side;
        let (first, end) = (side - 1 - SPAWN_ROWS, side - 1);
        for row in first..end {
            self.walls[row * side + 1..(row + 1) * side - 1].fill(false);
        }
        for row in first + 1..end {
            self.walls[row * side + side / 2 - 1] = true;
            self.walls[row * side + side / 2 + 1] = true;
        }
    }
}

/// Where the agent begins in a maze of this side.
pub(super) fn start(side: usize) -> (usize, usize) {
    (side - 2, side / 2)
}

/// Places that are free in every maze of this side, the start apart.
pub(super) fn always_free(side: usize) -> usize {
    (side - 2) + (SPAWN_ROWS - 1) * (side - 4) - 1
}

/// One of the points two places away in the maze, uniformly.
fn neighbour((row, column): (usize, usize), last: usize, rng: &mut Rng) -> (usize, usize) {
    let mut near = [(0, 0); 4];
    let mut n = 0;
    let mut add = |there: bool, place: (usize, usize)| {
        if there {
            near[n] = place;
            n += 1;
        }
    };
    add(column >= 2, (row, column.wrapping_sub(2)));
    add(column + 2 <= last, (row, column + 2));
    add(row >= 2, (row.wrapping_sub(2), column));
    add(row + 2 <= last, (row + 2, column));
    near[rng.random_range(0..n)]
}
