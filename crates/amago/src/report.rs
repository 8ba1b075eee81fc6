//! `amago report`.

use amago_trainer::{ActionChoice, Episodes, Recording};
use amago_view::film::{Shot, gif};
use amago_view::report::{Scene, html};
use anyhow::{Context, Result};

use crate::commands::{Ending, load_run};
use crate::film::{shots, warn_of_cuts};
use crate::output::{complain, tell};
use crate::stop;
use crate::view_args::ReportArgs;
use crate::views;

/// Pictures of one film, at most: a page with films stays small.
const PICTURES: usize = 240;
/// Time of a picture in hundredths of a second.
const DELAY: u16 = 20;

/// `amago report`.
pub fn report(args: &ReportArgs) -> Result<Ending> {
    let runs = views::open(&args.runs)?;
    let scene = match args.no_play {
        true => Err("--no-play was given".to_owned()),
        false => scene(args).map_err(|e| format!("{e:#}")),
    };
    if let (Err(reason), false) = (&scene, args.no_play) {
        complain(format_args!("warning: the report has no episode: {reason}"));
    }
    let page = html(&runs, scene.as_ref().map_err(Clone::clone))?;
    std::fs::write(&args.output, &page).with_context(|| args.output.display().to_string())?;
    tell(format_args!("{}: {:.0} kB", args.output.display(), page.len() as f64 / 1000.0));
    Ok(Ending::Done)
}

/// One episode of the first run's newest checkpoint.
fn scene(args: &ReportArgs) -> Result<Scene> {
    let path = args.runs.first().context("no run")?;
    let mut loaded = load_run(path, &args.device)?;
    args.play.apply(&mut loaded.plan.config);
    let greedy = loaded.plan.config.eval.actions == ActionChoice::Greedy;
    let seed = args.seed.unwrap_or(loaded.plan.config.seed);
    let episodes = Episodes { count: 1, seed, ..Episodes::of(&loaded.plan) };
    let stop = stop::on_signals()?;
    let mut played = amago_trainer::record(&loaded.plan, &loaded.play(), &episodes, &stop)?;
    warn_of_cuts(&played);
    let recording = played.pop().context("stopped")?;
    let title = format!(
        "The policy of {} plays {} (seed {seed}, {}): return {:.2} in {} steps.",
        path.display(),
        recording.stats.task,
        if greedy { "most likely actions" } else { "sampled actions" },
        recording.stats.episode_return,
        recording.stats.length
    );
    Ok(Scene {
        title,
        films: films(&recording)?,
        rewards: recording.shots.iter().map(|s| f64::from(s.reward)).collect(),
        attempts: recording.shots.iter().map(|s| s.attempt).collect(),
        values: recording.values.iter().map(|v| f64::from(*v)).collect(),
        attention: recording.attention,
        attended: recording.attended,
    })
}

/// First and last attempt, or all of an episode without attempts; nothing where nothing is drawn. An attempt
/// ends with the state that the next one begins with, because that is what its last step leads to.
fn films(recording: &Recording) -> Result<Vec<(String, Vec<u8>)>> {
    let all = shots(recording, DELAY);
    if all.len() != recording.shots.len() {
        return Ok(Vec::new());
    }
    let attempts: Vec<Option<usize>> = recording.shots.iter().map(|s| s.attempt).collect();
    let last = attempts.iter().copied().flatten().max().unwrap_or(0);
    let of = |attempt: usize| -> Vec<Shot> {
        let start = attempts.iter().position(|a| *a == Some(attempt)).unwrap_or(0);
        let end = attempts.iter().rposition(|a| *a == Some(attempt)).unwrap_or(0);
        let end = all.len().min(end + 2).min(start + PICTURES);
        let mut part = all[start..end].to_vec();
        let paid: f32 = recording.shots[start + 1..end].iter().map(|s| s.reward).sum();
        if let Some(shot) = part.last_mut() {
            shot.delay = 6 * DELAY;
            if attempts[end - 1] != Some(attempt) || end == all.len() {
                shot.caption = vec![format!("attempt {} is over", attempt + 1), format!("it paid {paid:.2}")];
            }
        }
        part
    };
    match last {
        0 => Ok(vec![("the episode".to_owned(), gif(&all[..all.len().min(PICTURES)])?)]),
        _ => Ok(vec![
            ("first attempt".to_owned(), gif(&of(0))?),
            (format!("last attempt, number {}", last + 1), gif(&of(last))?),
        ]),
    }
}
