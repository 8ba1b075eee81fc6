//! The picture of a dashboard.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis as ChartAxis, Block, Chart, Dataset, GraphType, Paragraph};

use super::figures::{known, values};
use super::{Dashboard, Status};
use crate::parts::{attempts, scores, tasks};
use crate::series::limits;
use crate::text::{count, ending, number, span, spark};
use crate::{Axis, Run};

/// One colour per run, round and round.
const COLORS: [Color; 6] =
    [Color::Cyan, Color::Yellow, Color::Magenta, Color::Green, Color::LightBlue, Color::LightRed];

/// A curve in its colour, which is that of the run's name in the first lines.
type Curve = (Color, Vec<(f64, f64)>);

impl Dashboard {
    /// Draws everything; 80 columns and 24 rows are enough.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let heads = (self.runs.len() as u16).min(6);
        let parts = [
            Constraint::Length(heads),
            Constraint::Min(6),
            Constraint::Length(if self.runs.len() == 1 { 14 } else { 11 }),
            Constraint::Length(1),
        ];
        let [head, middle, bottom, foot] = Layout::vertical(parts).areas(frame.area());
        self.draw_heads(frame, head);
        let side = Constraint::Length(if middle.width >= 70 { 30 } else { 0 });
        let [chart, parts] = Layout::horizontal([Constraint::Min(20), side]).areas(middle);
        self.draw_chart(frame, chart);
        self.draw_parts(frame, parts);
        match self.runs.as_slice() {
            [run] => draw_figures(frame, bottom, run),
            _ => self.draw_table(frame, bottom),
        }
        self.draw_foot(frame, foot);
    }

    fn draw_heads(&self, frame: &mut Frame<'_>, area: Rect) {
        let status = self.live.as_ref().map(|live| live.with(|s| s.clone()));
        let lines =
            self.runs.iter().enumerate().map(|(i, run)| head(run, color(i), status.as_ref(), area.width));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
    }

    /// Name and curves of the chart that is chosen.
    fn curves(&self) -> (String, Vec<Curve>) {
        let of_each = |points: &dyn Fn(&Run) -> Vec<(f64, f64)>| -> Vec<Curve> {
            self.runs.iter().enumerate().map(|(i, run)| (color(i), points(run))).collect()
        };
        let metrics = self.metrics();
        if let Some(metric) = self.chart.checked_sub(1).and_then(|i| metrics.get(i)) {
            return ((*metric).to_owned(), of_each(&|run| run.series(metric, self.axis)));
        }
        let evaluated = |run: &Run| run.series("eval/return_mean", self.axis);
        let collected = |run: &Run| run.series("rollout/return_mean", self.axis);
        if let [run] = self.runs.as_slice() {
            let curves = vec![(Color::DarkGray, collected(run)), (color(0), evaluated(run))];
            return ("return (grey: train)".to_owned(), curves);
        }
        let best =
            |run: &Run| Some(evaluated(run)).filter(|c| !c.is_empty()).unwrap_or_else(|| collected(run));
        ("return, eval".to_owned(), of_each(&best))
    }

    fn draw_chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let (title, curves) = self.curves();
        let points = || curves.iter().flat_map(|(_, points)| points);
        let block = Block::bordered().title(format!(" {title} over {} ", self.axis.title()));
        if points().next().is_none() {
            frame.render_widget(Paragraph::new("no values yet").block(block), area);
            return;
        }
        let [x, y] = [limits(points().map(|p| p.0)), limits(points().map(|p| p.1))].map(|(a, b)| [a, b]);
        let sets = curves.iter().map(|(color, points)| {
            let kind = if points.len() > 1 { GraphType::Line } else { GraphType::Scatter };
            let set = Dataset::default().marker(Marker::Braille).graph_type(kind).data(points);
            set.style(Style::new().fg(*color))
        });
        let labels = |[low, high]: [f64; 2]| [number(low), number((low + high) / 2.0), number(high)];
        let chart = Chart::new(sets.collect())
            .block(block)
            .x_axis(ChartAxis::default().bounds(x).labels(axis_labels(self.axis, x)).gray())
            .y_axis(ChartAxis::default().bounds(y).labels(labels(y)).gray());
        frame.render_widget(chart, area);
    }

    /// What each attempt and task came to in the newest evaluation.
    fn draw_parts(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.width == 0 {
            return;
        }
        let width = usize::from(area.width.saturating_sub(2));
        let (title, lines) = match self.runs.as_slice() {
            [run] => bars_of(run, width),
            runs => {
                let lines = runs.iter().enumerate().filter_map(|(i, run)| first_to_last(run, i, width));
                ("attempts: first > last".to_owned(), lines.collect())
            }
        };
        let block = Block::bordered().title(format!(" {title} "));
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    /// A column per run.
    fn draw_table(&self, frame: &mut Frame<'_>, area: Rect) {
        let figures = known(&self.runs);
        let rows = usize::from(area.height.saturating_sub(2));
        let skip = self.scroll.min(figures.len().saturating_sub(rows));
        let shown = usize::from(area.width.saturating_sub(18)) / 14;
        let mut lines = Vec::new();
        for (label, metric) in figures.into_iter().skip(skip).take(rows) {
            let mut spans = vec![Span::from(format!("{label:<16}"))];
            for (i, run) in self.runs.iter().enumerate().take(shown) {
                let value = run.last(metric).map_or_else(|| "-".to_owned(), number);
                spans.push(Span::from(format!("{value:>14}")).fg(color(i)));
            }
            lines.push(Line::from(spans));
        }
        let hidden = self.runs.len().saturating_sub(shown);
        let more = if hidden > 0 { format!(" {hidden} runs more in a wider window ") } else { String::new() };
        let block = Block::bordered().title(" figures ").title_bottom(more);
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn draw_foot(&self, frame: &mut Frame<'_>, area: Rect) {
        let message = self.live.as_ref().map(|live| live.with(|s| s.message.clone()));
        let line = match (&self.error, message.filter(|m| !m.is_empty())) {
            (Some(error), _) => Line::from(error.clone()).red(),
            (None, Some(message)) => Line::from(message),
            (None, None) => Line::from(" q quit   ← → chart   x axis   ↑ ↓ figures").dim(),
        };
        frame.render_widget(Paragraph::new(line), area);
    }
}

fn color(run: usize) -> Color {
    COLORS[run % COLORS.len()]
}

/// Bars for the attempts and tasks of one run, with a title for the first of them.
fn bars_of(run: &Run, width: usize) -> (String, Vec<Line<'static>>) {
    let Some((part, record)) = newest(run) else { return ("adaptation".to_owned(), Vec::new()) };
    let mut by_task = bars(&tasks(record, part), width);
    let scores = scores(record, part);
    if !scores.is_empty() {
        by_task.push(Line::from("normalised score").dim());
        by_task.extend(bars(&scores, width));
    }
    let title = format!("return by task, {part}");
    let Some(found) = attempts(record, part) else { return (title, by_task) };
    let rows = found.values.iter().enumerate().map(|(i, x)| (format!("{}", i + 1), *x));
    let mut lines = bars(&rows.collect::<Vec<_>>(), width);
    if by_task.len() > 1 {
        lines.push(Line::from(title).dim());
        lines.extend(by_task);
    }
    (format!("{} by attempt, {part}", found.what), lines)
}

/// Attempts of one of several runs in a line: their course, and the first and the last one.
fn first_to_last(run: &Run, i: usize, width: usize) -> Option<Line<'static>> {
    let (part, record) = newest(run)?;
    let values = attempts(record, part)?.values;
    let ends = format!("{} > {}", number(*values.first()?), number(*values.last()?));
    let course = spark(&values, 6);
    let room = width.saturating_sub(ends.chars().count() + 8);
    let name = ending(&run.name, room);
    Some(Line::from(format!("{name:<room$} {course} {ends}")).fg(color(i)))
}

