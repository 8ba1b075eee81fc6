//! Episodes without exploration, of an agent or of the random policy.

use std::collections::BTreeMap;
use std::time::Instant;

use amago_env::vector::{EpisodeStats, VecEnv};
use amago_env::{Env, Role};
use amago_replay::Store;

use crate::faults::{Faults, replaced};
use crate::player::Player;
use crate::{Event, Observer, Plan, Play, Reference, StopFlag, TrainError};

mod save;
mod summary;
use save::Recorder;
pub(crate) use save::run_episodes;
pub use save::saved_episodes;
pub(crate) use summary::summarize;

/// Environments that an evaluation or a rollout steps together, at most.
pub const MAX_PARALLEL: usize = 64;
/// Most steps of an episode where nobody knows better: see [`step_limit`].
pub const UNKNOWN_HORIZON: usize = 10_000;

/// Most steps of an episode: what a setting says, or where that is zero the environment's horizon, or where that is
/// unknown [`UNKNOWN_HORIZON`].
pub fn step_limit(setting: usize, horizon: Option<usize>) -> usize {
    if setting > 0 { setting } else { horizon.unwrap_or(UNKNOWN_HORIZON).max(1) }
}

/// Which episodes to play.
#[derive(Debug, Clone, Copy)]
pub struct Episodes<'a> {
    /// How many.
    pub count: usize,
    /// Seed of their tasks and of what is drawn in them.
    pub seed: u64,
    /// Steps after which an episode is truncated; 0 as in [`step_limit`].
    pub max_steps: usize,
    /// Where they are stored as they were played, whole; none where they are only measured.
    pub save: Option<&'a Store>,
}

impl Episodes<'_> {
    /// Those of a plan's evaluations.
    pub fn of(plan: &Plan) -> Self {
        let eval = &plan.config.eval;
        let (count, max_steps) = (eval.episodes, eval.max_episode_steps);
        Self { count, seed: plan.config.seed, max_steps, save: None }
    }
}

/// Result of some episodes.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct EvalReport {
    /// Mean return.
    pub return_mean: f64,
    /// Standard deviation of the return (of the sample, divisor `n − 1`).
    pub return_std: f64,
    /// Mean return of the lowest fifth of the episodes, rounded up to whole ones.
    #[serde(default)]
    pub return_bottom_fifth: f64,
    /// Mean length in steps.
    pub length_mean: f64,
    /// Share of solved episodes, where the task defines success.
    pub success: Option<f64>,
    /// Means of the environment's own metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The same of each task, by the name that the environment gives it.
    #[serde(default)]
    pub tasks: BTreeMap<String, TaskReport>,
    /// Means over those, each counted once, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_mean: Option<TaskReport>,
    /// Return of each episode; counted in bins in `metrics.jsonl`.
    #[serde(default)]
    pub returns: Vec<f64>,
    /// Length of each episode; counted in bins in `metrics.jsonl`.
    #[serde(default)]
    pub lengths: Vec<usize>,
    /// Environments that failed and were replaced; their episodes are not counted.
    #[serde(default)]
    pub faults: u64,
    /// Episodes that had not ended when they reached the limit of steps, and were truncated there.
    #[serde(default)]
    pub cut: usize,
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
    /// The mean return between the task's reference returns, where it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// Plays episodes of the planned task. The same seeds every time, so that evaluations can be compared.
///
/// # Errors
/// When environments fail more often than `train.max_fault_rate` allows.
///
/// # Examples
/// ```
/// use amago_trainer::{ConfigSource, Episodes, Plan, Play, Silent, StopFlag, evaluate, load_config};
///
/// let text = "env = { id = \"tmaze-passive\", options = { corridor_length = 3 } }";
/// let plan = Plan::new(load_config(&ConfigSource { name: "run.toml", text, overrides: &[] })?)?;
/// let episodes = Episodes { count: 4, ..Episodes::of(&plan) };
/// let report = evaluate(&plan, &Play::Random, &episodes, &StopFlag::default(), &mut Silent)?;
/// assert_eq!((report.returns.len(), report.faults), (4, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate(
    plan: &Plan,
    who: &Play<'_>,
    episodes: &Episodes<'_>,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    // Counted apart from training: a bad evaluation must not use up what training may.
    let (mut faults, n) = plan.evaluation(episodes.count)?;
    let envs = faults.vector(n, episodes.seed, Role::EvalEnv)?;
    let [_, references] = plan.references();
    let mut report =
        play_on(limited(envs, episodes), &mut faults, (who, &references), episodes, stop, observer)?;
    let first;
    (report.faults, first) = faults.report();
    if let Some(first) = first {
        observer.event(Event::Warning(replaced(report.faults, &first)));
    }
    Ok(report)
}

