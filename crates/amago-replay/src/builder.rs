//! Records an environment's steps as trajectories.

use std::sync::Arc;

use amago_env::{Action, Column, DictSpace, Observation, Space, Step};

use crate::{Columns, Layout, ReplayError, Trajectory};

/// Gathers the steps of one environment.
///
/// `start` with the first observation of an episode, `push` every step, then `finish` at the end of
/// the episode, or `cut` to store a part of a long episode and go on.
///
/// ```
/// use amago_env::{Action, DictSpace, Observation, Space, Step};
/// use amago_replay::TrajectoryBuilder;
///
/// let observations = DictSpace::single(Space::box_f32(&[2], -1.0, 1.0));
/// let mut builder = TrajectoryBuilder::new(&observations, &Space::Discrete { n: 3 });
/// let obs = Observation::new(&observations);
/// builder.start(&obs)?;
/// let step = Step { reward: 0.5, terminated: false, truncated: false };
/// builder.push(&Action::Discrete(2), &step, &obs)?;
/// let first = builder.cut();
/// builder.push(&Action::Discrete(0), &step, &obs)?;
/// let rest = builder.finish();
/// assert_eq!((first.len(), rest.len()), (1, 1));
/// // Time goes on, and so does what the next input tells of the step before.
/// assert_eq!(rest.columns().start_time, 1);
/// assert_eq!(rest.columns().first_prev, [0.5, 0.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrajectoryBuilder {
    layout: Arc<Layout>,
    action_space: Space,
    columns: Columns,
    started: bool,
    encoded: Vec<f32>,
}

impl TrajectoryBuilder {
    /// A builder for an environment with these spaces, not started yet.
    pub fn new(observation: &DictSpace, action: &Space) -> Self {
        let layout = Arc::new(Layout::new(observation, action));
        let columns = empty(&layout, 0, vec![0.0; layout.rl2_width()]);
        let encoded = vec![0.0; layout.action_width];
        Self { layout, action_space: action.clone(), columns, started: false, encoded }
    }

    /// Layout of the trajectories.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Starts an episode with its first observation. Steps not yet taken out are dropped.
    ///
    /// # Errors
    /// When the observation does not fit the layout or is not finite; then nothing is started.
    pub fn start(&mut self, obs: &Observation) -> Result<(), ReplayError> {
        self.check(obs)?;
        self.columns = empty(&self.layout, 0, vec![0.0; self.layout.rl2_width()]);
        self.append_obs(obs);
        self.started = true;
        Ok(())
    }

    /// Adds one step: the action, what it gave, and the observation after it.
    ///
    /// # Errors
    /// When the episode was not started, the action is illegal, or reward or observation cannot be
    /// stored; then nothing is added.
    pub fn push(&mut self, action: &Action, step: &Step, next: &Observation) -> Result<(), ReplayError> {
        if !self.started {
            return Err(ReplayError::NotStarted);
        }
        if !step.reward.is_finite() {
            return Err(ReplayError::NotFinite { what: "the reward".to_owned(), value: step.reward });
        }
        self.check(next)?;
        action.encode(&self.action_space, &mut self.encoded)?;
        self.columns.actions.extend_from_slice(&self.encoded);
        self.columns.rewards.push(step.reward);
        self.columns.terminals.push(step.terminated);
        self.append_obs(next);
        Ok(())
    }

    /// Transitions gathered since the start or the last cut.
    pub fn len(&self) -> usize {
        self.columns.rewards.len()
    }

    /// Whether no transition was gathered since the start or the last cut.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an episode is being recorded.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// What was gathered of a running episode since its start or the last cut, for a checkpoint.
    pub fn unfinished(&self) -> Option<&Columns> {
        self.started.then_some(&self.columns)
    }

    /// Goes on with an episode that was begun elsewhere.
    ///
    /// # Errors
    /// When the columns do not fit the layout; then nothing changes.
    pub fn resume(&mut self, unfinished: Columns) -> Result<(), ReplayError> {
        self.columns = Trajectory::new(self.layout.clone(), unfinished)?.into_columns();
        self.started = true;
        Ok(())
    }

    /// Takes out what was gathered and goes on with the same episode: the last timestep becomes the
    /// first of the next trajectory, and time goes on counting.
    ///
    /// # Panics
    /// When no episode was started.
    pub fn cut(&mut self) -> Trajectory {
        assert!(self.started, "cut: the trajectory was not started");
        let (steps, a) = (self.len(), self.layout.action_width);
        let mut prev = self.columns.first_prev.clone();
        if steps > 0 {
            prev[0] = self.columns.rewards[steps - 1];
            prev[1..].copy_from_slice(&self.columns.actions[(steps - 1) * a..]);
        }
        let mut next = empty(&self.layout, self.columns.start_time + steps as i64, prev);
        for (i, spec) in self.layout.columns.iter().enumerate() {
            let all = &self.columns.obs[i];
            next.obs[i].extend(all, steps * spec.width..all.len());
        }
        Trajectory::from_checked(self.layout.clone(), std::mem::replace(&mut self.columns, next))
    }

    /// Takes out what was gathered and ends the episode; `start` begins the next one.
    ///
    /// # Panics
    /// When no episode was started.
    pub fn finish(&mut self) -> Trajectory {
        assert!(self.started, "finish: the trajectory was not started");
        self.started = false;
        let next = empty(&self.layout, 0, vec![0.0; self.layout.rl2_width()]);
        Trajectory::from_checked(self.layout.clone(), std::mem::replace(&mut self.columns, next))
    }

    fn check(&self, obs: &Observation) -> Result<(), ReplayError> {
        let fits =
            |(spec, c): (&crate::ColumnLayout, &Column)| spec.dtype == c.dtype() && spec.width == c.len();
        let columns = obs.columns();
        if columns.len() != self.layout.columns.len() || !self.layout.columns.iter().zip(columns).all(fits) {
            return Err(ReplayError::Observation { expected: self.layout.to_string() });
        }
        for (spec, column) in self.layout.columns.iter().zip(columns) {
            let Column::F32(values) = column else { continue };
            if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                let what = format!("observation \"{}\"[{i}]", spec.key);
                return Err(ReplayError::NotFinite { what, value: values[i] });
            }
        }
        Ok(())
    }

    fn append_obs(&mut self, obs: &Observation) {
        for (to, from) in self.columns.obs.iter_mut().zip(obs.columns()) {
            to.extend(from, 0..from.len());
        }
    }
}

fn empty(layout: &Layout, start_time: i64, first_prev: Vec<f32>) -> Columns {
    Columns {
        obs: layout.columns.iter().map(|c| Column::zeros(c.dtype, 0)).collect(),
        actions: Vec::new(),
        rewards: Vec::new(),
        terminals: Vec::new(),
        start_time,
        first_prev,
    }
}
