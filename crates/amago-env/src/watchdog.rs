//! A time limit for environments that may hang.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::guard::{Guarded, guard};
use crate::{Action, Env, EnvError, Observation, Step, TaskSpec};

/// Any environment, on a thread of its own that is given up when it does not answer in time.
///
/// A thread cannot be stopped from outside. One that hangs stays behind and keeps its environment; every
/// later call fails at once. Put another environment in its place. Nobody waits for the environment's `drop`, which
/// happens on that thread, too: one that hangs or panics there harms nobody, and is no fault.
///
/// A call costs about ten microseconds more. There is nothing to draw: a [`crate::film::Filmed`] goes inside.
pub struct Watchdog {
    spec: TaskSpec,
    /// The one that is played.
    task: String,
    limit: Duration,
    /// Absent once the environment was given up.
    calls: RefCell<Option<(SyncSender<Call>, Receiver<Answer>)>>,
    /// Travels to the thread and back.
    buffer: Option<Observation>,
    /// Whether the last call ended an episode; of what it then told.
    ended: bool,
    metrics: Vec<(String, f64)>,
    success: Option<bool>,
    episode_return: Option<f64>,
}

enum Call {
    Reset(u64, Observation),
    Retry(u64, u64, Observation),
    Step(Action, Observation),
    SaveState,
    LoadState(Vec<u8>),
    /// Metrics and success of an episode that somebody else has ended.
    Outcome,
}

struct Answer {
    result: Result<Step, EnvError>,
    obs: Option<Observation>,
    state: Option<Vec<u8>>,
    /// Where the call ended an episode.
    metrics: Vec<(String, f64)>,
    success: Option<bool>,
    episode_return: Option<f64>,
    task: String,
}

impl Watchdog {
    /// Gives `env` a thread and `limit` for every call.
    pub fn new(env: Box<dyn Env>, limit: Duration) -> Self {
        let env = Guarded::new(env);
        let (spec, task) = (env.spec().clone(), env.task().to_owned());
        let buffer = Some(Observation::new(&spec.observation_space));
        let (calls, inbox) = sync_channel(1);
        let (outbox, answers) = sync_channel(1);
        thread::spawn(move || serve(env, &inbox, &outbox));
        Self {
            spec,
            task,
            limit,
            calls: RefCell::new(Some((calls, answers))),
            buffer,
            ended: false,
            metrics: Vec::new(),
            success: None,
            episode_return: None,
        }
    }

    fn call(&self, call: Call) -> Result<Answer, EnvError> {
        let hung = || EnvError::Hung { seconds: self.limit.as_secs_f64() };
        let mut calls = self.calls.borrow_mut();
        let (sender, answers) = calls.as_ref().ok_or_else(hung)?;
        let answer = match sender.send(call) {
            Ok(()) => answers.recv_timeout(self.limit),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        answer.map_err(|reason| {
            *calls = None;
            match reason {
                RecvTimeoutError::Timeout => hung(),
                RecvTimeoutError::Disconnected => EnvError::Panicked("its thread is gone".to_owned()),
            }
        })
    }

    fn play(
        &mut self,
        call: impl FnOnce(Observation) -> Call,
        obs: &mut Observation,
    ) -> Result<Step, EnvError> {
        let buffer = self.buffer.take().unwrap_or_else(|| Observation::new(&self.spec.observation_space));
        let answer = self.call(call(buffer))?;
        self.task = answer.task;
        self.ended = answer.result.as_ref().is_ok_and(Step::done);
        (self.metrics, self.success) = (answer.metrics, answer.success);
        self.episode_return = answer.episode_return;
        if let Some(new) = answer.obs {
            // A faulty environment may give back another buffer: whoever steps it checks that.
            self.buffer = Some(std::mem::replace(obs, new));
        }
        answer.result
    }
}

/// Answers calls until nobody asks any more.
fn serve(mut env: Guarded, inbox: &Receiver<Call>, outbox: &SyncSender<Answer>) {
    while let Ok(call) = inbox.recv() {
        if outbox.send(answer(&mut *env, call)).is_err() {
            return;
        }
    }
}

fn answer(env: &mut dyn Env, call: Call) -> Answer {
    let started = |_: ()| Step::default();
    let mut state = None;
    let (result, obs) = match call {
        Call::Reset(seed, mut obs) => (guard(|| env.reset(seed, &mut obs)).map(started), Some(obs)),
        Call::Retry(task, attempt, mut obs) => {
            (guard(|| env.retry(task, attempt, &mut obs)).map(started), Some(obs))
        }
        Call::Step(action, mut obs) => (guard(|| env.step(&action, &mut obs)), Some(obs)),
        Call::LoadState(state) => (guard(|| env.load_state(&state)).map(started), None),
        Call::SaveState => {
            state = guard(|| Ok(env.save_state())).ok().flatten();
            (Ok(Step::default()), None)
        }
        Call::Outcome => (Ok(Step { truncated: true, ..Step::default() }), None),
    };
    let ended = result.as_ref().is_ok_and(Step::done);
    let told = guard(|| {
        let mut metrics = Vec::new();
        if ended {
            env.metrics(&mut |name, value| metrics.push((name.to_owned(), value)));
        }
        let (success, episode_return) =
            if ended { (env.success(), env.episode_return()) } else { (None, None) };
        Ok((metrics, success, episode_return, env.task().to_owned()))
    });
    match told {
        Ok((metrics, success, episode_return, task)) => {
            Answer { result, obs, state, metrics, success, episode_return, task }
        }
        Err(e) => {
            let (metrics, task) = (Vec::new(), crate::guard::task(env));
            let (success, episode_return) = (None, None);
            Answer { result: result.and(Err(e)), obs, state, metrics, success, episode_return, task }
        }
    }
}

impl Env for Watchdog {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn task(&self) -> &str {
        &self.task
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.play(|buffer| Call::Reset(seed, buffer), obs).map(drop)
    }

    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.play(|buffer| Call::Retry(task, attempt, buffer), obs).map(drop)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        self.play(|buffer| Call::Step(action.clone(), buffer), obs)
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        let asked = if self.ended { None } else { self.call(Call::Outcome).ok() };
        let metrics = asked.as_ref().map_or(&self.metrics, |answer| &answer.metrics);
        metrics.iter().for_each(|(name, value)| report(name, *value));
    }

    fn success(&self) -> Option<bool> {
        if self.ended { self.success } else { self.call(Call::Outcome).ok()?.success }
    }

    fn episode_return(&self) -> Option<f64> {
        if self.ended { self.episode_return } else { self.call(Call::Outcome).ok()?.episode_return }
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        self.call(Call::SaveState).ok()?.state
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.call(Call::LoadState(state.to_vec()))?.result.map(drop)
    }
}
