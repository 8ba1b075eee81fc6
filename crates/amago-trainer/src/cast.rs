//! Which tasks are played by whom, in training and in evaluations.

use std::collections::BTreeMap;
use std::sync::Arc;

use amago_env::guard::guard;
use amago_env::tasks::{Joint, Part, Tasks};
use amago_env::{Env, EnvError, TaskSpec};

use crate::config::{EvalTaskConfig, Reference, TaskConfig};
use crate::maker::{Crew, Maker};
use crate::{RunConfig, TrainError};

mod error;
pub use error::TaskError;
pub(crate) use error::of_config;

/// The tasks of training or of evaluations, and which worker plays which.
#[derive(Clone)]
pub(crate) struct Cast {
    roles: Arc<Vec<Role>>,
    /// Spaces of all tasks of the run; absent where there is one alone, as it is.
    pub joint: Option<Joint>,
    seating: Seating,
}

/// One task.
pub(crate) struct Role {
    /// Name in metrics.
    pub name: String,
    maker: Maker,
    pub spec: TaskSpec,
    weight: f64,
    actors: usize,
    reward_scale: f32,
    reference: Option<Reference>,
}

/// How workers come to their tasks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seating {
    /// Each task has its own actors; the rest draw one for each episode.
    Drawn,
    /// In turn.
    Turns,
}

impl Cast {
    /// One task, played as it is.
    pub fn alone(name: String, maker: Maker) -> Result<Self, TrainError> {
        let spec = maker.spec()?;
        let role = Role { name, maker, spec, weight: 1.0, actors: 0, reward_scale: 1.0, reference: None };
        Ok(Self { roles: Arc::new(vec![role]), joint: None, seating: Seating::Drawn })
    }

    /// The tasks of training.
    pub fn training(config: &RunConfig) -> Result<Self, TrainError> {
        let roles = roles("tasks", &config.tasks)?;
        check_actors(&roles, config.train.parallel_actors)?;
        Ok(Self { roles: Arc::new(roles), joint: None, seating: Seating::Drawn })
    }

    /// The tasks of evaluations, which may be others.
    pub fn evaluation(tasks: &[EvalTaskConfig]) -> Result<Self, TrainError> {
        let as_task = |task: &EvalTaskConfig| TaskConfig {
            name: task.name.clone(),
            id: task.id.clone(),
            options: task.options.clone(),
            weight: 1.0,
            actors: 0,
            reward_scale: task.reward_scale,
            reference: task.reference,
        };
        let tasks: Vec<TaskConfig> = tasks.iter().map(as_task).collect();
        let roles = roles("eval.tasks", &tasks)?;
        Ok(Self { roles: Arc::new(roles), joint: None, seating: Seating::Turns })
    }

    /// The same tasks, played in evaluations.
    pub fn evaluated(&self) -> Self {
        Self { seating: Seating::Turns, ..self.clone() }
    }

    /// The tasks.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Workers that play so many episodes side by side: as many for each task, where tasks take turns.
    pub fn workers(&self, episodes: usize, most: usize) -> usize {
        let tasks = self.roles.len();
        episodes.min((most / tasks).max(1) * tasks)
    }

    /// Reference returns by task.
    pub fn references(&self) -> BTreeMap<String, Reference> {
        self.roles.iter().filter_map(|role| Some((role.name.clone(), role.reference?))).collect()
    }

    /// The longest possible episode, where all are known.
    pub fn horizon(&self) -> Option<usize> {
        let all: Option<Vec<usize>> = self.roles.iter().map(|role| role.spec.horizon).collect();
        all.and_then(|all| all.into_iter().max())
    }

    /// One environment that plays all tasks, each as often.
    pub fn any(&self) -> Result<Box<dyn Env>, EnvError> {
        let Some(joint) = &self.joint else { return self.roles[0].maker.env() };
        let parts = self.roles.iter().map(|role| Ok(role.part(role.maker.env()?, 1.0)));
        Ok(Box::new(Tasks::new(parts.collect::<Result<_, EnvError>>()?, joint.clone())))
    }

