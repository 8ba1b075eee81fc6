//! Films of episodes: what `amago film` writes and what a report shows.

use amago_trainer::{Episodes, Recording, cut_short};
use amago_view::film::{Shot, gif};
use anyhow::{Context, Result, bail};

use crate::commands::{Ending, check_episodes, load_run};
use crate::output::{complain, tell};
use crate::stop;
use crate::view_args::FilmArgs;

/// Most episodes of a film: all of its pictures are in memory.
const MOST_EPISODES: usize = 1000;

/// `amago film`.
pub fn film(args: &FilmArgs) -> Result<Ending> {
    check_episodes(args.episodes, MOST_EPISODES)?;
    let mut loaded = load_run(&args.run_dir, &args.device)?;
    args.play.apply(&mut loaded.plan.config);
    let who = if args.random { amago_trainer::Play::Random } else { loaded.play() };
    let seed = args.seed.unwrap_or(loaded.plan.config.seed);
    let episodes = Episodes { count: args.episodes, seed, ..Episodes::of(&loaded.plan) };
    let stop = stop::on_signals()?;
    let recordings = amago_trainer::record(&loaded.plan, &who, &episodes, &stop)?;
    warn_of_cuts(&recordings);
    let mut shots = Vec::new();
    for recording in &recordings {
        shots.extend(self::shots(recording, 100 / args.fps));
    }
    if shots.is_empty() && !stop.is_set() {
        bail!("{} cannot be drawn", loaded.plan.task_name());
    }
    if !shots.is_empty() {
        let path = args.output.display().to_string();
        std::fs::write(&args.output, gif(&shots)?).context(path.clone())?;
        tell(format_args!("{path}: {} pictures of {} episodes", shots.len(), recordings.len()));
    }
    Ok(if stop.is_set() { Ending::Interrupted } else { Ending::Done })
}

/// Says which episodes did not end.
pub fn warn_of_cuts(recordings: &[Recording]) {
    let cut: Vec<usize> = recordings.iter().filter(|r| r.stats.cut).map(|r| r.stats.length).collect();
    if let Some(limit) = cut.first() {
        complain(format_args!("warning: {}", cut_short(cut.len(), recordings.len(), *limit)));
    }
}

/// The pictures of an episode with their captions; none where the environment draws nothing. The last one
/// stays longer. A delay is in hundredths of a second.
pub fn shots(recording: &Recording, delay: u16) -> Vec<Shot> {
    let mut sum = 0.0;
    let mut found = Vec::new();
    for (step, shot) in recording.shots.iter().enumerate() {
        sum += shot.reward;
        let Some(frame) = shot.frame.clone() else { continue };
        let at = match shot.attempt {
            Some(attempt) => format!("{:<12}step {step}", format!("attempt {}", attempt + 1)),
            None => format!("step {step}"),
        };
        let value = recording.values.get(step).map_or_else(String::new, |v| format!("value {v:.2}"));
        let caption = vec![at, format!("{:<12}{value}", format!("return {sum:.2}"))];
        found.push(Shot { frame, caption, delay });
    }
    if let Some(last) = found.last_mut() {
        last.delay *= 6;
    }
    found
}
