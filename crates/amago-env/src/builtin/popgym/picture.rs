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
/// Marks below cards: in sight, to be named, turned up for good (or an arm that paid).
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

#[cfg(test)]
mod tests {
    use super::super::battleship::Battleship;
    use super::super::cart_pole::{CartPole, Sensor};
    use super::super::concentration::Concentration;
    use super::super::count_recall::{CountRecall, Decks};
    use super::super::deck::{Deck, Feature};
    use super::super::mine_sweeper::{Field, MineSweeper};
    use super::super::multiarmed_bandit::MultiarmedBandit;
    use super::super::repeat_previous::RepeatPrevious;
    use super::super::task::Task;

    /// Lines of a task's picture after some actions.
    fn lines<T: Task<Noise = (), Action = usize>>(
        mut task: T,
        hidden: &T::Hidden,
        actions: &[usize],
    ) -> Vec<String> {
        let mut seen = vec![0.0; task.bounds().len()];
        task.begin(hidden, (), &mut seen);
        for action in actions {
            task.step(hidden, *action, (), &mut seen);
        }
        task.picture(hidden).text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn cards_are_marked() {
        let suits = Deck::new(1, Feature::Suits);
        let shown = lines(RepeatPrevious::new(1, 4), &suits, &[0; 5]);
        assert!(shown[0].starts_with("H C D S H C D S"), "dealt from the end: {}", shown[0]);
        assert_eq!(shown[1], "    ?     ^");
        assert_eq!(shown.len(), 4);
        let ranks = || Deck::new(4, Feature::Ranks);
        let decks = Decks { values: ranks(), queries: ranks() };
        let shown = lines(CountRecall::new(4, Feature::Ranks), &decks, &[0; 4]);
        assert!(shown[0].starts_with("K K K K Q Q"));
        assert_eq!((shown[1].as_str(), shown[17].as_str()), ("        ^", "        ?"));
    }

    #[test]
    fn places_of_cards_are_marked() {
        let colors = Deck::new(1, Feature::Colors);
        let shown = lines(Concentration::new(1, Feature::Colors), &colors, &[0, 2, 1, 4]);
        assert!(shown[0].starts_with("B R B R"));
        assert_eq!(shown[1], "+ ^ +   ^");
    }

    #[test]
    fn boards_show_what_is_hidden() {
        let mut board = vec![false; 64];
        board[..3].fill(true);
        let shown = lines(Battleship::new(8), &board, &[1, 8]);
        assert_eq!(shown[..2], ["# X # . . . . .", "o . . . . . . ."]);
        let mut field = Field::clear(4);
        assert!(field.lay(5, 4));
        assert_eq!(
            lines(MineSweeper::new(4, 2), &field, &[0, 3]),
            ["1 . . 0", ". # . .", ". . . .", ". . . ."]
        );
        assert_eq!(lines(MineSweeper::new(4, 2), &field, &[5])[1], ". X . .");
    }

    #[test]
    fn a_bandit_shows_its_chances_and_the_arm_pulled() {
        let mut task = MultiarmedBandit::new(3, 9);
        let chances = vec![0.1, 0.0, 1.0];
        let last = |task: &MultiarmedBandit| {
            let text = task.picture(&chances).text();
            text.lines().skip(9).map(str::to_owned).collect::<Vec<_>>()
        };
        task.begin(&chances, 0.5, &mut [0.0; 2]);
        assert_eq!(last(&task), ["# . #", ""]);
        task.step(&chances, 2, 0.5, &mut [0.0; 2]);
        assert_eq!(last(&task), ["# . #", "    +"]);
        task.step(&chances, 0, 0.5, &mut [0.0; 2]);
        assert_eq!(last(&task), ["# . #", "o"]);
    }

    #[test]
    fn a_pole_stands_on_its_cart() {
        let mut task = CartPole::new(Sensor::Position, 0.0, 200);
        task.begin(&[0.0; 4], [0.0; 2], &mut [0.0; 2]);
        let text = task.picture(&[0.0; 4]).text();
        let column = |row: usize| text.lines().nth(row).and_then(|line| line.find(['#', 'C']));
        assert_eq!((column(0), column(1), column(6), column(7)), (None, Some(40), Some(40), Some(40)));
        // Far to the left, the pole lies partly outside.
        task.begin(&[-2.4, 0.0, -1.5, 0.0], [0.0; 2], &mut [0.0; 2]);
        assert!(task.picture(&[0.0; 4]).text().ends_with(
            "C . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . .\n"
        ));
    }
}