    /// Makes the environments of `n` workers.
    pub fn crew(&self, n: usize) -> Result<Crew, EnvError> {
        let Some(joint) = self.joint.clone() else { return self.roles[0].maker.crew(n) };
        // The workers of a task are stepped together: each task's have numbers of their own.
        let seats: Vec<Vec<usize>> = (0..n).map(|i| self.tasks_of(i)).collect();
        let mut crews = Vec::new();
        for (task, role) in self.roles.iter().enumerate() {
            let own: Vec<usize> = (0..n).filter(|i| seats[*i].contains(&task)).collect();
            crews.push((role.maker.crew(own.len())?, own));
        }
        let roles = self.roles.clone();
        Ok(Box::new(move |i| {
            let tasks = seats.get(i).ok_or_else(|| EnvError::Failed(format!("there is no worker {i}")))?;
            let part = |task: &usize| {
                let (crew, own) = &mut crews[*task];
                let place = own.iter().position(|worker| *worker == i).unwrap_or(usize::MAX);
                Ok(roles[*task].part(crew(place)?, roles[*task].weight))
            };
            let parts: Vec<Part> = tasks.iter().map(part).collect::<Result<_, EnvError>>()?;
            guard(|| Ok(Box::new(Tasks::new(parts, joint.clone())) as Box<dyn Env>))
        }))
    }

    /// The tasks that a worker plays, by number.
    fn tasks_of(&self, worker: usize) -> Vec<usize> {
        if self.seating == Seating::Turns {
            return vec![worker % self.roles.len()];
        }
        let bound = self.roles.iter().enumerate().flat_map(|(i, role)| vec![i; role.actors]);
        match bound.into_iter().nth(worker) {
            Some(task) => vec![task],
            None => (0..self.roles.len()).filter(|i| self.roles[*i].actors == 0).collect(),
        }
    }
}

impl Role {
    fn part(&self, env: Box<dyn Env>, weight: f64) -> Part {
        Part { name: self.name.clone(), env, weight, reward_scale: self.reward_scale }
    }
}

/// Spaces that hold for all tasks of a run.
pub(crate) fn joint(casts: [&Cast; 2], pad: bool) -> Result<Joint, TrainError> {
    let roles = casts.iter().flat_map(|cast| cast.roles());
    let named: Vec<(&str, &TaskSpec)> = roles.map(|role| (role.name.as_str(), &role.spec)).collect();
    Ok(Joint::new(&named, pad).map_err(|e| TaskError::Differ { cause: Box::new(e) })?)
}

/// Makes one environment of each task to learn its spaces.
fn roles(list: &str, tasks: &[TaskConfig]) -> Result<Vec<Role>, TrainError> {
    let mut roles: Vec<Role> = Vec::new();
    for (i, task) in tasks.iter().enumerate() {
        check(&format!("{list}[{i}]"), task)?;
        let (name, maker) = (unique(task, &roles), Maker::new(&task.id, &task.options));
        let made = maker.and_then(|maker| Ok((maker.spec()?, maker)));
        let place = format!("{list}[{i}]");
        let (spec, maker) = made.map_err(|cause| TaskError::Make { place, cause })?;
        spec.validate()?;
        let (weight, actors, reference) = (task.weight, task.actors, task.reference);
        let reward_scale = task.reward_scale as f32;
        roles.push(Role { name, maker, spec, weight, actors, reward_scale, reference });
    }
    Ok(roles)
}

/// The name of a task among those before it.
fn unique(task: &TaskConfig, before: &[Role]) -> String {
    let name = if task.name.is_empty() { &task.id } else { &task.name };
    let taken = |name: &str| before.iter().any(|role| role.name == name);
    let numbered = (2..).map(|n| format!("{name} {n}"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

fn check(place: &str, task: &TaskConfig) -> Result<(), TaskError> {
    let refuse =
        |name: &str, value, rule| Err(TaskError::Number { name: format!("{place}.{name}"), value, rule });
    if !(task.weight > 0.0 && task.weight <= 1e9) {
        return refuse("weight", task.weight, "above 0 and at most 1e9");
    }
    // In the precision that it is used in.
    let scale = task.reward_scale as f32;
    if !(scale.is_normal() && scale > 0.0) {
        return refuse("reward_scale", task.reward_scale, "above 0 and finite");
    }
    match task.reference {
        Some(Reference { low, .. }) if !low.is_finite() => refuse("reference.low", low, "finite"),
        Some(Reference { low, high }) if !(high.is_finite() && high > low) => {
            refuse("reference.high", high, "above reference.low and finite")
        }
        _ => Ok(()),
    }
}

/// Each actor must have a task, and each task an actor.
fn check_actors(roles: &[Role], actors: usize) -> Result<(), TaskError> {
    let bound = roles.iter().fold(0_usize, |sum, role| sum.saturating_add(role.actors));
    let drawn = roles.iter().any(|role| role.actors == 0);
    if bound > actors || (drawn == (bound == actors)) {
        return Err(TaskError::Actors { bound, actors, drawn });
    }
    Ok(())
}
