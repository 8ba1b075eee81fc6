//! What a run puts up with: environments that fail or hang, updates that cannot be used.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use amago_env::{Action, DictSpace, Env, EnvError, Observation, Role, Step, TaskSpec, registry, stream_seed};
use amago_trainer::{Event, Observer, Plan, RunConfig, StopFlag, TrainError};
use support::envs::{Fault, all_fail};
use support::{Recorder, lines, tiny, train, train_until};

/// How an environment can misbehave.
#[derive(Debug, Clone, Copy)]
enum Way {
    Error,
    Panic,
    Garbage,
    Hang,
}

/// An environment that misbehaves in every so-manieth call, each time in another way.
struct Unreliable {
    env: Box<dyn Env>,
    calls: Arc<AtomicU64>,
    every: u64,
    ways: &'static [Way],
}

impl Unreliable {
    fn fails(&self, obs: &mut Observation) -> Result<(), EnvError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let draw = stream_seed(1, Role::TrainEnv, 0, call);
        if !draw.is_multiple_of(self.every) {
            return Ok(());
        }
        match self.ways[(draw / self.every) as usize % self.ways.len()] {
            Way::Error => Err(EnvError::Failed("the simulator is gone".to_owned())),
            Way::Panic => panic!("broken on purpose"),
            Way::Garbage => {
                let width = self.spec().observation_space.width();
                obs.write(DictSpace::SINGLE, &vec![f32::NAN; width])
            }
            Way::Hang => {
                sleep(Duration::from_secs(3));
                Ok(())
            }
        }
    }
}

impl Env for Unreliable {
    fn spec(&self) -> &TaskSpec {
        self.env.spec()
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.env.reset(seed, obs)?;
        self.fails(obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        let step = self.env.step(action, obs)?;
        self.fails(obs)?;
        Ok(step)
    }

    fn success(&self) -> Option<bool> {
        self.env.success()
    }
}

/// A plan of the tiny task whose environments misbehave in one of `every` calls.
fn unreliable(config: RunConfig, every: u64, ways: &'static [Way]) -> Plan {
    let calls = Arc::new(AtomicU64::new(1));
    let (id, options) = (config.env.id.clone(), config.env.options.clone());
    let make = move || -> Result<Box<dyn Env>, EnvError> {
        let env = registry::make(&id, &options)?;
        Ok(Box::new(Unreliable { env, calls: calls.clone(), every, ways }))
    };
    Plan::with_env(config, Arc::new(make)).expect("a legal plan")
}

fn faults(run: &std::path::Path) -> (u64, u64) {
    let lines = lines(run);
    let sum = |part: &str| lines[1..].iter().filter_map(|l| l[part]["faults"].as_u64()).sum();
    (sum("rollout"), sum("eval"))
}

#[test]
fn failing_environments_are_replaced_and_counted() {
    let settings = ["train.epochs=40", "train.max_fault_rate=0.2", "eval.interval=5", "eval.episodes=40"];
    for mode in ["train.mode=alternate", "train.mode=both"] {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("run");
        let plan =
            unreliable(tiny(&[&settings[..], &[mode]].concat()), 30, &[Way::Error, Way::Panic, Way::Garbage]);
        let mut seen = Recorder::default();
        let outcome = train(&plan, &run, &mut seen).expect("a run that goes on");
        assert_eq!(outcome.meta.env_steps, 40 * 8 * 2, "{mode}");
        assert_eq!(outcome.eval.expect("not stopped").returns.len(), 40, "{mode}");
        let (training, evaluating) = faults(&run);
        assert!(training > 5 && evaluating > 5, "{mode}: {training} and {evaluating} faults");
        assert!(
            seen.warnings.iter().any(|w| w.contains("were replaced; the first: worker")),
            "{:?}",
            seen.warnings
        );
    }
}

#[test]
fn too_many_faults_end_the_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = unreliable(tiny(&["train.epochs=40", "train.max_fault_rate=0.02"]), 6, &[Way::Error]);
    let error = train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect_err("too many");
    assert!(matches!(error, TrainError::Faults { rate: 0.02, .. }), "{error}");
    assert!(error.to_string().contains("above train.max_fault_rate = 0.02; the last: worker"), "{error}");
}