/// The newest record with an evaluation, else the newest with episodes.
fn newest(run: &Run) -> Option<(&'static str, &crate::Record)> {
    let with = |part: &'static str| {
        let has = |r: &&crate::Record| attempts(r, part).is_some() || !tasks(r, part).is_empty();
        Some((part, run.records.iter().rev().find(has)?))
    };
    with("eval").or_else(|| with("rollout"))
}

/// Name, place and state of a run in one line.
fn head(run: &Run, color: Color, status: Option<&Status>, width: u16) -> Line<'static> {
    let last = run.records.last();
    let figure = |name| last.and_then(|r| r.get(name)).unwrap_or(0.0);
    let left = run.last("time/left").map_or_else(String::new, |s| format!("  {} left", span(s)));
    let state = match (status, run.idle()) {
        (Some(s), _) if s.total > 0 => format!("{} {}/{}{left}", s.phase, s.done, s.total),
        _ if run.is_finished() => format!("finished in {}", span(figure("time/wall"))),
        (_, Some(idle)) if idle > 120.0 => format!("silent for {}", span(idle)),
        _ => format!("running{left}"),
    };
    let place = format!(
        "  epoch {}/{}  {} steps  {} updates  ",
        last.map_or(0, |r| r.epoch),
        run.epochs(),
        count(figure("env_steps")),
        count(figure("updates"))
    );
    let room = usize::from(width).saturating_sub(place.chars().count() + state.chars().count() + 1);
    let full = format!("{} {}", run.name, run.env());
    let name = if full.chars().count() <= room { full } else { ending(&run.name, room.max(8)) };
    Line::from(vec![
        Span::styled(format!(" {name}"), Style::new().fg(color).add_modifier(Modifier::BOLD)),
        Span::from(place),
        Span::from(state).bold(),
    ])
}

