//! Episodes without exploration, of an agent or of the random policy.

use std::collections::BTreeMap;
use std::time::Instant;

use amago_env::vector::{EpisodeStats, VecEnv};
use amago_env::{Env, Role};

use crate::faults::{Faults, replaced};
use crate::player::Player;
use crate::{Event, Observer, Plan, Play, StopFlag, TrainError};

/// Environments that an evaluation or a rollout steps together, at most.
pub const MAX_PARALLEL: usize = 64;

/// Result of some episodes.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct EvalReport {
    /// Mean return.
    pub return_mean: f64,
    /// Standard deviation of the return (of the sample, divisor `n − 1`).
    pub return_std: f64,
    /// Mean length in steps.
    pub length_mean: f64,
    /// Share of solved episodes, where the task defines success.
    pub success: Option<f64>,
    /// Means of the environment's own metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The same of each task, by the name that the environment gives it.
    #[serde(default)]
    pub tasks: BTreeMap<String, TaskReport>,
    /// Return of each episode; counted in bins in `metrics.jsonl`.
    #[serde(default)]
    pub returns: Vec<f64>,
    /// Length of each episode; counted in bins in `metrics.jsonl`.
    #[serde(default)]
    pub lengths: Vec<usize>,
    /// Environments that failed and were replaced; their episodes are not counted.
    #[serde(default)]
    pub faults: u64,
    /// Steps per second over all environments, policy included.
    pub steps_per_second: f64,
}

/// Result of the episodes of one task.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct TaskReport {
    /// Episodes played.
    pub episodes: usize,
    /// Mean return.
    pub return_mean: f64,
    /// Share of solved episodes, where the task defines success.
    pub success: Option<f64>,
}

/// Plays `episodes` episodes of the planned task. The same seeds every time, so that evaluations
/// can be compared.
///
/// # Errors
/// When environments fail more often than `train.max_fault_rate` allows.
pub fn evaluate(
    plan: &Plan,
    who: &Play<'_>,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    let episodes = plan.config.eval.episodes;
    let mut faults = plan.faults();
    let seed = plan.config.seed;
    let envs = faults.vector(episodes.min(MAX_PARALLEL), seed, Role::EvalEnv)?;
    let mut report = play_on(envs, &mut faults, who, (episodes, seed), stop, observer)?;
    let first;
    (report.faults, first) = faults.report();
    if let Some(first) = first {
        observer.event(Event::Warning(replaced(report.faults, &first)));
    }
    Ok(report)
}

/// Plays `episodes` episodes over the given environments. Each environment plays a fixed share, so
/// that short episodes are not over-represented. Fewer are played when asked to stop.
///
/// # Errors
/// When an environment fails.
pub fn play(
    envs: Vec<Box<dyn Env>>,
    who: &Play<'_>,
    (episodes, seed): (usize, u64),
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    let mut faults = Faults::fatal();
    let envs = VecEnv::new(envs, seed, Role::EvalEnv)?;
    play_on(envs, &mut faults, who, (episodes, seed), stop, observer)
}

fn play_on(
    mut envs: VecEnv,
    faults: &mut Faults,
    who: &Play<'_>,
    (episodes, seed): (usize, u64),
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    let n = envs.len();
    let mut player = Player::new(who, &envs, seed);
    // Environment i plays episodes i, i + n, i + 2n, …
    let share = |i: usize| (episodes + n - 1 - i) / n;
    let mut played: Vec<Vec<EpisodeStats>> = vec![Vec::new(); n];
    let (mut done, mut steps) = (0, 0);
    if let Err(error) = envs.reset_all().map(drop) {
        faults.revive(&mut envs, error)?;
    }
    let start = Instant::now();
    while done < episodes && !stop.is_set() {
        let actions = player.act(envs.results());
        let failed = envs.step(&actions).err();
        let results = envs.results();
        steps += n;
        faults.stepped(n);
        for (i, stats) in results.iter().enumerate().filter_map(|(i, r)| Some((i, r.episode.as_ref()?))) {
            if played[i].len() < share(i) {
                played[i].push(stats.clone());
                done += 1;
            }
        }
        player.observe(&actions, results);
        if let Some(error) = failed {
            faults.revive(&mut envs, error)?.into_iter().for_each(|i| player.reset(i));
        }
        observer.event(Event::Evaluate { done, total: episodes });
    }
    let seconds = start.elapsed().as_secs_f64();
    faults.close(envs)?;
    let mut report = summarize(&played.concat());
    report.steps_per_second = steps as f64 / seconds.max(1e-9);
    Ok(report)
}

/// Means over episodes. A metric that only some episodes report is averaged over those.
pub(crate) fn summarize(episodes: &[EpisodeStats]) -> EvalReport {
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
        length_mean: mean(&lengths.iter().map(|l| *l as f64).collect::<Vec<_>>()),
        success: (!successes.is_empty()).then(|| mean(&successes)),
        metrics: named.into_iter().map(|(name, values)| (name, mean(&values))).collect(),
        tasks: by_task(episodes),
        returns,
        lengths,
        faults: 0,
        steps_per_second: 0.0,
    }
}

fn by_task(episodes: &[EpisodeStats]) -> BTreeMap<String, TaskReport> {
    let mut tasks: BTreeMap<&str, Vec<&EpisodeStats>> = BTreeMap::new();
    for episode in episodes {
        tasks.entry(&episode.task).or_default().push(episode);
    }
    let report = |episodes: Vec<&EpisodeStats>| {
        let successes: Vec<f64> = episodes.iter().filter_map(|e| e.success).map(f64::from).collect();
        TaskReport {
            episodes: episodes.len(),
            return_mean: mean(&episodes.iter().map(|e| e.episode_return).collect::<Vec<_>>()),
            success: (!successes.is_empty()).then(|| mean(&successes)),
        }
    };
    tasks.into_iter().map(|(name, episodes)| (name.to_owned(), report(episodes))).collect()
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
