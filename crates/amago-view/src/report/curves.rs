//! Curves over training, over attempts and by task.

use super::page::{figure, grid};
use crate::parts::MEAN;
use crate::series::spread;
use crate::svg::{Chart, Curve, Row, bars};
use crate::{Attempts, Axis, Band, Group, Run, attempts, scores, tasks};

/// Charts of learning: title and metrics, of which the first that any run has is shown.
const LEARNING: [(&str, &[&str]); 16] = [
    ("return, evaluation", &["eval/return_mean"]),
    ("success, evaluation", &["eval/success"]),
    ("return while collecting", &["rollout/return_mean"]),
    ("loss", &["train/loss"]),
    ("actor loss", &["train/parts/actor_loss"]),
    ("critic loss", &["train/parts/critic_loss"]),
    ("entropy of the policy [nat]", &["train/parts/entropy"]),
    ("actions that the filter accepts [share]", &["train/parts/filter_pass"]),
    ("Q(s,a) of stored actions", &["train/parts/q_value"]),
    ("Q(s,a): spread over the critics", &["train/parts/q_std"]),
    ("advantage of stored actions", &["train/parts/advantage"]),
    ("advantage: spread over the critics", &["train/parts/advantage_std"]),
    ("gradient norm before clipping", &["train/grad_norm"]),
    ("updates per second", &["time/updates_per_second"]),
    ("env steps per second of collecting", &["time/env_steps_per_second"]),
    ("policy age in the replay [updates]", &["replay/policy_age"]),
];

/// Half the width of a band: the confidence interval of the mean.
fn points(band: &[Band]) -> Vec<(f64, f64, f64)> {
    band.iter().map(|b| (b.x, b.mean, b.confidence)).collect()
}

/// A chart for each metric that some run has.
pub(super) fn learning(runs: &[Run], groups: &[Group]) -> Vec<String> {
    let axis = Axis::EnvSteps;
    let chart = |(title, metrics): (&str, &[&str])| {
        let metric = metrics.iter().find(|m| runs.iter().any(|run| run.last(m).is_some()))?;
        let curve = |(i, group): (usize, &Group)| Curve {
            name: group.label.clone(),
            color: i,
            points: points(&group.band(runs, metric, axis)),
            dots: false,
        };
        let curves = groups.iter().enumerate().map(curve).collect();
        let chart =
            Chart { title: title.to_owned(), x_title: axis.title().to_owned(), curves, ..Chart::default() };
        Some(figure(&chart.svg(320.0, 210.0), ""))
    };
    let figures: Vec<_> = LEARNING.into_iter().filter_map(chart).collect();
    let most = groups.iter().map(|g| g.runs.len()).max().unwrap_or(0);
    let note = match most {
        0 | 1 => "One seed per curve: there is no band.".to_owned(),
        n => format!(
            "Means over seeds, {n} at most; bands are 95 % confidence intervals of the mean (Student's t)."
        ),
    };
    vec![grid(&figures), format!("<p class=\"n\">{note}</p>")]
}

/// Attempts of the newest evaluation of each run of a group; `None` without any.
fn last_attempts(runs: &[Run], group: &Group) -> Vec<Attempts> {
    let newest = |i: &usize| runs[*i].records.iter().rev().find_map(|r| attempts(r, "eval"));
    group.runs.iter().filter_map(newest).collect()
}

