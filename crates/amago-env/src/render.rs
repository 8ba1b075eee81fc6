//! Drawings of an environment's state: cells that become an RGB image or text.

/// Pixels along the side of one cell.
const CELL_PIXELS: usize = 8;

/// An RGB image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green and blue of every pixel, row-major from the upper left: `3 * width * height` bytes.
    pub rgb: Vec<u8>,
}

/// One cell of a [`Grid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// How it looks as text.
    pub symbol: char,
    /// Red, green and blue of its square in an image.
    pub color: [u8; 3],
}

/// A drawing made of cells. Text and image show the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    width: usize,
    cells: Vec<Cell>,
}

impl Grid {
    /// `width` by `height` equal cells.
    pub fn new(width: usize, height: usize, cell: Cell) -> Self {
        Self { width, cells: vec![cell; width * height] }
    }

    /// Replaces the cell at a column and a row, counted from the upper left. A place outside the
    /// drawing is left out.
    pub fn set(&mut self, column: usize, row: usize, cell: Cell) {
        if column < self.width
            && let Some(old) = self.cells.get_mut(row * self.width + column)
        {
            *old = cell;
        }
    }

    /// One line per row, one character and a space per cell.
    pub fn text(&self) -> String {
        let line = |row: &[Cell]| row.iter().flat_map(|c| [c.symbol, ' ']).collect::<String>();
        self.cells.chunks(self.width.max(1)).map(|row| format!("{}\n", line(row).trim_end())).collect()
    }

    /// An image with a square of pixels per cell.
    pub fn frame(&self) -> Frame {
        let rows = self.cells.chunks(self.width.max(1));
        let mut rgb = Vec::with_capacity(3 * CELL_PIXELS * CELL_PIXELS * self.cells.len());
        for row in rows.clone() {
            let line: Vec<u8> = row.iter().flat_map(|c| [c.color; CELL_PIXELS]).flatten().collect();
            (0..CELL_PIXELS).for_each(|_| rgb.extend_from_slice(&line));
        }
        Frame { width: CELL_PIXELS * self.width, height: CELL_PIXELS * rows.len(), rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_image_show_the_same_cells() {
        let mut grid = Grid::new(3, 2, Cell { symbol: '.', color: [0; 3] });
        grid.set(2, 1, Cell { symbol: 'A', color: [1, 2, 3] });
        grid.set(3, 0, Cell { symbol: 'x', color: [9; 3] });
        grid.set(0, 2, Cell { symbol: 'x', color: [9; 3] });
        assert_eq!(grid.text(), ". . .\n. . A\n");
        let frame = grid.frame();
        assert_eq!((frame.width, frame.height), (3 * CELL_PIXELS, 2 * CELL_PIXELS));
        assert_eq!(frame.rgb.len(), 3 * frame.width * frame.height);
        for (i, pixel) in frame.rgb.chunks(3).enumerate() {
            let (column, row) = (i % frame.width / CELL_PIXELS, i / frame.width / CELL_PIXELS);
            assert_eq!(pixel, if (column, row) == (2, 1) { [1, 2, 3] } else { [0; 3] }, "pixel {i}");
        }
    }
}
