//! What each subcommand does.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use amago_agent::Agent;
use amago_env::registry;
use amago_trainer::{
    Checkpoint, CheckpointMeta, ConfigSource, Episodes, EvalReport, Inspection, MAX_EPISODES, MAX_PARALLEL,
    Maker, Observer, Plan, Play, RunConfig, RunDir, Silent, StopFlag, TrainError, describe_env, evaluate,
    load_config, play, saved_episodes,
};
use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::Device;
use clap::CommandFactory;

use crate::args::{Cli, Command, EnvsArgs, EvalArgs, ImportArgs, InspectArgs, RolloutArgs};
use crate::output::{complain, is_gone, print, print_raw, tell};
use crate::progress::Progress;
use crate::view_args::CompletionsArgs;
use crate::{device, film, render, report, stop, summary, train, views};

/// The config of `amago train` without a file.
const QUICK_START: &str = include_str!("../../../configs/quickstart.toml");

/// How a command ended.
pub enum Ending {
    /// To the end.
    Done,
    /// A signal, as Ctrl-C; everything was saved.
    Interrupted,
}

/// Runs one subcommand.
pub fn run(command: Command) -> Result<Ending> {
    match command {
        Command::Train(args) => train::train(&args),
        Command::Eval(args) => eval(&args),
        Command::Inspect(args) => inspect(&args),
        Command::Config(args) => args.run().map(|()| Ending::Done),
        Command::Envs(args) => envs(&args),
        Command::Rollout(args) => rollout(&args),
        Command::Dataset(args) => args.run(),
        Command::Import(args) => import(&args),
        Command::Watch(args) => views::watch(&args),
        Command::Export(args) => views::export(&args),
        Command::Film(args) => film::film(&args),
        Command::Compare(args) => views::compare(&args),
        Command::Report(args) => report::report(&args),
        Command::Completions(args) => completions(&args),
    }
}

/// The name of a config, without a file the quick start's, and the plan that it makes.
pub fn load_plan(config: Option<&Path>, overrides: &[String]) -> Result<(String, Plan)> {
    let (name, text) = match config.map(|path| (path, path.display().to_string())) {
        Some((path, name)) => (name.clone(), std::fs::read_to_string(path).context(name)?),
        None => ("the quick start".to_owned(), QUICK_START.to_owned()),
    };
    let source = ConfigSource { name: &name, text: &text, overrides };
    let plan = Plan::new(load_config(&source)?).map_err(|error| match source.place_of(&error) {
        Some(place) => anyhow!("{place}: {error}"),
        None => error.into(),
    })?;
    Ok((name, plan))
}

/// A run's newest whole checkpoint, on a device without autodiff.
pub struct Loaded {
    run: RunDir,
    /// Its checked config.
    pub plan: Plan,
    agent: Agent,
    meta: CheckpointMeta,
    device: Device,
}

impl Loaded {
    /// The policy as a player, as the settings of the plan say.
    pub fn play(&self) -> Play<'_> {
        let (context, actions) = (self.plan.config.train.max_seq_len, self.plan.config.eval.actions);
        Play::Agent { agent: &self.agent, context, actions, device: &self.device }
    }
}

/// Opens the newest whole checkpoint of a run, or of `RUN/best` the one that did best in evaluation; with the run and
/// its config.
pub fn open_checkpoint(run_dir: &Path) -> Result<(Checkpoint, RunDir, RunConfig)> {
    let parent =
        run_dir.parent().filter(|parent| RunDir::open(parent).is_ok_and(|(run, _)| run.best() == run_dir));
    let (run, config) = RunDir::open(parent.unwrap_or(run_dir))?;
    let folder = if parent.is_some() { run.best() } else { run.checkpoints() };
    let (checkpoint, damaged) = Checkpoint::newest(&folder)?;
    for error in damaged {
        complain(format_args!("warning: {error}; using {}", checkpoint.path().display()));
    }
    Ok((checkpoint, run, config))
}