/// The in-context picture: what each attempt comes to, at the end of training and on the way there.
pub(super) fn adaptation(runs: &[Run], groups: &[Group]) -> Vec<String> {
    let mut curves = Vec::new();
    let mut what = "success";
    for (i, group) in groups.iter().enumerate() {
        let found = last_attempts(runs, group);
        let Some(first) = found.first() else { continue };
        what = first.what;
        let at = |attempt: usize| {
            let values: Vec<f64> = found.iter().filter_map(|a| a.values.get(attempt).copied()).collect();
            let b = spread((attempt + 1) as f64, &values);
            (b.x, b.mean, b.confidence)
        };
        let points = (0..first.values.len()).map(at).collect();
        curves.push(Curve { name: group.label.clone(), color: i, points, dots: true });
    }
    if curves.is_empty() {
        return Vec::new();
    }
    let include = if what == "success" { vec![0.0, 1.0] } else { Vec::new() };
    let chart = Chart {
        title: format!("{what} of each attempt, after training"),
        x_title: "attempt".to_owned(),
        curves,
        include: include.clone(),
        whole: true,
        ..Chart::default()
    };
    let mut figures = vec![figure(&chart.svg(480.0, 280.0), "")];
    figures.extend(groups.first().and_then(|group| on_the_way(runs, group, include)));
    vec![format!("<div class=\"grid\" style=\"grid-template-columns:1fr 1fr\">{}</div>", figures.concat())]
}

/// First, middle and last attempt over training, of one group.
fn on_the_way(runs: &[Run], group: &Group, include: Vec<f64>) -> Option<String> {
    let found = last_attempts(runs, group);
    let (n, what) = found.first().map(|a| (a.values.len(), a.what))?;
    let curve = |attempt: usize| -> Vec<Vec<(f64, f64)>> {
        let point = |r: &crate::Record| {
            Some((r.get(Axis::EnvSteps.metric())?, *attempts(r, "eval")?.values.get(attempt)?))
        };
        group.runs.iter().map(|i| runs[*i].records.iter().filter_map(point).collect()).collect()
    };
    let mut shown = vec![0, n / 2, n - 1];
    shown.dedup();
    let curves = shown.into_iter().enumerate().map(|(color, attempt)| Curve {
        name: format!("attempt {}", attempt + 1),
        color,
        points: points(&crate::band(&curve(attempt))),
        dots: false,
    });
    let chart = Chart {
        title: format!("{what} over training: {}", group.label),
        x_title: Axis::EnvSteps.title().to_owned(),
        curves: curves.collect(),
        include,
        ..Chart::default()
    };
    Some(figure(&chart.svg(480.0, 280.0), ""))
}

/// Figures of a record by task.
type ByTask = fn(&crate::Record, &str) -> Vec<(String, f64)>;

/// Mean return of every task in the last evaluation, and normalised scores where there are some.
pub(super) fn by_task(runs: &[Run], groups: &[Group]) -> Vec<String> {
    let returns = task_bars(runs, groups, tasks, "mean return of the last evaluation");
    let scores = task_bars(runs, groups, scores, "normalised score of the last evaluation");
    returns.into_iter().chain(scores).collect()
}

fn task_bars(runs: &[Run], groups: &[Group], of: ByTask, title: &str) -> Option<String> {
    let newest = |i: &usize| {
        runs[*i].records.iter().rev().map(|r| of(r, "eval")).find(|t| !t.is_empty()).unwrap_or_default()
    };
    let found: Vec<Vec<_>> = groups.iter().map(|g| g.runs.iter().map(newest).collect()).collect();
    let mut names: Vec<&String> = found.iter().flatten().flatten().map(|(name, _)| name).collect();
    names.sort_by_key(|name| (*name == MEAN, *name));
    names.dedup();
    let cell = |of_group: &Vec<Vec<(String, f64)>>, name: &String| {
        let values: Vec<f64> =
            of_group.iter().flatten().filter(|(task, _)| task == name).map(|(_, x)| *x).collect();
        let b = spread(0.0, &values);
        (b.n > 0).then_some((b.mean, b.confidence))
    };
    let rows: Vec<Row> =
        names.into_iter().map(|name| (name.clone(), found.iter().map(|g| cell(g, name)).collect())).collect();
    if rows.is_empty() {
        return None;
    }
    let labels: Vec<&str> = groups.iter().map(|g| g.label.as_str()).collect();
    let legend = match labels.as_slice() {
        [_] => String::new(),
        _ => format!("Bars from above: {}.", labels.join("; ")),
    };
    Some(figure(&bars(title, &labels, &rows), &legend))
}