/// Plays episodes over the given environments. Each environment plays a fixed share, so that short episodes are not
/// over-represented. Fewer are played when asked to stop.
///
/// # Errors
/// When an environment fails.
pub fn play(
    envs: Vec<Box<dyn Env>>,
    who: &Play<'_>,
    episodes: &Episodes<'_>,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    let envs = limited(VecEnv::new(envs, episodes.seed, Role::EvalEnv)?, episodes);
    play_on(envs, &mut Faults::fatal(), (who, &BTreeMap::new()), episodes, stop, observer)
}

/// The same environments, each episode of which ends.
pub(crate) fn limited(envs: VecEnv, episodes: &Episodes<'_>) -> VecEnv {
    // A policy that stands still would keep an evaluation from ever ending.
    let limit = step_limit(episodes.max_steps, envs.horizon());
    envs.with_max_episode_steps(limit)
}

fn play_on(
    mut envs: VecEnv,
    faults: &mut Faults,
    (who, references): (&Play<'_>, &BTreeMap<String, Reference>),
    episodes: &Episodes<'_>,
    stop: &StopFlag,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    let (n, total) = (envs.len(), episodes.count);
    let limit = step_limit(episodes.max_steps, envs.horizon());
    let mut player = Player::new(who, &envs, episodes.seed);
    let mut recorder = episodes.save.map(|store| Recorder::new(store, &envs));
    // Environment i plays episodes i, i + n, i + 2n, …
    let share = |i: usize| total / n + usize::from(i < total % n);
    let mut played: Vec<Vec<EpisodeStats>> = vec![Vec::new(); n];
    let (mut done, mut steps) = (0, 0);
    if let Err(error) = envs.reset_all().map(drop) {
        faults.revive(&mut envs, error)?;
    }
    let start = Instant::now();
    while done < total && !stop.is_set() {
        if let Some(recorder) = &mut recorder {
            recorder.begin(envs.results())?;
        }
        let actions = player.act(&envs);
        let failed = envs.step(&actions).err();
        let results = envs.results();
        steps += n;
        faults.stepped(n);
        for (i, result) in results.iter().enumerate() {
            // It goes on for the others' sake, but counts no more: else quick episodes would count more often
            // than slow ones.
            if played[i].len() >= share(i) {
                continue;
            }
            if let Some(recorder) = &mut recorder {
                recorder.push(i, &actions[i], result)?;
            }
            if let Some(stats) = &result.episode {
                played[i].push(stats.clone());
                done += 1;
            }
        }
        player.observe(&actions, results);
        if let Some(error) = failed {
            faults.revive(&mut envs, error)?.into_iter().for_each(|i| player.reset(i));
        }
        observer.event(Event::Evaluate { done, total });
    }
    if let Some(recorder) = recorder {
        recorder.finish()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    // Environments may fail when they are dropped, too.
    faults.close(envs)?;
    let mut report = summarize(&played.concat(), references);
    report.steps_per_second = steps as f64 / seconds.max(1e-9);
    if report.cut > 0 {
        observer.event(Event::Warning(cut_short(report.cut, report.returns.len(), limit)));
    }
    Ok(report)
}

/// What to say of episodes that did not end by themselves.
pub fn cut_short(cut: usize, episodes: usize, limit: usize) -> String {
    format!(
        "{cut} of {episodes} episodes had not ended after {limit} steps and were truncated there: \
         eval.max_episode_steps (--max-episode-steps) is the limit, the environment's horizon by default"
    )
}
