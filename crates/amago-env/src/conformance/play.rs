//! Plays one episode under watch.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{CheckOptions, ConformanceError, Violation};
use crate::observation::KnownSpace;
use crate::{Action, Column, Env, Observation, Role, Step, TaskSpec, guard, rng, stream_seed};

/// One environment and what it said of itself at the beginning.
pub(super) struct Player<'a> {
    env: Box<dyn Env>,
    spec: TaskSpec,
    space: KnownSpace,
    obs: Observation,
    options: &'a CheckOptions,
    /// Byte left where the environment writes nothing; other players leave another.
    byte: u8,
}

/// One step, its observation as a digest: a few thousand images would not fit in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moment {
    obs: u64,
    step: Step,
}

/// One episode.
#[derive(Debug)]
pub(super) struct Trace {
    /// The reset, then each step.
    moments: Vec<Moment>,
    pub finished: bool,
    pub total: f64,
    pub metrics: Vec<(String, f64)>,
    success: Option<bool>,
}

impl Trace {
    /// Steps taken.
    pub fn length(&self) -> usize {
        self.moments.len() - 1
    }

    /// Fails at the first difference.
    pub fn compare(&self, other: &Trace, episode: u64) -> Result<(), ConformanceError> {
        let fail = |step, what| {
            Err(ConformanceError::Play { episode, step, violation: Violation::NotDeterministic(what) })
        };
        for (step, (a, b)) in self.moments.iter().zip(&other.moments).enumerate() {
            if a.obs != b.obs {
                return fail(step, "the observation");
            }
            if a.step.reward.to_bits() != b.step.reward.to_bits() {
                return fail(step, "the reward");
            }
            if a.step != b.step {
                return fail(step, "the end of the episode");
            }
        }
        let last = self.length().min(other.length());
        if self.length() != other.length() {
            return fail(last, "the length of the episode");
        }
        if self.metrics != other.metrics || self.success != other.success {
            return fail(last, "a metric");
        }
        Ok(())
    }
}

impl<'a> Player<'a> {
    pub fn new(env: Box<dyn Env>, options: &'a CheckOptions, byte: u8) -> Self {
        let spec = env.spec().clone();
        let obs = Observation::new(&spec.observation_space);
        let space = KnownSpace::new(spec.observation_space.clone());
        Self { env, spec, space, obs, options, byte }
    }

    /// What the environment said at the beginning.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    /// Plays the episode of one seed with the random actions of another.
    pub fn play(&mut self, episode: u64, actions: u64) -> Result<Trace, ConformanceError> {
        let mut trace =
            Trace { moments: Vec::new(), finished: false, total: 0.0, metrics: Vec::new(), success: None };
        let outcome = self.episode(episode, actions, &mut trace);
        let step = trace.moments.len();
        outcome.map_err(|violation| ConformanceError::Play { episode, step, violation })?;
        if self.env.spec() != &self.spec {
            return Err(ConformanceError::SpecChanged { episode });
        }
        Ok(trace)
    }

    fn episode(&mut self, episode: u64, actions: u64, trace: &mut Trace) -> Result<(), Violation> {
        let mut choices = rng(self.options.seed, Role::Policy, 0, actions);
        self.reset(episode)?;
        trace.moments.push(Moment { obs: digest(&self.obs), step: Step::default() });
        while !trace.finished && trace.moments.len() <= self.options.max_steps {
            if let Some(horizon) = self.env.spec().horizon.filter(|h| trace.moments.len() > *h) {
                return Err(Violation::BeyondHorizon(horizon));
            }
            let action = Action::random(&self.spec.action_space, self.obs.action_mask(), &mut choices);
            self.obs.poison(self.byte);
            let step = guard::step(self.env.as_mut(), &action, &self.space, &mut self.obs)?;
            trace.moments.push(Moment { obs: digest(&self.obs), step });
            trace.total += f64::from(step.reward);
            trace.finished = step.done();
        }
        if trace.finished {
            guard::guard(|| {
                self.env.metrics(&mut |name, value| trace.metrics.push((name.to_owned(), value)));
                trace.success = self.env.success();
                Ok(())
            })?;
        }
        match trace.metrics.iter().find(|(_, value)| !value.is_finite()) {
            Some((name, value)) => Err(Violation::Metric { name: name.clone(), value: *value }),
            None => Ok(()),
        }
    }

    fn reset(&mut self, episode: u64) -> Result<(), Violation> {
        let seed = stream_seed(self.options.seed, Role::EvalEnv, 0, episode);
        self.obs.poison(self.byte);
        Ok(guard::reset(self.env.as_mut(), seed, &self.space, &mut self.obs)?)
    }

    /// Checks that an illegal action gives an action error.
    pub fn refuses(&mut self, action: &Action) -> Result<(), ConformanceError> {
        let fail = |step, violation| Err(ConformanceError::Play { episode: 0, step, violation });
        if let Err(violation) = self.reset(0) {
            return fail(0, violation);
        }
        let (env, obs) = (&mut self.env, &mut self.obs);
        match guard::guard(|| env.step(action, obs)) {
            Err(crate::EnvError::Action(_)) => Ok(()),
            Ok(_) => fail(1, Violation::IllegalAccepted(action.clone())),
            Err(error) => fail(1, Violation::IllegalUntyped { action: action.clone(), error }),
        }
    }
}

fn digest(obs: &Observation) -> u64 {
    let mut hasher = DefaultHasher::new();
    for column in obs.columns() {
        match column {
            Column::F32(values) => values.iter().for_each(|x| x.to_bits().hash(&mut hasher)),
            Column::U8(bytes) => bytes.hash(&mut hasher),
        }
    }
    hasher.finish()
}
