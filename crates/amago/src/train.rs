//! `amago train`, with progress bars or a dashboard, and with event files beside the metrics.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use amago_trainer::{
    Episodes, EvalReport, Event, Observer, Outcome, Plan, Play, RunDir, Silent, StopFlag, TrainError,
    Trainer, evaluate,
};
use amago_view::dashboard::{Dashboard, Live};
use amago_view::tensorboard::EventFile;
use amago_view::{Axis, Run, Tail, ViewError};
use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use serde_json::json;
use std::io::IsTerminal;

use crate::args::TrainArgs;
use crate::commands::{Ending, load_plan, open_checkpoint};
use crate::output::{complain, print, tell};
use crate::progress::{Progress, epoch_line, eval_line};
use crate::{device, stop, summary};

/// `amago train`.
pub fn train(args: &TrainArgs) -> Result<Ending> {
    if args.dashboard && !std::io::stdout().is_terminal() {
        bail!("--dashboard needs a terminal");
    }
    let device = device::by_name(&args.device)?;
    // Before there is a folder of the new run.
    let origin = args.init_from.as_deref().map(open_checkpoint).transpose()?;
    let (name, plan, run) = match &args.resume {
        None => begin(args, &device)?,
        Some(folder) => {
            let (run, config) = RunDir::open_with(folder, &args.overrides)?;
            (run.config_file().display().to_string(), Plan::new(config)?, run)
        }
    };
    let folder = run.path().to_owned();
    let stop = stop::on_signals()?;
    tell(format_args!(
        "training {} on {}, {}: {} -> {}",
        if plan.is_playable() { plan.task_label() } else { "from datasets alone".to_owned() },
        args.device,
        name,
        plan.observation_space,
        plan.action_space
    ));
    tell(format_args!("run folder: {}", folder.display()));
    // Before anything of the run is changed: what cannot be opened must leave it as it was.
    let mut events = args.tensorboard.then(|| Events::open(&folder)).transpose()?;
    let mut trainer = match args.resume {
        None => {
            let mut trainer = Trainer::new(plan.clone(), run, &device)?;
            if let Some((checkpoint, ..)) = &origin {
                trainer.init_from(checkpoint)?;
                tell(format_args!("networks of {}", checkpoint.path().display()));
            }
            trainer
        }
        Some(_) => {
            let trainer = Trainer::resume(plan.clone(), run.clone(), &device)?;
            // Changed settings are the run's from now on.
            run.write_config(&plan.config)?;
            trainer
        }
    };
    if let Some(Err(error)) = events.as_mut().map(|events| events.begin(&folder, args.resume.is_some())) {
        complain(format_args!("warning: no event files: {error}"));
        events = None;
    }
    let outcome = observed(&mut trainer, (args.dashboard, &folder), events, &stop)?;
    let outcome = outcome.with_context(|| format!("{} (kept)", folder.display()))?;
    let random = match outcome.eval {
        Some(_) => Some(evaluate(&plan, &Play::Random, &Episodes::of(&plan), &stop, &mut Silent)?),
        None => None,
    };
    // One that was cut short cannot be compared.
    let random = random.filter(|report| report.returns.len() >= plan.config.eval.episodes);
    show(args, &folder, &outcome, random.as_ref())?;
    Ok(if stop.is_set() { Ending::Interrupted } else { Ending::Done })
}

/// Name of the config, plan and folder of a new run.
fn begin(args: &TrainArgs, device: &Device) -> Result<(String, Plan, RunDir)> {
    let (name, plan) = load_plan(args.config.as_deref(), &args.overrides)?;
    plan.check_memory(device)?;
    plan.set_precision(device)?;
    let stem =
        args.config.as_deref().and_then(Path::file_stem).map_or("quickstart".into(), |s| s.to_string_lossy());
    let run = match &args.run_dir {
        Some(folder) => RunDir::create(folder, &plan.config)?,
        None => RunDir::create_next(Path::new("runs"), &stem, &plan.config)?,
    };
    Ok((name, plan, run))
}

/// Prints where the run ended.
fn show(args: &TrainArgs, folder: &Path, outcome: &Outcome, random: Option<&EvalReport>) -> Result<()> {
    let (meta, path) = (outcome.meta, folder.display());
    if args.json {
        return print(format_args!(
            "{}\n",
            json!({
                "run_dir": folder,
                "stopped": outcome.stopped,
                "epochs": meta.epoch,
                "env_steps": meta.env_steps,
                "updates": meta.updates,
                "seconds": outcome.seconds,
                "trained": outcome.eval.as_ref().map(summary::json),
                "random": random.map(summary::json),
            })
        ));
    }
    let Some(trained) = &outcome.eval else {
        if outcome.stopped {
            tell(format_args!("stopped after {} updates; go on: amago train --resume {path}", meta.updates));
            return Ok(());
        }
        // There is no environment.
        return print(format_args!(
            "\ntrained {} updates in {:.0} s; nothing to evaluate in: set env.id\n",
            meta.updates, outcome.seconds
        ));
    };
    let random = random.map(|random| ("random policy", random));
    let table = summary::table(&random.into_iter().chain([("trained policy", trained)]).collect::<Vec<_>>());
    let tasks = summary::tasks(trained);
    print(format_args!(
        "\ntrained {} updates on {} steps in {:.0} s\n{table}{tasks}play it again: amago eval {path}\n\
         see it:        amago report {path} -o report.html\n",
        meta.updates, meta.env_steps, outcome.seconds,
    ))
}