/// Loads the policy of a run, or of `RUN/best`: see [`open_checkpoint`].
pub fn load_run(run_dir: &Path, device: &str) -> Result<Loaded> {
    let device = device::by_name(device)?;
    let (checkpoint, run, config) = open_checkpoint(run_dir)?;
    let plan = Plan::new(config).with_context(|| run.config_file().display().to_string())?;
    let agent = checkpoint.load_agent(plan.agent(&device))?;
    let meta = checkpoint.meta;
    tell(format_args!("policy after {} updates: {}", meta.updates, checkpoint.path().display()));
    Ok(Loaded { run, plan, agent, meta, device })
}

/// Refuses a number of episodes that is none, or more than can be told of.
pub fn check_episodes(episodes: usize, most: usize) -> Result<()> {
    match episodes {
        0 => bail!("--episodes must be at least 1"),
        _ if episodes > most => bail!("--episodes must be at most {most}"),
        _ => Ok(()),
    }
}

fn eval(args: &EvalArgs) -> Result<Ending> {
    check_episodes(args.episodes.unwrap_or(1), MAX_EPISODES)?;
    let mut loaded = load_run(&args.run_dir, &args.device)?;
    let config = &mut loaded.plan.config;
    config.eval.episodes = args.episodes.unwrap_or(config.eval.episodes);
    config.seed = args.seed.unwrap_or(config.seed);
    args.play.apply(config);
    let who = loaded.play();
    // As many as are played, beside what was there.
    let saved = args.save.as_deref().map(|dir| saved_episodes(&loaded.plan, dir, 0)).transpose()?;
    let episodes = Episodes { save: saved.as_ref(), ..Episodes::of(&loaded.plan) };
    let stop = stop::on_signals()?;
    let report = watched(false, |progress| Ok(evaluate(&loaded.plan, &who, &episodes, &stop, progress)?))?;
    show(&args.run_dir.display().to_string(), &report, args.json)?;
    if let Some(store) = saved {
        let dir = store.dir().display();
        tell(format_args!(
            "{dir}: {} of {} stored",
            report.returns.len(),
            summary::count(store.len(), "episode")
        ));
    }
    Ok(ending(&stop))
}

fn inspect(args: &InspectArgs) -> Result<Ending> {
    if args.trajectories == 0 {
        bail!("--trajectories must be at least 1");
    }
    let Loaded { run, plan, agent, meta, device } = load_run(&args.run_dir, &args.device)?;
    let inspection = Inspection::new(&run, &plan, &agent, &device)?;
    let to_stdout = args.output.as_os_str() == "-";
    let out: Box<dyn Write> = match to_stdout {
        true => Box::new(std::io::stdout()),
        false => Box::new(File::create(&args.output).with_context(|| args.output.display().to_string())?),
    };
    let mut out = BufWriter::new(out);
    let stop = stop::on_signals()?;
    let work = (args.trajectories, args.seed.unwrap_or(plan.config.seed));
    let written = inspection.write(meta, work, &stop, &mut out);
    let written = written.and_then(|s| out.flush().map(|()| s).map_err(TrainError::Output));
    for damage in inspection.store().damage() {
        complain(format_args!("warning: left out {}: {}", damage.path.display(), damage.reason));
    }
    match written {
        Ok(found) => tell(summary::values(&found)),
        // A reader that has seen enough is no error.
        Err(TrainError::Output(e)) if to_stdout && is_gone(&e) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(ending(&stop))
}

fn completions(args: &CompletionsArgs) -> Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "amago", &mut script);
    print_raw(String::from_utf8(script)?)?;
    Ok(Ending::Done)
}

fn envs(args: &EnvsArgs) -> Result<Ending> {
    let options = amago_trainer::parse_overrides(&args.overrides)?;
    let mut all = Vec::new();
    let ids = match &args.id {
        Some(id) => vec![id.as_str()],
        None => registry::specs().iter().map(|spec| spec.id).collect(),
    };
    for id in ids {
        let (about, docs) = describe_env(id)?;
        let spec = Maker::new(id, &options)?.spec()?;
        if args.json {
            all.push(summary::env(id, &about, &docs, &spec));
        } else {
            print(summary::env_text(id, &about, &docs, &spec))?;
        }
    }
    if args.json {
        print(format_args!("{}\n", serde_json::Value::from(all)))?;
    }
    Ok(Ending::Done)
}

