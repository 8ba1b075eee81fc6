//! How the built-in environments draw things.

use crate::render::Cell;

const fn cell(symbol: char, color: [u8; 3]) -> Cell {
    Cell { symbol, color }
}

pub(super) const FLOOR: Cell = cell('.', [235, 235, 235]);
pub(super) const WALL: Cell = cell('#', [50, 50, 60]);
pub(super) const AGENT: Cell = cell('A', [215, 50, 45]);
pub(super) const GOAL: Cell = cell('G', [45, 150, 75]);
pub(super) const HOLE: Cell = cell('H', [40, 90, 170]);
pub(super) const KEY: Cell = cell('K', [235, 190, 50]);
pub(super) const DOOR: Cell = cell('D', [145, 90, 50]);
/// A sign that points up or down.
pub(super) const SIGN_UP: Cell = cell('^', [235, 190, 50]);
pub(super) const SIGN_DOWN: Cell = cell('v', [235, 190, 50]);

/// Goal number `i` of several.
pub(super) fn numbered_goal(i: usize) -> Cell {
    let symbol = u32::try_from(i % 36).ok().and_then(|i| char::from_digit(i, 36)).unwrap_or(GOAL.symbol);
    Cell { symbol, ..GOAL }
}
