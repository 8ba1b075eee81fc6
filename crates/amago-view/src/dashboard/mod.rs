//! A live view of runs in a terminal.

mod draw;
mod figures;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::{Axis, Run, ViewError};

/// How often files are read and the screen is drawn. The files change once per epoch.
const PERIOD: Duration = Duration::from_millis(500);

/// What the program that trains says between two epochs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<Status>>);

#[derive(Debug, Clone, Default)]
struct Status {
    phase: String,
    done: usize,
    total: usize,
    message: String,
    over: bool,
}

impl Live {
    fn with<T>(&self, f: impl FnOnce(&mut Status) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// So much of a phase is done.
    pub fn progress(&self, phase: &str, done: usize, total: usize) {
        self.with(|s| {
            if s.phase != phase {
                s.phase = phase.to_owned();
            }
            (s.done, s.total) = (done, total);
        });
    }

    /// Something that happened.
    pub fn message(&self, text: String) {
        self.with(|s| s.message = text);
    }

    /// The run is over: the view closes.
    pub fn finish(&self) {
        self.with(|s| s.over = true);
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.with(|s| s.over)
    }
}

/// What to do after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    Draw,
    Quit,
}

/// Runs beside each other.
#[derive(Debug)]
pub struct Dashboard {
    runs: Vec<Run>,
    axis: Axis,
    /// Number of the chart: 0 for returns, then each metric by name.
    chart: usize,
    /// First row of the table of figures.
    scroll: usize,
    live: Option<Live>,
    /// Why a file could not be read.
    error: Option<String>,
}

impl Dashboard {
    /// Opens the folders of runs.
    ///
    /// # Errors
    /// When one is no run.
    pub fn open(paths: &[impl AsRef<Path>], axis: Axis) -> Result<Self, ViewError> {
        let runs = paths.iter().map(|p| Run::open(p.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { runs, axis, chart: 0, scroll: 0, live: None, error: None })
    }

    /// The same with news from the program that trains.
    pub fn with_live(mut self, live: Live) -> Self {
        self.live = Some(live);
        self
    }

    /// Reads what was added to the files. A line that is broken is left out, and told from then on.
    pub fn refresh(&mut self) {
        for run in &mut self.runs {
            if let Err(error) = run.refresh() {
                self.error = Some(error.to_string());
            }
        }
    }

    /// Shows the view until its reader quits or, with news from the program that trains, until that is over.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    pub fn show(mut self) -> io::Result<()> {
        let mut terminal = ratatui::try_init()?;
        let result = self.watch(&mut terminal);
        ratatui::restore();
        result
    }

    fn watch(&mut self, terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
        loop {
            self.refresh();
            terminal.draw(|frame| self.draw(frame))?;
            let next = Instant::now() + PERIOD;
            loop {
                if self.live.as_ref().is_some_and(Live::is_over) {
                    return Ok(());
                }
                let wait = next.saturating_duration_since(Instant::now());
                if !event::poll(wait)? {
                    break;
                }
                let wish = match event::read()? {
                    Event::Key(key) => self.key(key),
                    Event::Resize(..) => Wish::Draw,
                    _ => Wish::Nothing,
                };
                if wish == Wish::Quit {
                    return Ok(());
                }
                if wish == Wish::Draw {
                    terminal.draw(|frame| self.draw(frame))?;
                }
            }
        }
    }

    fn key(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        let charts = 1 + self.metrics().len();
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Wish::Quit,
            KeyCode::Right => self.chart = (self.chart + 1) % charts,
            KeyCode::Left => self.chart = (self.chart + charts - 1) % charts,
            KeyCode::Down => self.scroll += 1,
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Char('x') => self.axis = self.axis.next(),
            _ => return Wish::Nothing,
        }
        Wish::Draw
    }

    /// Names of all metrics of all runs.
    fn metrics(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.runs.iter().flat_map(Run::metrics).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// One picture of a dashboard as text, without colours.
pub fn snapshot(dashboard: &Dashboard, width: u16, height: u16) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| dashboard.draw(frame));
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| format!("{}\n", row(y).trim_end())).collect()
}
