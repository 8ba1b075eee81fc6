//! Calls into an environment that can neither panic through nor hand over bad numbers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Action, DictSpace, Env, EnvError, Observation, Step};

/// Runs code of an environment; a panic becomes [`EnvError::Panicked`].
///
/// The environment may be left half changed, so after a panic it must be reset before use.
pub(crate) fn guard<T>(f: impl FnOnce() -> Result<T, EnvError>) -> Result<T, EnvError> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|p| Err(EnvError::Panicked(message(p.as_ref()))))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Resets and checks the first observation.
pub(crate) fn reset(
    env: &mut dyn Env,
    seed: u64,
    space: &DictSpace,
    obs: &mut Observation,
) -> Result<(), EnvError> {
    guard(|| env.reset(seed, obs))?;
    obs.check(space)?;
    guard(|| obs.check_mask(env.action_space()))
}

/// Steps and checks reward and observation.
pub(crate) fn step(
    env: &mut dyn Env,
    action: &Action,
    space: &DictSpace,
    obs: &mut Observation,
) -> Result<Step, EnvError> {
    let step = guard(|| env.step(action, obs))?;
    if !step.reward.is_finite() {
        return Err(EnvError::NotFinite { what: "the reward".to_owned(), value: step.reward });
    }
    obs.check(space)?;
    if !step.terminated {
        guard(|| obs.check_mask(env.action_space()))?;
    }
    Ok(step)
}

/// The task's name, or a stand-in where asking for it panics.
pub(crate) fn name(env: &dyn Env) -> String {
    guard(|| Ok(env.name().to_owned())).unwrap_or_else(|_| "(name unknown)".to_owned())
}
