//! Environments that panic wherever they can: nothing comes through, and everything is told as a fault.

mod support;

use std::panic::panic_any;
use std::time::Duration;

use amago_env::guard::{Guarded, guard};
use amago_env::vector::{Phase, VecEnv, VecEnvError, WorkerFault};
use amago_env::watchdog::Watchdog;
use amago_env::{Action, Env, EnvError, Observation, Role, Step, TaskSpec};
use support::{Fault, Scripted};

/// What panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nothing,
    Spec,
    Task,
    Reset,
    Step,
    Metrics,
    Success,
    SaveState,
    LoadState,
    Drop,
}

/// The scripted environment, but for one method.
struct Fussy(Scripted, Place);

impl Fussy {
    fn boxed(place: Place) -> Box<dyn Env> {
        Box::new(Self(Scripted::new(Fault::None), place))
    }

    fn at(&self, place: Place) {
        assert!(self.1 != place, "broken on purpose");
    }
}

impl Env for Fussy {
    fn spec(&self) -> &TaskSpec {
        self.at(Place::Spec);
        self.0.spec()
    }

    fn task(&self) -> &str {
        self.at(Place::Task);
        self.0.task()
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.at(Place::Reset);
        self.0.reset(seed, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.at(Place::Step);
        self.0.step(action, obs)
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        self.at(Place::Metrics);
        self.0.metrics(report);
    }

    fn success(&self) -> Option<bool> {
        self.at(Place::Success);
        self.0.success()
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        self.at(Place::SaveState);
        Some(vec![self.0.time as u8])
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.at(Place::LoadState);
        self.0.time = state[0].into();
        Ok(())
    }
}

impl Drop for Fussy {
    fn drop(&mut self) {
        self.at(Place::Drop);
    }
}

fn vector(second: Place) -> Result<VecEnv, VecEnvError> {
    VecEnv::new(vec![Fussy::boxed(Place::Nothing), Fussy::boxed(second)], 0, Role::TrainEnv)
}

fn action() -> [Action; 2] {
    [Action::Discrete(0), Action::Discrete(0)]
}

/// Makes, plays an episode, saves, plays on, closes: the first error.
fn live(second: Place) -> Result<(), VecEnvError> {
    let mut vector = vector(second)?;
    vector.reset_all()?;
    for _ in 0..6 {
        vector.step(&action())?;
    }
    vector.save();
    vector.step(&action())?;
    vector.close()
}

#[test]
fn a_panic_anywhere_is_a_fault_of_its_worker() {
    live(Place::Nothing).expect("no fault");
    for (place, phase) in [
        (Place::Spec, Phase::Make),
        (Place::Task, Phase::Step),
        (Place::Reset, Phase::Reset),
        (Place::Step, Phase::Step),
        (Place::Metrics, Phase::Step),
        (Place::Success, Phase::Step),
        (Place::SaveState, Phase::Save),
        (Place::Drop, Phase::Drop),
    ] {
        let error = live(place).expect_err("a panic");
        let [fault] = error.faults() else { panic!("{place:?}: {error}") };
        let name = if place == Place::Task { "(name unknown)" } else { "scripted" };
        assert_eq!((fault.worker, fault.phase, fault.env.as_str()), (1, phase, name), "{place:?}");
        assert!(matches!(&fault.cause, EnvError::Panicked(text) if text == "broken on purpose"), "{error}");
    }
}

/// The only fault of a failed call.
fn only<T>(result: Result<T, VecEnvError>) -> WorkerFault {
    let error = result.map(drop).expect_err("a fault");
    let VecEnvError::Workers(mut faults) = error else { panic!("{error}") };
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

#[test]
fn the_successor_of_one_that_cannot_be_dropped_is_ready() {
    let mut vector = vector(Place::Drop).expect("made");
    vector.reset_all().expect("no fault");
    let fault = only(vector.restart(1, Some(Fussy::boxed(Place::Nothing))).cloned());
    assert_eq!((fault.worker, fault.phase), (1, Phase::Drop));
    assert!(!vector.results()[1].faulted);
    vector.step(&action()).expect("both are ready");
    // One whose successor cannot be used stays, and is told of as that one is.
    let fault = only(vector.restart(1, Some(Fussy::boxed(Place::Spec))).cloned());
    assert_eq!((fault.worker, fault.phase), (1, Phase::Make));
    vector.step(&action()).expect("the old one plays on");
}

#[test]
fn nothing_comes_through_where_nobody_asks() {
    // Dropped, not closed, with and without an error before.
    drop(vector(Place::Drop).expect("made"));
    let boxed = || Fussy::boxed(Place::Drop);
    let other: Box<dyn Env> = Box::new(Scripted::new(Fault::EmptySpace));
    VecEnv::new(vec![boxed(), other], 0, Role::TrainEnv).map(drop).expect_err("other spaces");
    drop(Guarded::new(boxed()));
    assert!(matches!(Guarded::new(boxed()).discard(), Err(EnvError::Panicked(_))));
    // Behind a watchdog it happens on another thread.
    drop(Watchdog::new(boxed(), Duration::from_secs(60)));
}

#[test]
fn what_cannot_be_loaded_begins_another_episode() {
    let mut one = vector(Place::Nothing).expect("made");
    one.reset_all().expect("no fault");
    one.step(&action()).expect("no fault");
    let saved = one.save();
    let mut two = vector(Place::LoadState).expect("made");
    let went_on = two.load(saved).expect("a panic in loading is no end");
    assert_eq!(went_on, [true, false]);
    assert_eq!(two.results()[1].local_step, 0);
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[test]
fn any_payload_will_do() {
    let text = |result: Result<(), EnvError>| result.expect_err("a panic").to_string();
    assert_eq!(text(guard(|| panic!("number {}", 7))), "the environment panicked: number 7");
    assert_eq!(text(guard(|| panic_any(Bomb))), "the environment panicked: no message");
    assert_eq!(text(guard(|| panic_any(7))), "the environment panicked: no message");
}