fn rollout(args: &RolloutArgs) -> Result<Ending> {
    let count = args.episodes.unwrap_or(if args.render.is_some() { 1 } else { 100 });
    check_episodes(count, MAX_EPISODES)?;
    let options = amago_trainer::parse_overrides(&args.overrides)?;
    // Drawings of several environments at once would be in no order.
    let n = if args.render.is_some() { 1 } else { count.min(MAX_PARALLEL) };
    let mut envs = Maker::new(&args.env, &options)?.envs(n)?;
    let mut loaded = match args.policy.as_str() {
        "random" if args.play.actions.is_some() => bail!("--actions is for a trained --policy"),
        "random" => None,
        run_dir => Some(load_run(Path::new(run_dir), &args.device)?),
    };
    if let Some(Loaded { plan, .. }) = &loaded {
        let (obs, act) = (&envs[0].spec().observation_space, &envs[0].spec().action_space);
        if *obs != plan.observation_space || *act != plan.action_space {
            bail!(
                "the policy of {} was trained on {} -> {}, but {} has {obs} -> {act}",
                args.policy,
                plan.observation_space,
                plan.action_space,
                args.env
            );
        }
    }
    // After all that can be refused, because it makes the folder.
    if let Some(target) = &args.render {
        envs = vec![render::filmed(envs.remove(0), target)?];
    }
    let mut max_steps = args.play.max_episode_steps.unwrap_or(0);
    if let Some(Loaded { plan, .. }) = &mut loaded {
        args.play.apply(&mut plan.config);
        max_steps = plan.config.eval.max_episode_steps;
    }
    let who = loaded.as_ref().map_or(Play::Random, Loaded::play);
    let episodes = Episodes { count, seed: args.seed, max_steps, save: None };
    let stop = stop::on_signals()?;
    let report =
        watched(args.render.is_some(), |progress| Ok(play(envs, &who, &episodes, &stop, progress)?))?;
    show(&format!("{} ({})", args.env, args.policy), &report, args.json)?;
    Ok(ending(&stop))
}

fn import(args: &ImportArgs) -> Result<Ending> {
    let device = device::by_name(&args.device)?;
    let (_, plan) = load_plan(Some(&args.config), &args.overrides)?;
    let imported = amago_trainer::import(&args.weights, &plan, &args.run_dir, &device)?;
    for name in &imported.unused {
        tell(format_args!("left aside, the config implies it: {name}"));
    }
    let folder = args.run_dir.display();
    print(format_args!(
        "imported {} tensors into {folder}\nplay it: amago eval {folder}\n",
        imported.tensors
    ))?;
    Ok(Ending::Done)
}

/// With a progress bar, unless that would write into drawings.
fn watched(quiet: bool, f: impl FnOnce(&mut dyn Observer) -> Result<EvalReport>) -> Result<EvalReport> {
    if quiet {
        return f(&mut Silent);
    }
    let mut progress = Progress::new();
    let report = f(&mut progress);
    progress.finish();
    report
}

fn show(name: &str, report: &EvalReport, json: bool) -> Result<()> {
    if json {
        return print(format_args!("{}\n", summary::json(report)));
    }
    let (table, metrics) = (summary::table(&[(name, report)]), summary::metrics(report));
    let (episodes, speed) = (summary::count(report.returns.len(), "episode"), report.steps_per_second);
    let tasks = summary::tasks(report);
    print(format_args!("{table}{tasks}{metrics}  {episodes}, {speed:.0} steps/s\n"))
}

fn ending(stop: &StopFlag) -> Ending {
    if stop.is_set() { Ending::Interrupted } else { Ending::Done }
}
