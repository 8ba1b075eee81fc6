//! Results side by side, as a table or as JSON.

use amago_env::TaskSpec;
use amago_env::registry::OptionDoc;
use amago_trainer::{EvalReport, InspectSummary, TaskReport};
use serde_json::json;

/// A table of players with their results. Tasks with attempts show the first and the last one.
pub fn table(rows: &[(&str, &EvalReport)]) -> String {
    let mut header = vec!["".to_owned(), "return".to_owned(), "length".to_owned(), "success".to_owned()];
    let attempts = rows.first().and_then(|(_, r)| first_and_last_attempt(r));
    if attempts.is_some() {
        header.extend(["first attempt".to_owned(), "last attempt".to_owned()]);
    }
    let mut lines = vec![header];
    for (name, r) in rows {
        let percent = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{:.1} %", 100.0 * x));
        let mut line = vec![
            (*name).to_owned(),
            format!("{:.3} +- {:.3}", r.return_mean, r.return_std),
            format!("{:.1}", r.length_mean),
            percent(r.success),
        ];
        if attempts.is_some() {
            let pair = first_and_last_attempt(r);
            line.extend([percent(pair.map(|p| p.0)), percent(pair.map(|p| p.1))]);
        }
        lines.push(line);
    }
    align(&lines)
}

/// A line for each of several tasks, and one for their mean.
pub fn tasks(report: &EvalReport) -> String {
    let Some(mean) = &report.task_mean else { return String::new() };
    let header = ["task", "episodes", "return", "success", "score"];
    let line = |name: &str, task: &TaskReport| {
        vec![
            name.to_owned(),
            task.episodes.to_string(),
            format!("{:.3}", task.return_mean),
            task.success.map_or_else(|| "-".to_owned(), |x| format!("{:.1} %", 100.0 * x)),
            task.score.map_or_else(|| "-".to_owned(), |x| format!("{x:.3}")),
        ]
    };
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(report.tasks.iter().map(|(name, task)| line(name, task)));
    lines.push(line("mean of tasks", mean));
    align(&lines)
}

/// Every named metric of a report, one per line.
pub fn metrics(report: &EvalReport) -> String {
    report.metrics.iter().map(|(name, value)| format!("  {name}: {value:.3}\n")).collect()
}

/// One JSON object with everything that was measured.
pub fn json(report: &EvalReport) -> serde_json::Value {
    json!({
        "mean": report.return_mean,
        "std": report.return_std,
        "length_mean": report.length_mean,
        "success": report.success,
        "metrics": report.metrics,
        "tasks": report.tasks,
        "task_mean": report.task_mean,
        "returns": report.returns,
        "lengths": report.lengths,
        "cut": report.cut,
        "steps_per_second": report.steps_per_second,
    })
}

/// What an environment is, as text.
pub fn env_text(id: &str, about: &str, options: &[OptionDoc], spec: &TaskSpec) -> String {
    let (observation, action) = (&spec.observation_space, &spec.action_space);
    let option = |o: &OptionDoc| format!("    {} = {}\n        {}\n", o.name, o.default, o.doc);
    let options: String = options.iter().map(option).collect();
    format!("{id}\n    {about}\n    observation {observation}\n    action      {action}\n{options}\n")
}

/// What an environment is, as JSON.
pub fn env(id: &str, about: &str, options: &[OptionDoc], spec: &TaskSpec) -> serde_json::Value {
    let options = options.iter();
    let options: Vec<_> =
        options.map(|o| json!({ "name": o.name, "default": o.default, "doc": o.doc })).collect();
    json!({
        "id": id,
        "summary": about,
        "observation": spec.observation_space.to_string(),
        "action": spec.action_space.to_string(),
        "options": options,
    })
}

/// So many of a thing whose plural has an s.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What an inspection found, in one line.
pub fn values(found: &InspectSummary) -> String {
    let InspectSummary { trajectories, steps, filter_pass, q, advantage, q_std, advantage_std } = found;
    let accepted = 100.0 * filter_pass;
    format!(
        "{} of {}: the filter accepts {accepted:.1} % (all discounts); acting discount: \
         mean Q {q:.4}, spread {q_std:.4}; mean advantage {advantage:.4}, spread {advantage_std:.4}",
        count(*steps, "step"),
        if *trajectories == 1 { "1 trajectory".to_owned() } else { format!("{trajectories} trajectories") },
    )
}

/// Success of the first and the last attempt, where the task counts attempts.
fn first_and_last_attempt(report: &EvalReport) -> Option<(f64, f64)> {
    let attempt = |name: &str| name.strip_prefix("attempt ")?.strip_suffix(" success")?.parse::<usize>().ok();
    let mut attempts: Vec<(usize, f64)> =
        report.metrics.iter().filter_map(|(name, value)| Some((attempt(name)?, *value))).collect();
    attempts.sort_by_key(|(i, _)| *i);
    Some((attempts.first()?.1, attempts.last()?.1))
}

/// Cells in columns.
pub fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |c: usize| lines.iter().filter_map(|l| l.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        out.push_str(cells.join("   ").trim_end());
        out.push('\n');
    }
    out
}
