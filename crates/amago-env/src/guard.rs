//! Calls into an environment that can neither panic through nor hand over bad numbers.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::observation::KnownSpace;
use crate::{Action, Env, EnvError, Observation, Step, TaskSpec};

/// Runs code of an environment, or of what makes one; a panic becomes [`EnvError::Panicked`].
///
/// The environment may be left half changed, so after a panic it must be reset before use.
///
/// # Errors
/// That of the code, or its panic.
pub fn guard<T>(f: impl FnOnce() -> Result<T, EnvError>) -> Result<T, EnvError> {
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|payload| Err(EnvError::Panicked(panic_message(payload))))
}

/// What a panic said. A payload that is no text is leaked: dropping it may panic again.
pub fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    if text.is_none() {
        // Whatever it is, dropping it may panic again.
        std::mem::forget(payload);
    }
    text.unwrap_or_else(|| "no message".to_owned())
}

/// An environment whose `drop` cannot panic through. Its methods still can: see [`guard`].
pub struct Guarded(Option<Box<dyn Env>>);

impl Guarded {
    /// Takes the environment.
    pub fn new(env: Box<dyn Env>) -> Self {
        Self(Some(env))
    }

    /// Drops it.
    ///
    /// # Errors
    /// When that panics.
    pub fn discard(mut self) -> Result<(), EnvError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), EnvError> {
        let env = self.0.take();
        guard(move || {
            drop(env);
            Ok(())
        })
    }

    /// Its [`Env::spec`].
    ///
    /// # Errors
    /// When asking for it panics.
    pub fn try_spec(&self) -> Result<TaskSpec, EnvError> {
        guard(|| Ok(self.spec().clone()))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Nobody asks any more; the panic itself has told of it.
        let _ = self.end();
    }
}

impl Deref for Guarded {
    type Target = dyn Env;

    fn deref(&self) -> &(dyn Env + 'static) {
        self.0.as_deref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut (dyn Env + 'static) {
        self.0.as_deref_mut().expect("it is there until it is dropped")
    }
}

/// Resets and checks the first observation.
pub(crate) fn reset(
    env: &mut dyn Env,
    seed: u64,
    space: &KnownSpace,
    obs: &mut Observation,
) -> Result<(), EnvError> {
    guard(|| env.reset(seed, obs))?;
    obs.check_known(space)?;
    guard(|| obs.check_mask(&env.spec().action_space))
}

/// Steps and checks reward and observation.
pub(crate) fn step(
    env: &mut dyn Env,
    action: &Action,
    space: &KnownSpace,
    obs: &mut Observation,
) -> Result<Step, EnvError> {
    let step = guard(|| env.step(action, obs))?;
    if !step.reward.is_finite() {
        return Err(EnvError::NotFinite { what: "the reward".to_owned(), value: step.reward });
    }
    obs.check_known(space)?;
    if !step.terminated {
        guard(|| obs.check_mask(&env.spec().action_space))?;
    }
    Ok(step)
}

/// Name of the task that is played, or a stand-in where asking for it panics.
pub(crate) fn task(env: &dyn Env) -> String {
    guard(|| Ok(env.task().to_owned())).unwrap_or_else(|_| "(name unknown)".to_owned())
}