#[test]
fn hanging_environments_are_given_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    let settings = ["train.epochs=20", "train.max_fault_rate=0.5", "train.env_timeout=0.5"];
    let plan = unreliable(tiny(&settings), 40, &[Way::Hang]);
    let mut seen = Recorder::default();
    train(&plan, &run, &mut seen).expect("a run that goes on");
    assert!(faults(&run).0 > 0);
    let hung = |w: &String| w.contains("did not answer within 0.5 s");
    assert!(seen.warnings.iter().any(hung), "{:?}", seen.warnings);
}

#[test]
fn bad_updates_are_skipped_and_counted_if_that_is_asked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    // After the first epoch every batch has a reward that no loss survives.
    let settings = ["train.timesteps_per_epoch=12", "replay.max_trajectories=2", "train.epochs=3"];
    let plan = all_fail(tiny(&[&settings[..], &["train.bad_update=skip"]].concat()), Fault::HugeReward);
    let mut seen = Recorder::default();
    let outcome = train(&plan, &run, &mut seen).expect("it goes on");
    assert_eq!((outcome.meta.updates, outcome.meta.skipped), (2, 4));
    let skipped: Vec<_> = lines(&run)[1..].iter().map(|l| l["skipped_updates"].as_u64()).collect();
    assert_eq!(skipped, [Some(0), Some(2), Some(2)]);
    let batches = support::names(&run.join("bad_batches"));
    assert_eq!(batches, ["update-00000003.safetensors"]);
    let bytes = std::fs::read(run.join("bad_batches").join(&batches[0])).expect("a file");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a whole file");
    assert_eq!(tensors.tensor("obs.observation").expect("there").shape(), [2, 4, 2]);
    let rewards = tensors.tensor("rewards").expect("there").data().chunks(4);
    assert!(rewards.map(|b| f32::from_le_bytes(b.try_into().expect("four"))).any(|r| r == 1e30));
}

#[test]
fn an_exploding_loss_is_a_bad_update() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = Plan::new(tiny(&["train.loss_limit=1e-6"])).expect("a legal plan");
    let error = train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect_err("above the limit");
    let TrainError::BadUpdate { update: 1, loss, batch, .. } = &error else { panic!("{error}") };
    assert!(loss.is_finite() && batch.is_file(), "{error}");
}

/// Learns as well as a healthy run does, for as many minutes as `AMAGO_SURVIVE` says (20), and prints both curves:
/// `AMAGO_SURVIVE=5 cargo test --release --workspace --test survive -- --ignored --nocapture long`.
#[test]
#[ignore = "trains for 40 minutes"]
fn a_long_run_learns_like_a_healthy_one() {
    let minutes = std::env::var("AMAGO_SURVIVE").unwrap_or_else(|_| "20".to_owned());
    let minutes: f64 = minutes.parse().expect("AMAGO_SURVIVE is a number of minutes");
    let text = include_str!("../../../configs/popgym-repeat-previous.toml");
    let settings = [
        "train.epochs=100000",
        "train.max_fault_rate=0.05",
        "train.env_timeout=0.5",
        "train.bad_update=skip",
    ];
    let curve = |every: u64| {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("run");
        let plan = unreliable(
            support::load(text, &settings).expect("a legal config"),
            every,
            &[Way::Error, Way::Panic, Way::Garbage, Way::Hang],
        );
        let stop = StopFlag::default();
        let mut clock =
            Clock { stop: stop.clone(), end: Instant::now() + Duration::from_secs_f64(60.0 * minutes) };
        train_until(&plan, &run, &stop, &mut clock).expect("a run that goes on");
        let lines = lines(&run);
        let returns: Vec<f64> =
            lines[1..].iter().filter_map(|l| l["eval"]["return_mean"].as_f64()).take(16).collect();
        println!(
            "one fault in {every} calls: {:?} faults, {} epochs, {returns:.2?}",
            faults(&run),
            lines.len() - 1
        );
        (faults(&run).0, returns)
    };
    let (sick, healthy) = (curve(1000), curve(u64::MAX));
    assert!(sick.0 > 20 && healthy.0 == 0, "{} and {} faults", sick.0, healthy.0);
    let best = |returns: &[f64]| returns.iter().copied().fold(f64::MIN, f64::max);
    assert!(best(&sick.1) > best(&healthy.1) - 0.05, "{:?} against {:?}", sick.1, healthy.1);
}

/// Stops a run when its time is over.
struct Clock {
    stop: StopFlag,
    end: Instant,
}

impl Observer for Clock {
    fn event(&mut self, _: Event<'_>) {
        if Instant::now() > self.end {
            self.stop.stop();
        }
    }
}
