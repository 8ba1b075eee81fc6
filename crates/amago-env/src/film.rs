//! An environment whose states somebody looks at.

use crate::render::{Frame, Grid};
use crate::{Action, Env, EnvError, Observation, Step, TaskSpec};

/// Any environment, with a look at each of its states: at the first one of an episode when it is acted on
/// (so that an episode nobody plays is not shown), and at the one after each step, the last one included.
///
/// `look` gets the environment and the step that led to its state, none at an episode's start. Its error
/// becomes that of the step.
pub struct Filmed<F> {
    env: Box<dyn Env>,
    look: F,
    /// The episode's first state was not looked at yet.
    fresh: bool,
}

impl<F: FnMut(&dyn Env, Option<Step>) -> Result<(), EnvError> + Send> Filmed<F> {
    /// Looks at an environment that is reset before its first step.
    pub fn new(env: Box<dyn Env>, look: F) -> Self {
        Self { env, look, fresh: false }
    }
}

impl<F: FnMut(&dyn Env, Option<Step>) -> Result<(), EnvError> + Send> Env for Filmed<F> {
    fn spec(&self) -> &TaskSpec {
        self.env.spec()
    }

    fn task(&self) -> &str {
        self.env.task()
    }

    fn reset(&mut self, seed: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.fresh = true;
        self.env.reset(seed, obs)
    }

    fn retry(&mut self, task: u64, attempt: u64, obs: &mut Observation) -> Result<(), EnvError> {
        self.fresh = true;
        self.env.retry(task, attempt, obs)
    }

    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        if std::mem::take(&mut self.fresh) {
            (self.look)(self.env.as_ref(), None)?;
        }
        let step = self.env.step(action, obs)?;
        (self.look)(self.env.as_ref(), Some(step))?;
        Ok(step)
    }

    fn metrics(&self, report: &mut dyn FnMut(&str, f64)) {
        self.env.metrics(report);
    }

    fn success(&self) -> Option<bool> {
        self.env.success()
    }

    fn episode_return(&self) -> Option<f64> {
        self.env.episode_return()
    }

    fn attempt(&self) -> Option<usize> {
        self.env.attempt()
    }

    fn draw(&self) -> Option<Grid> {
        self.env.draw()
    }

    fn render(&self) -> Option<Frame> {
        self.env.render()
    }

    fn render_text(&self) -> Option<String> {
        self.env.render_text()
    }
}
