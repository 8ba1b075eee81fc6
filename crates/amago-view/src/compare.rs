//! Runs side by side: which belong together, what sets them apart, and their curves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::series::{at, limits};
use crate::text::number;
use crate::{Axis, Band, Run, ViewError, band};

/// Runs with the same settings but for the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What sets it apart from the other groups; the environment where there is but one.
    pub label: String,
    /// Numbers of its runs.
    pub runs: Vec<usize>,
}

/// Settings that differ between some runs, with the value of each run; absent where it has no such setting.
pub fn differences(runs: &[Run]) -> Vec<(String, Vec<Option<String>>)> {
    let mut all: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        for (path, value) in run.settings() {
            all.entry(path).or_insert_with(|| vec![None; runs.len()])[i] = Some(value);
        }
    }
    all.into_iter().filter(|(_, values)| values.iter().any(|v| *v != values[0])).collect()
}

/// Puts runs that differ by their seeds alone together, in the order of their first ones.
pub fn groups(runs: &[Run]) -> Vec<Group> {
    let differences = differences(runs);
    let mut groups: Vec<(Vec<&Option<String>>, Group)> = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        let own: Vec<_> = differences.iter().map(|(_, values)| &values[i]).collect();
        match groups.iter_mut().find(|(key, _)| *key == own) {
            Some((_, group)) => group.runs.push(i),
            None => {
                let label = label(run, &differences, i);
                groups.push((own, Group { label, runs: vec![i] }));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// At most two settings, by the last parts of their paths; else the name of the folder.
fn label(run: &Run, differences: &[(String, Vec<Option<String>>)], i: usize) -> String {
    let short = |path: &String| path.rsplit('.').next().unwrap_or(path).to_owned();
    let value = |values: &[Option<String>]| values[i].clone().unwrap_or_else(|| "-".to_owned());
    match differences {
        [] => run.env(),
        [..] if differences.len() <= 2 => {
            let parts =
                differences.iter().map(|(path, values)| format!("{} = {}", short(path), value(values)));
            parts.collect::<Vec<_>>().join(", ")
        }
        _ => run.name.clone(),
    }
}

impl Group {
    /// Mean and spread of a metric over the runs of the group.
    pub fn band(&self, runs: &[Run], metric: &str, axis: Axis) -> Vec<Band> {
        band(&self.runs.iter().map(|i| runs[*i].series(metric, axis)).collect::<Vec<_>>())
    }
}

/// One metric of several groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The metric.
    pub metric: String,
    /// What it is shown over.
    pub axis: Axis,
    /// Place on the axis that all groups reach.
    pub common: f64,
    /// Label, curve and value at the common place, of each group that has the metric.
    pub groups: Vec<(Group, Vec<Band>, Option<Band>)>,
}

impl Comparison {
    /// Compares a metric.
    ///
    /// # Errors
    /// When no run has it.
    pub fn new(runs: &[Run], metric: &str, axis: Axis) -> Result<Self, ViewError> {
        let curves = groups(runs).into_iter().map(|g| (g.band(runs, metric, axis), g));
        let found: Vec<_> = curves.filter(|(curve, _)| !curve.is_empty()).collect();
        if found.is_empty() {
            let mut known: Vec<&str> = runs.iter().flat_map(Run::metrics).collect();
            known.sort_unstable();
            known.dedup();
            return Err(ViewError::NoMetric { name: metric.to_owned(), known: known.join(", ") });
        }
        let ends = found.iter().filter_map(|(curve, _)| Some(curve.last()?.x));
        let common = ends.fold(f64::INFINITY, f64::min);
        let groups = found.into_iter().map(|(curve, group)| {
            let there = at(&curve, common);
            (group, curve, there)
        });
        Ok(Self { metric: metric.to_owned(), axis, common, groups: groups.collect() })
    }

    /// A table with a line per group: seeds, value where all can be compared, and value at the group's own
    /// end.
    pub fn table(&self) -> Vec<Vec<String>> {
        let title = format!("{} at {} {}", self.metric, number(self.common), self.axis.title());
        let mut lines = vec![["", "seeds", &title, "std", "95 %", "at its end"].map(str::to_owned).to_vec()];
        for (i, (group, curve, there)) in self.groups.iter().enumerate() {
            let show = |f: fn(&Band) -> f64| there.as_ref().map_or_else(|| "-".to_owned(), |b| number(f(b)));
            // A run that has no such metric yet is in the group, but not in its mean.
            let seeds = curve.first().map_or(0, |b| b.n);
            let several = |text: String| if seeds > 1 { text } else { "-".to_owned() };
            let end = curve.last().map_or_else(
                || "-".to_owned(),
                |b| format!("{} ({} {})", number(b.mean), number(b.x), self.axis.title()),
            );
            lines.push(vec![
                format!("{} {}", MARKS[i % MARKS.len()], group.label),
                seeds.to_string(),
                show(|b| b.mean),
                several(show(|b| b.std)),
                several(format!("+- {}", show(|b| b.confidence))),
                end,
            ]);
        }
        lines
    }

    /// The curves as text of so many columns and rows, one sign per group; with colours of a terminal or
    /// without. Spreads over seeds are dots.
    pub fn plot(&self, [width, height]: [usize; 2], colored: bool) -> String {
        let bands = || self.groups.iter().flat_map(|(_, curve, _)| curve);
        let (left, right) = limits(bands().map(|b| b.x));
        let (low, high) = limits(bands().flat_map(|b| [b.mean - b.std, b.mean + b.std]));
        let labels = [number(high), number((low + high) / 2.0), number(low)];
        let margin = labels.iter().map(String::len).max().unwrap_or(0) + 1;
        let columns = width.saturating_sub(margin + 1).max(8);
        let mut grid = vec![vec![(' ', usize::MAX); columns]; height];
        let row = |y: f64| {
            let share = (y - low) / (high - low);
            height - 1 - ((share * (height - 1) as f64).round() as usize).min(height - 1)
        };
        for (i, (_, curve, _)) in self.groups.iter().enumerate() {
            for column in 0..columns {
                let x = left + (right - left) * column as f64 / (columns - 1) as f64;
                let Some(b) = at(curve, x) else { continue };
                for cell in grid[row(b.mean + b.std)..=row(b.mean - b.std)].iter_mut().map(|r| &mut r[column])
                {
                    if cell.0 == ' ' {
                        *cell = ('.', i);
                    }
                }
                grid[row(b.mean)][column] = (MARKS[i % MARKS.len()], i);
            }
        }
        let mut out = String::new();
        for (y, line) in grid.iter().enumerate() {
            let label = match y {
                0 => &labels[0],
                y if y == height / 2 => &labels[1],
                y if y + 1 == height => &labels[2],
                _ => "",
            };
            out.push_str(&format!("{label:>margin$}|{}\n", paint(line, colored)));
        }
        let (start, end) = (number(left), format!("{} {}", number(right), self.axis.title()));
        let room = columns.saturating_sub(start.len());
        out.push_str(&format!(
            "{:>margin$}+{}\n{:>margin$} {start}{end:>room$}\n",
            "",
            "-".repeat(columns),
            ""
        ));
        out
    }

    /// Everything as JSON.
    pub fn json(&self, runs: &[Run]) -> Value {
        let point = |b: &Band| {
            let Band { x, mean, std, confidence, n } = b;
            json!({"x": x, "mean": mean, "std": std, "confidence": confidence, "seeds": n})
        };
        let group = |(group, curve, there): &(Group, Vec<Band>, Option<Band>)| {
            json!({
                "label": group.label,
                "runs": group.runs.iter().map(|i| runs[*i].path.display().to_string()).collect::<Vec<_>>(),
                "at_common": there.as_ref().map(point),
                "curve": curve.iter().map(point).collect::<Vec<_>>(),
            })
        };
        json!({
            "metric": self.metric,
            "axis": self.axis.metric(),
            "common": self.common,
            "groups": self.groups.iter().map(group).collect::<Vec<_>>(),
        })
    }
}

/// One sign per group.
const MARKS: [char; 6] = ['o', 'x', '+', '*', '#', '@'];

/// A line of cells, each with the number of its group, in the colours of ANSI terminals.
fn paint(line: &[(char, usize)], colored: bool) -> String {
    const COLORS: [u8; 6] = [36, 33, 35, 32, 94, 91];
    let mut out = String::new();
    for (sign, group) in line {
        match (colored, sign) {
            (false, _) | (_, ' ') => out.push(*sign),
            (true, _) => out.push_str(&format!("\x1b[{}m{sign}\x1b[0m", COLORS[group % COLORS.len()])),
        }
    }
    out.trim_end().to_owned()
}
