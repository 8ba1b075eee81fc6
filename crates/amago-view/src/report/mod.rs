//! A report of runs: one HTML page that needs nothing else.

mod curves;
mod page;
mod scene;

pub use scene::Scene;

use crate::svg::escape;
use crate::text::{number, span};
use crate::{Run, ViewError, attempts, differences, groups};

/// Makes the page. `scene` is what one agent did in one episode, or why it could not be played.
///
/// # Errors
/// When a picture cannot be encoded.
pub fn html(runs: &[Run], scene: Result<&Scene, String>) -> Result<String, ViewError> {
    let groups = groups(runs);
    let title = match groups.as_slice() {
        [one] => one.label.clone(),
        _ => format!("{} settings of {}", groups.len(), runs.first().map_or("nothing".to_owned(), Run::env)),
    };
    let mut body = page::section("Result", &[results(runs)]);
    body += &page::section("Adaptation in context", &curves::adaptation(runs, &groups));
    body += &match scene {
        Ok(scene) => scene::section(scene)?,
        Err(reason) => page::section("One episode", &[format!("<p>Not played: {}</p>", escape(&reason))]),
    };
    body += &page::section("Learning curves", &curves::learning(runs, &groups));
    body += &page::section("By task", &curves::by_task(runs, &groups));
    body += &page::section("Settings", &settings(runs));
    body += &page::section("Machine, and how to repeat it", &machines(runs));
    Ok(page::page(&title, &body))
}

/// A line per run with where it ended.
fn results(runs: &[Run]) -> String {
    let head = [
        "run",
        "environment",
        "seed",
        "epochs",
        "steps",
        "updates",
        "time",
        "return",
        "first attempt",
        "last attempt",
    ];
    let rows = runs.iter().map(|run| {
        let show = |metric: &str| run.last(metric).map_or_else(|| "-".to_owned(), number);
        let count = |metric: &str| run.last(metric).map_or_else(|| "-".to_owned(), |x| x.to_string());
        let tried = run.records.iter().rev().find_map(|r| attempts(r, "eval"));
        let attempt = |x: Option<&f64>| x.map_or_else(|| "-".to_owned(), |x| number(*x));
        let values = tried.map(|t| t.values).unwrap_or_default();
        vec![
            run.name.clone(),
            run.env(),
            run.seed().to_string(),
            format!("{} of {}", run.records.last().map_or(0, |r| r.epoch), run.epochs()),
            count("env_steps"),
            count("updates"),
            run.last("time/wall").map_or_else(|| "-".to_owned(), span),
            format!("{} +- {}", show("eval/return_mean"), show("eval/return_std")),
            attempt(values.first()),
            attempt(values.last()),
        ]
    });
    page::table(&head, rows)
        + "<p class=\"n\">Return: mean and standard deviation over the episodes of the last \
        evaluation. Attempts: success, or else return, of the first and the last one.</p>"
}

/// What differs between the runs, and every setting of each.
fn settings(runs: &[Run]) -> Vec<String> {
    let mut parts = Vec::new();
    let differing = differences(runs);
    if runs.len() > 1 {
        let head: Vec<&str> = ["setting"].into_iter().chain(runs.iter().map(|r| r.name.as_str())).collect();
        let cell = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let rows = differing
            .into_iter()
            .map(|(path, values)| [path].into_iter().chain(values.into_iter().map(cell)).collect());
        let rows: Vec<Vec<String>> = rows.collect();
        parts.push(match rows.is_empty() {
            true => "<p>The runs differ in nothing but their seeds.</p>".to_owned(),
            false => page::table(&head, rows),
        });
    }
    for run in runs {
        let (name, text) = (escape(&run.name), escape(&run.config_text));
        parts.push(format!("<details><summary>All settings of {name}</summary><pre>{text}</pre></details>"));
    }
    parts
}

fn machines(runs: &[Run]) -> Vec<String> {
    let head = ["run", "device", "processor", "threads", "system", "amago", "updates/s", "env steps/s"];
    let rows = runs.iter().map(|run| {
        let m = &run.machine;
        let or = |text: Option<String>| text.filter(|t| !t.is_empty()).unwrap_or_else(|| "-".to_owned());
        vec![
            run.name.clone(),
            or(Some(m.device.clone())),
            or(m.cpu.clone()),
            or(m.threads.map(|n| n.to_string())),
            or(Some(m.system.clone())),
            or(Some(m.version.clone())),
            or(run.last("time/updates_per_second").map(number)),
            or(run.last("time/env_steps_per_second").map(number)),
        ]
    });
    let commands = runs.iter().map(|run| {
        let (name, path) = (escape(&run.name), escape(&run.path.display().to_string()));
        format!("amago train {path}/config.toml --run-dir {name}-again\n")
    });
    let note = "<p class=\"n\">A run's folder holds its resolved config; its text is above, too. On the same kind of \
        machine and backend a run repeats itself.</p>";
    vec![page::table(&head, rows), format!("<pre>{}</pre>{note}", commands.collect::<String>())]
}
