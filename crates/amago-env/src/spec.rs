//! What never changes of an environment.

use crate::{BoxSpace, DictSpace, Space, SpaceError};

/// What an environment says of itself once and for all: see [`crate::Env::spec`].
///
/// ```
/// use amago_env::{Space, TaskSpec};
///
/// let guess = TaskSpec::new("guess", Space::box_f32(&[2], 0.0, 1.0), Space::Discrete { n: 4 });
/// let guess = guess.with_horizon(10);
/// assert_eq!(guess.observation_space.to_string(), "{observation: Box(0, 1, [2])}");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSpec {
    /// Name of the task, used in metrics.
    pub name: String,
    /// Space of the observations.
    pub observation_space: DictSpace,
    /// Space of the actions. A box must have finite bounds, and its actions come scaled to `[-1, 1]`:
    /// [`crate::Action::numbers`] scales them back. Which discrete options are legal may change from step to
    /// step: see [`DictSpace::ACTION_MASK`].
    pub action_space: Space,
    /// Longest possible episode in steps, where one is known.
    pub horizon: Option<usize>,
}

impl TaskSpec {
    /// A task without a known horizon. A plain space of observations becomes a dictionary with the one key
    /// [`DictSpace::SINGLE`].
    pub fn new(
        name: impl Into<String>,
        observation_space: impl Into<DictSpace>,
        action_space: Space,
    ) -> Self {
        let observation_space = observation_space.into();
        Self { name: name.into(), observation_space, action_space, horizon: None }
    }

    /// Says how many steps the longest possible episode has.
    #[must_use]
    pub fn with_horizon(mut self, steps: usize) -> Self {
        self.horizon = Some(steps);
        self
    }

    /// Refuses spaces that an environment cannot have: unusable ones, actions without finite bounds, and
    /// an action mask ([`DictSpace::ACTION_MASK`]) that does not fit the actions.
    ///
    /// # Errors
    /// Names the space and what is wrong with it.
    pub fn validate(&self) -> Result<(), SpaceError> {
        let (observation, action) = (&self.observation_space, &self.action_space);
        observation.validate()?;
        action.validate()?;
        let infinite = |b: &BoxSpace| b.low.iter().chain(&b.high).any(|x| x.is_infinite());
        if matches!(action, Space::Box(b) if infinite(b)) {
            return Err(SpaceError::Unbounded(action.to_string()));
        }
        let Some(mask) = observation.0.get(DictSpace::ACTION_MASK) else { return Ok(()) };
        let expected = action.choices().map(|_| Space::MultiBinary { n: action.width() });
        if expected.as_ref() == Some(mask) {
            return Ok(());
        }
        let rule = match expected {
            Some(space) => format!("must be {space}"),
            None => "cannot be: only discrete choices have a mask".to_owned(),
        };
        Err(SpaceError::Mask { mask: mask.to_string(), action: action.to_string(), rule })
    }
}
