//! Results of an epoch by attempt and by task.

use crate::Record;

/// What each attempt at the same task came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempts {
    /// `success` or `return`.
    pub what: &'static str,
    /// One value per attempt, the first one first.
    pub values: Vec<f64>,
}

/// The attempts that a part of a record tells of: `part` is `eval` or `rollout`. An environment reports
/// them as `attempt {i} success` or `attempt {i} return`, or the same of a `trial`; success counts for
/// more.
pub fn attempts(record: &Record, part: &str) -> Option<Attempts> {
    ["success", "return"].into_iter().find_map(|what| {
        let number = |name: &str| {
            let name = name.strip_prefix(part)?.strip_prefix("/metrics/")?.strip_suffix(what)?.trim_end();
            let number = name.strip_prefix("attempt ").or_else(|| name.strip_prefix("trial "))?;
            number.parse::<usize>().ok()
        };
        let mut found: Vec<(usize, f64)> =
            record.scalars.iter().filter_map(|(name, value)| Some((number(name)?, *value))).collect();
        found.sort_by_key(|(i, _)| *i);
        let values: Vec<f64> = found.into_iter().map(|(_, value)| value).collect();
        (!values.is_empty()).then_some(Attempts { what, values })
    })
}

/// What the mean over tasks is called among them.
pub(crate) const MEAN: &str = "mean of tasks";

/// Mean return of each task that a part of a record tells of, and then the mean over several.
pub fn tasks(record: &Record, part: &str) -> Vec<(String, f64)> {
    by_task(record, part, "return_mean")
}

/// The same of normalised scores, where tasks have reference returns.
pub fn scores(record: &Record, part: &str) -> Vec<(String, f64)> {
    by_task(record, part, "score")
}

fn by_task(record: &Record, part: &str, figure: &str) -> Vec<(String, f64)> {
    let name = |name: &str| {
        let name =
            name.strip_prefix(part)?.strip_prefix("/tasks/")?.strip_suffix(figure)?.strip_suffix('/')?;
        Some(name.to_owned())
    };
    let mean = record.get(&format!("{part}/task_mean/{figure}"));
    let tasks = record.scalars.iter().filter_map(|(path, value)| Some((name(path)?, *value)));
    tasks.chain(mean.map(|mean| (MEAN.to_owned(), mean))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_in_order_and_tasks_by_name() {
        let mut record = Record::default();
        for i in 0..12 {
            record.scalars.insert(format!("eval/metrics/attempt {i} success"), f64::from(i));
            record.scalars.insert(format!("eval/metrics/attempt {i} return"), 0.0);
            record.scalars.insert(format!("rollout/metrics/trial {i} return"), f64::from(-i));
        }
        record.scalars.insert("eval/tasks/maze a/return_mean".to_owned(), 2.0);
        let eval = attempts(&record, "eval").expect("attempts");
        assert_eq!((eval.what, eval.values), ("success", (0..12).map(f64::from).collect()));
        let rollout = attempts(&record, "rollout").expect("attempts");
        assert_eq!((rollout.what, rollout.values[11]), ("return", -11.0));
        assert_eq!(tasks(&record, "eval"), [("maze a".to_owned(), 2.0)]);
        record.scalars.insert("eval/tasks/maze b/return_mean".to_owned(), 4.0);
        record.scalars.insert("eval/tasks/maze b/score".to_owned(), 0.5);
        record.scalars.insert("eval/task_mean/return_mean".to_owned(), 3.0);
        let names = ["maze a", "maze b", MEAN].map(str::to_owned);
        let expected: Vec<(String, f64)> = names.into_iter().zip([2.0, 4.0, 3.0]).collect();
        assert_eq!(tasks(&record, "eval"), expected);
        assert_eq!(scores(&record, "eval"), [("maze b".to_owned(), 0.5)]);
        assert_eq!(attempts(&Record::default(), "eval"), None);
    }
}
