//! Steps that are announced to all environments before the first is taken.

use std::sync::{Arc, Mutex};

use amago_env::kshot::KShot;
use amago_env::vector::{Parallel, Phase, VecEnv};
use amago_env::{Action, DictSpace, Env, EnvError, Observation, Role, Space, Step, TaskSpec, stream_seed};

/// What happened to which environment, in order.
type Log = Arc<Mutex<Vec<(usize, Event)>>>;

#[derive(Debug, Clone, PartialEq)]
enum Event {
    Start(Action, u64),
    Step(Action),
    Reset(u64),
}

/// Ends after two steps; writes down what is asked of it.
struct Told {
    spec: TaskSpec,
    number: usize,
    log: Log,
    time: usize,
    panics: bool,
}

impl Told {
    fn boxed(number: usize, log: &Log, panics: bool) -> Box<dyn Env> {
        let spec = TaskSpec::new("told", Space::box_f32(&[1], 0.0, 1.0), Space::Discrete { n: 4 });
        Box::new(Self { spec, number, log: log.clone(), time: 0, panics })
    }

    fn note(&self, event: Event) {
        self.log.lock().expect("no panic").push((self.number, event));
    }
}

impl Env for Told {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.note(Event::Reset(seed));
        self.time = 0;
        obs.write(DictSpace::SINGLE, &[0.0])
    }

    fn start_step(&mut self, action: &Action, next_seed: u64) -> bool {
        assert!(!self.panics, "broken on purpose");
        self.note(Event::Start(action.clone(), next_seed));
        true
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.note(Event::Step(action.clone()));
        self.time += 1;
        obs.write(DictSpace::SINGLE, &[0.5])?;
        Ok(Step { terminated: self.time == 2, ..Step::default() })
    }
}

fn taken(log: &Log) -> Vec<(usize, Event)> {
    std::mem::take(&mut *log.lock().expect("no panic"))
}

#[test]
fn all_are_told_before_the_first_is_stepped() {
    let log = Log::default();
    let envs = (0..2).map(|i| Told::boxed(i, &log, false)).collect();
    let mut vector = VecEnv::new(envs, 3, Role::TrainEnv).expect("alike");
    vector.set_parallel(Parallel::Off);
    vector.reset_all().expect("no faults");
    taken(&log);
    let seed = |worker, episode| stream_seed(3, Role::TrainEnv, worker, episode);
    let actions = [Action::Discrete(2), Action::Discrete(3)];
    let [first, second] = actions.clone();
    for last in [false, true] {
        vector.step(&actions).expect("no faults");
        let mut expected = vec![
            (0, Event::Start(first.clone(), seed(0, 1))),
            (1, Event::Start(second.clone(), seed(1, 1))),
            (0, Event::Step(first.clone())),
        ];
        if last {
            expected.push((0, Event::Reset(seed(0, 1))));
        }
        expected.push((1, Event::Step(second.clone())));
        if last {
            expected.push((1, Event::Reset(seed(1, 1))));
        }
        assert_eq!(taken(&log), expected);
    }
}

/// Attempts follow each other on one task: what is told is the reset that really comes.
#[test]
fn attempts_are_announced_as_they_come() {
    let log = Log::default();
    let mut env = KShot::new(Told::boxed(0, &log, false), 2).expect("two attempts");
    let mut obs = Observation::new(&env.spec().observation_space);
    env.reset(7, &mut obs).expect("a reset");
    let action = Action::Discrete(0);
    for _ in 0..4 {
        assert!(env.start_step(&action, 99));
        env.step(&action, &mut obs).expect("a step");
    }
    let told: Vec<_> = taken(&log).into_iter().map(|(_, event)| event).collect();
    let (start, step) = (|seed| Event::Start(Action::Discrete(0), seed), || Event::Step(Action::Discrete(0)));
    let first = [Event::Reset(7), start(7), step(), start(7), step(), Event::Reset(7)];
    let second = [start(99), step(), start(99), step()];
    assert_eq!(told, [first.to_vec(), second.to_vec()].concat());
}

#[test]
fn a_panic_there_is_a_fault_of_the_step() {
    let log = Log::default();
    let envs = (0..2).map(|i| Told::boxed(i, &log, i == 1)).collect();
    let mut vector = VecEnv::new(envs, 3, Role::TrainEnv).expect("alike");
    vector.reset_all().expect("no faults");
    let actions = [Action::Discrete(0), Action::Discrete(0)];
    let error = vector.step(&actions).expect_err("a panic");
    let [fault] = error.faults() else { panic!("{error}") };
    assert_eq!((fault.worker, fault.phase), (1, Phase::Step));
    assert!(matches!(&fault.cause, EnvError::Panicked(text) if text == "broken on purpose"), "{error}");
    assert!(!taken(&log).contains(&(1, Event::Step(Action::Discrete(0)))));
    assert_eq!((vector.results()[0].local_step, vector.results()[1].faulted), (1, true));
    // It is over with the restart, which brings another environment.
    vector.restart(1, Some(Told::boxed(1, &log, false))).expect("ready");
    vector.step(&actions).expect("no faults");
}