/// Two columns of label, value and trend.
fn draw_figures(frame: &mut Frame<'_>, area: Rect, run: &Run) {
    let runs = std::slice::from_ref(run);
    let figures = known(runs);
    let block = Block::bordered().title(" figures ");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas::<2>(inner);
    let rows = figures.len().div_ceil(2);
    for (column, figures) in columns.into_iter().zip(figures.chunks(rows.max(1))) {
        let width = usize::from(column.width).saturating_sub(16 + 10 + 2);
        let line = |(label, metric): &(&str, &str)| {
            let values = values(run, metric);
            let value = values.last().map_or_else(|| "-".to_owned(), |x| number(*x));
            let trend = Span::from(spark(&values, width)).fg(COLORS[0]);
            Line::from(vec![Span::from(format!("{label:<16}{value:>10} ")), trend])
        };
        frame.render_widget(Paragraph::new(figures.iter().map(line).collect::<Vec<_>>()), column);
    }
}

/// A bar for each value, from zero to the largest, or to one where all are less.
fn bars(rows: &[(String, f64)], width: usize) -> Vec<Line<'static>> {
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(width / 2);
    let room = width.saturating_sub(widest + 9);
    let high = rows.iter().map(|(_, x)| x.abs()).fold(1.0, f64::max);
    let line = |(name, x): &(String, f64)| {
        let full = (x.max(0.0) / high * (room * 8) as f64).round() as usize;
        let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][full % 8];
        let bar = format!("{}{part}", "█".repeat(full / 8));
        let bar = Span::from(format!("{bar:<room$}")).fg(COLORS[0]);
        let name = format!("{:>widest$} ", ending(name, widest));
        Line::from(vec![Span::from(name), bar, Span::from(format!(" {:>7}", number(*x)))])
    };
    rows.iter().map(line).collect()
}

fn axis_labels(axis: Axis, [low, high]: [f64; 2]) -> [String; 2] {
    match axis {
        Axis::Time => [span(low), span(high)],
        _ => [count(low), count(high)],
    }
}