/// Trains while somebody looks on.
fn observed(
    trainer: &mut Trainer,
    (dashboard, folder): (bool, &Path),
    events: Option<Events>,
    stop: &StopFlag,
) -> Result<Result<Outcome, TrainError>> {
    if !dashboard {
        let mut progress = Progress::new();
        let result = trainer.run(stop, &mut WithEvents { inner: &mut progress, events });
        progress.finish();
        return Ok(result);
    }
    let view = View::open(folder, stop)?;
    let mut observer = LiveObserver(view.live.clone());
    Ok(trainer.run(stop, &mut WithEvents { inner: &mut observer, events }))
}

/// A dashboard on a thread of its own. It ends when training ends, also by a panic: nobody may be there to press a
/// key.
struct View {
    live: Live,
    /// Absent once it has ended.
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl View {
    /// How long it may take to give the terminal back. One whose terminal is gone never ends: it waits for keys.
    const PATIENCE: Duration = Duration::from_secs(3);

    fn open(folder: &Path, stop: &StopFlag) -> Result<Self, ViewError> {
        let (live, stop) = (Live::default(), stop.clone());
        let dashboard = Dashboard::open(&[folder], Axis::EnvSteps)?.with_live(live.clone());
        let shown = live.clone();
        let thread = std::thread::spawn(move || {
            let result = dashboard.show();
            // Whoever leaves the view ends the run.
            if !shown.is_over() {
                stop.stop();
            }
            result
        });
        Ok(Self { live, thread: Some(thread) })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.live.finish();
        let start = Instant::now();
        let ends = |thread: &JoinHandle<_>| {
            while !thread.is_finished() && start.elapsed() < Self::PATIENCE {
                std::thread::sleep(Duration::from_millis(10));
            }
            thread.is_finished()
        };
        if let Some(Ok(Err(error))) = self.thread.take().filter(ends).map(JoinHandle::join) {
            complain(format_args!("warning: the dashboard ended: {error}"));
        }
    }
}

/// Tells a dashboard what happens between two epochs.
struct LiveObserver(Live);

impl Observer for LiveObserver {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Collect { done, total } => self.0.progress("collecting", done, total),
            Event::Learn { done, total, .. } => self.0.progress("learning", done, total),
            Event::Evaluate { done, total } => self.0.progress("evaluating", done, total),
            Event::Evaluated { epoch, report } => self.0.message(eval_line(epoch, report)),
            Event::Epoch(record) => self.0.message(epoch_line(record)),
            Event::Checkpoint(path) => self.0.message(format!("saved {}", path.display())),
            Event::Warning(text) => self.0.message(format!("warning: {text}")),
        }
    }
}

/// An observer, and event files that follow the metrics.
struct WithEvents<'a> {
    inner: &'a mut dyn Observer,
    events: Option<Events>,
}

impl Observer for WithEvents<'_> {
    fn event(&mut self, event: Event<'_>) {
        let epoch = matches!(event, Event::Epoch(_));
        self.inner.event(event);
        if let Some(events) = self.events.as_mut().filter(|_| epoch)
            && let Err(error) = events.follow()
        {
            // They can be made from the metrics at any time: no reason to stop.
            self.inner.event(Event::Warning(format!("no more event files: {error}")));
            self.events = None;
        }
    }
}

/// Event files in the making.
struct Events {
    tail: Tail,
    file: EventFile,
}

impl Events {
    /// A file of this process, with nothing in it yet.
    fn open(folder: &Path) -> Result<Self, ViewError> {
        let file = EventFile::follow(&folder.join("tensorboard"), Axis::EnvSteps)?;
        Ok(Self { tail: Tail::new(folder.join("metrics.jsonl")), file })
    }

    /// What a resumed run tells comes after the epochs that the earlier files hold, and instead of those that they hold
    /// and the run does not.
    fn begin(&mut self, folder: &Path, resumed: bool) -> Result<(), ViewError> {
        let run = Run::open(folder)?;
        let told = self.tail.poll()?.records;
        if !resumed {
            return self.file.begin(&run, run.machine.started, None);
        }
        let number = |name: &str| told.last().and_then(|record| record.get(name));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let first = number(Axis::EnvSteps.metric()).map_or(0, |steps| steps as i64 + 1);
        self.file.begin(&run, now - number("time/wall").unwrap_or(0.0), Some(first))
    }

    fn follow(&mut self) -> Result<(), ViewError> {
        for record in self.tail.poll()?.records {
            self.file.record(&record)?;
        }
        self.file.flush()
    }
}
