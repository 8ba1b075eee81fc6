//! From episodes to means.

use std::collections::BTreeMap;

use amago_env::vector::EpisodeStats;

use super::{EvalReport, TaskReport};
use crate::Reference;

/// Means over episodes. A metric that only some episodes report is averaged over those.
pub(crate) fn summarize(episodes: &[EpisodeStats], references: &BTreeMap<String, Reference>) -> EvalReport {
    let tasks = by_task(episodes, references);
    let returns: Vec<f64> = episodes.iter().map(|e| e.episode_return).collect();
    let lengths: Vec<usize> = episodes.iter().map(|e| e.length).collect();
    let mut named: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in episodes.iter().flat_map(|e| &e.metrics) {
        named.entry(name.clone()).or_default().push(*value);
    }
    let successes: Vec<f64> = episodes.iter().filter_map(|e| e.success).map(f64::from).collect();
    let return_mean = mean(&returns);
    let squares: f64 = returns.iter().map(|r| (r - return_mean).powi(2)).sum();
    EvalReport {
        return_mean,
        return_std: if returns.len() > 1 { (squares / (returns.len() - 1) as f64).sqrt() } else { 0.0 },
        return_bottom_fifth: bottom_fifth(&returns),
        length_mean: mean(&lengths.iter().map(|l| *l as f64).collect::<Vec<_>>()),
        success: (!successes.is_empty()).then(|| mean(&successes)),
        metrics: named.into_iter().map(|(name, values)| (name, mean(&values))).collect(),
        task_mean: task_mean(&tasks),
        tasks,
        returns,
        lengths,
        faults: 0,
        cut: episodes.iter().filter(|e| e.cut).count(),
        steps_per_second: 0.0,
    }
}

fn by_task(
    episodes: &[EpisodeStats],
    references: &BTreeMap<String, Reference>,
) -> BTreeMap<String, TaskReport> {
    let mut tasks: BTreeMap<&str, Vec<&EpisodeStats>> = BTreeMap::new();
    for episode in episodes {
        tasks.entry(&episode.task).or_default().push(episode);
    }
    let report = |name: &str, episodes: Vec<&EpisodeStats>| {
        let successes: Vec<f64> = episodes.iter().filter_map(|e| e.success).map(f64::from).collect();
        let return_mean = mean(&episodes.iter().map(|e| e.episode_return).collect::<Vec<_>>());
        TaskReport {
            episodes: episodes.len(),
            return_mean,
            score: references.get(name).map(|reference| reference.score(return_mean)),
            success: (!successes.is_empty()).then(|| mean(&successes)),
        }
    };
    tasks.into_iter().map(|(name, episodes)| (name.to_owned(), report(name, episodes))).collect()
}

/// Means over several tasks; of success and score where all have one.
fn task_mean(tasks: &BTreeMap<String, TaskReport>) -> Option<TaskReport> {
    let over = |of: fn(&TaskReport) -> Option<f64>| {
        let all: Option<Vec<f64>> = tasks.values().map(of).collect();
        all.map(|all| mean(&all))
    };
    (tasks.len() > 1).then(|| TaskReport {
        episodes: tasks.values().map(|task| task.episodes).sum(),
        return_mean: over(|task| Some(task.return_mean)).unwrap_or(0.0),
        success: over(|task| task.success),
        score: over(|task| task.score),
    })
}

fn bottom_fifth(returns: &[f64]) -> f64 {
    let mut lowest = returns.to_vec();
    lowest.sort_by(f64::total_cmp);
    lowest.truncate(returns.len().div_ceil(5));
    mean(&lowest)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_fifth_is_one_episode_at_least() {
        assert_eq!(bottom_fifth(&[]), 0.0);
        assert_eq!(bottom_fifth(&[3.0]), 3.0);
        assert_eq!(bottom_fifth(&[3.0, -1.0, 5.0, 4.0, 9.0]), -1.0);
        assert_eq!(bottom_fifth(&[3.0, -1.0, 5.0, 4.0, 9.0, 2.0]), 0.5);
    }
}
