//! Environments that panic wherever they can, and so does what makes them: a run puts up with it and counts.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use amago_env::{Action, Env, EnvError, Observation, Step, TaskSpec, registry};
use amago_trainer::{Plan, RunConfig, TrainError};
use support::{Recorder, lines, names, tiny, train};

/// What panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Factory,
    Spec,
    Task,
    Reset,
    Step,
    Metrics,
    Success,
    SaveState,
    Drop,
}

const PLACES: [Place; 9] = [
    Place::Factory,
    Place::Spec,
    Place::Task,
    Place::Reset,
    Place::Step,
    Place::Metrics,
    Place::Success,
    Place::SaveState,
    Place::Drop,
];

/// Panics in every ninth call of one method.
#[derive(Clone)]
struct Fuse {
    place: Place,
    /// Not before a plan was made.
    lit: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
}

impl Fuse {
    fn at(&self, place: Place) {
        if self.place == place && self.lit.load(Ordering::Relaxed) {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            assert!(call % 9 != 5, "broken on purpose");
        }
    }
}

struct Fussy(Box<dyn Env>, Fuse);

impl Env for Fussy {
    fn spec(&self) -> &TaskSpec {
        self.1.at(Place::Spec);
        self.0.spec()
    }

    fn task(&self) -> &str {
        self.1.at(Place::Task);
        self.0.task()
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.1.at(Place::Reset);
        self.0.reset(seed, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.1.at(Place::Step);
        self.0.step(action, obs)
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        self.1.at(Place::Metrics);
        self.0.metrics(report);
    }

    fn success(&self) -> Option<bool> {
        self.1.at(Place::Success);
        self.0.success()
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        self.1.at(Place::SaveState);
        self.0.save_state()
    }
}

impl Drop for Fussy {
    fn drop(&mut self) {
        self.1.at(Place::Drop);
    }
}

fn fussy(config: RunConfig, place: Place) -> Plan {
    let (id, options) = (config.env.id.clone(), config.env.options.clone());
    let fuse = Fuse { place, lit: Arc::default(), calls: Arc::default() };
    let lit = fuse.lit.clone();
    let make = move || -> Result<Box<dyn Env>, EnvError> {
        fuse.at(Place::Factory);
        Ok(Box::new(Fussy(registry::make(&id, &options)?, fuse.clone())))
    };
    let plan = Plan::with_env(config, Arc::new(make)).expect("a legal plan");
    lit.store(true, Ordering::Relaxed);
    plan
}

const SETTINGS: [&str; 4] =
    ["train.epochs=12", "eval.interval=1", "eval.episodes=4", "train.checkpoint_interval=1"];

#[test]
fn a_run_goes_on_and_counts_them() {
    for place in PLACES {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("run");
        let config = tiny(&[&SETTINGS[..], &["train.max_fault_rate=0.5"]].concat());
        let mut seen = Recorder::default();
        let outcome =
            train(&fussy(config, place), &run, &mut seen).unwrap_or_else(|e| panic!("{place:?}: {e}"));
        assert_eq!((outcome.meta.epoch, outcome.meta.env_steps), (12, 12 * 8 * 2), "{place:?}");
        let lines = lines(&run);
        let faults = |part: &str| lines[1..].iter().filter_map(|l| l[part]["faults"].as_u64()).sum::<u64>();
        assert!(faults("rollout") + faults("eval") > 0, "{place:?}");
        let told = |w: &String| w.contains("were replaced; the first: worker") && w.contains("on purpose");
        assert!(seen.warnings.iter().any(told), "{place:?}: {:?}", seen.warnings);
    }
}

#[test]
fn a_run_that_puts_up_with_nothing_ends_with_everything_saved() {
    for place in PLACES {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("run");
        let config = tiny(&[&SETTINGS[..], &["train.max_fault_rate=0"]].concat());
        let error = train(&fussy(config, place), &run, &mut Recorder::default()).expect_err("a panic");
        assert!(matches!(error, TrainError::VecEnv(_)), "{place:?}: {error}");
        assert!(error.to_string().ends_with("the environment panicked: broken on purpose"), "{error}");
        assert!(!names(&run.join("checkpoints")).is_empty(), "{place:?}");
    }
}

#[test]
fn a_plan_tells_what_its_environment_does() {
    for place in [Place::Factory, Place::Spec] {
        let always = move || -> Result<Box<dyn Env>, EnvError> {
            let fuse = Fuse { place, lit: Arc::new(true.into()), calls: Arc::new(5.into()) };
            fuse.at(Place::Factory);
            Ok(Box::new(Fussy(registry::make("tmaze-passive", &toml::Table::new())?, fuse)))
        };
        let error = Plan::with_env(tiny(&[]), Arc::new(always)).map(drop).expect_err("a panic");
        assert_eq!(error.to_string(), "the environment panicked: broken on purpose", "{place:?}");
    }
}
