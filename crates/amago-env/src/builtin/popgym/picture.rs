//! Drawings of the hidden states.

use crate::render::{Cell, Grid};

/// Cards in a row.
const ROW: usize = 26;
/// Cells along a rod.
const REACH: f64 = 6.0;

const fn cell(symbol: char, color: [u8; 3]) -> Cell {
    Cell { symbol, color }
}

pub(super) const EMPTY: Cell = cell(' ', [245, 245, 245]);
/// Something of no interest now: water, a covered tile, an arm's missing chance.
pub(super) const PLAIN: Cell = cell('.', [205, 210, 215]);
/// Something hidden that matters: a ship, a mine, an arm's chance, a rod.
pub(super) const THING: Cell = cell('#', [70, 80, 100]);
pub(super) const HIT: Cell = cell('X', [215, 50, 45]);
pub(super) const MISS: Cell = cell('o', [120, 160, 210]);
pub(super) const CART: Cell = cell('C', [45, 150, 75]);
/// Marks below cards: in sight, to be named, turned up for good.
pub(super) const IN_SIGHT: Cell = cell('^', [215, 50, 45]);
pub(super) const ASKED: Cell = cell('?', [40, 90, 170]);
pub(super) const FOUND: Cell = cell('+', [45, 150, 75]);

const CARD: [u8; 3] = [235, 220, 160];

/// A number, over a colour that darkens with it.
pub(super) fn number(n: u8) -> Cell {
    cell(char::from(b'0' + n.min(9)), [235 - 15 * n.min(9); 3])
}

/// Rows of cards, each over a row of marks.
pub(super) fn cards(symbols: &[char], marks: impl Iterator<Item = (usize, Cell)>) -> Grid {
    let mut grid = Grid::new(ROW, 2 * symbols.len().div_ceil(ROW), EMPTY);
    for (place, &symbol) in symbols.iter().enumerate() {
        grid.set(place % ROW, place / ROW * 2, cell(symbol, CARD));
    }
    for (place, mark) in marks {
        grid.set(place % ROW, place / ROW * 2 + 1, mark);
    }
    grid
}

/// A square board.
pub(super) fn board(side: usize, tile: impl Fn(usize) -> Cell) -> Grid {
    let mut grid = Grid::new(side, side, PLAIN);
    (0..side * side).for_each(|i| grid.set(i % side, i / side, tile(i)));
    grid
}

/// A rod from a column and a row, `angle` to the right of upright.
pub(super) fn rod(grid: &mut Grid, column: f64, row: f64, angle: f64) {
    for i in 1..=12 {
        let length = REACH * f64::from(i) / 12.0;
        let (x, y) = (column + length * angle.sin(), row - length * angle.cos());
        if let (Ok(x), Ok(y)) = (usize::try_from(x.round() as i64), usize::try_from(y.round() as i64)) {
            grid.set(x, y, THING);
        }
    }
}
