//! What a task of POPGym is: rules, and chance that is decided apart from them.

use std::any::Any;

use crate::render::Grid;
use crate::{Action, ActionError, Rng, Space, Step};

/// The rules of one task, as a function of what chance decided.
///
/// Observations are written into a slice that keeps its content between the calls of an episode, so
/// a task may write only what changed.
pub(super) trait Task: Send + 'static {
    /// What chance decides before an episode begins, for example the order of a deck.
    type Hidden: Send;
    /// What chance adds at every observation, the first one included.
    type Noise;
    /// An index, or a number from -1 to 1.
    type Action: Decode;

    /// Lowest and highest value of each observation entry.
    fn bounds(&self) -> Vec<(f32, f32)>;

    /// Space of the actions.
    fn action_space(&self) -> Space;

    /// Longest possible episode.
    fn horizon(&self) -> usize;

    /// A hidden state to be overwritten by `draw`.
    fn hidden(&self) -> Self::Hidden;

    /// Draws the hidden state of an episode, whatever it was before.
    fn draw(&self, hidden: &mut Self::Hidden, rng: &mut Rng);

    /// Draws the noise of one observation.
    fn noise(&self, rng: &mut Rng) -> Self::Noise;

    /// Starts an episode.
    fn begin(&mut self, hidden: &Self::Hidden, noise: Self::Noise, seen: &mut [f32]);

    /// Takes one action. Time limits are reported as truncation.
    fn step(
        &mut self,
        hidden: &Self::Hidden,
        action: Self::Action,
        noise: Self::Noise,
        seen: &mut [f32],
    ) -> Step;

    /// Draws where the episode stands, hidden parts included.
    fn picture(&self, hidden: &Self::Hidden) -> Grid;
}

/// Kinds of action.
pub(super) trait Decode: Sized {
    /// Takes a legal action apart.
    fn decode(action: &Action, space: &Space) -> Result<Self, ActionError>;
}

impl Decode for usize {
    fn decode(action: &Action, space: &Space) -> Result<Self, ActionError> {
        action.choice(space)
    }
}

impl Decode for f32 {
    fn decode(action: &Action, space: &Space) -> Result<Self, ActionError> {
        action.unit_numbers(space).map(|numbers| numbers[0])
    }
}

/// A task of any kind. `Any`, so that tests can replay a recorded hidden state.
pub(super) trait Game: Any + Send {
    /// Lowest and highest value of each observation entry.
    fn bounds(&self) -> Vec<(f32, f32)>;

    /// Space of the actions.
    fn action_space(&self) -> &Space;

    /// Longest possible episode.
    fn horizon(&self) -> usize;

    /// Draws the hidden state of the next episode.
    fn draw(&mut self, rng: &mut Rng);

    /// Starts an episode with the hidden state that was drawn last.
    fn begin(&mut self, rng: &mut Rng, seen: &mut [f32]);

    /// Takes one action.
    fn step(&mut self, action: &Action, rng: &mut Rng, seen: &mut [f32]) -> Result<Step, ActionError>;

    /// Draws where the episode stands, hidden parts included.
    fn picture(&self) -> Grid;
}

/// A task and the hidden state of its running episode.
pub(super) struct Round<T: Task> {
    pub task: T,
    pub hidden: T::Hidden,
    action_space: Space,
}

/// Puts a task behind the common interface.
pub(super) fn boxed<T: Task>(task: T) -> Box<dyn Game> {
    Box::new(Round { hidden: task.hidden(), action_space: task.action_space(), task })
}

impl<T: Task> Game for Round<T> {
    fn bounds(&self) -> Vec<(f32, f32)> {
        self.task.bounds()
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn horizon(&self) -> usize {
        self.task.horizon()
    }

    fn draw(&mut self, rng: &mut Rng) {
        self.task.draw(&mut self.hidden, rng);
    }

    fn begin(&mut self, rng: &mut Rng, seen: &mut [f32]) {
        let noise = self.task.noise(rng);
        self.task.begin(&self.hidden, noise, seen);
    }

    fn step(&mut self, action: &Action, rng: &mut Rng, seen: &mut [f32]) -> Result<Step, ActionError> {
        let action = T::Action::decode(action, &self.action_space)?;
        let noise = self.task.noise(rng);
        Ok(self.task.step(&self.hidden, action, noise, seen))
    }

    fn picture(&self) -> Grid {
        self.task.picture(&self.hidden)
    }
}

/// Bounds of `entries` one-hot entries.
pub(super) fn bits(entries: usize) -> Vec<(f32, f32)> {
    vec![(0.0, 1.0); entries]
}

/// Writes a class as a one-hot vector.
pub(super) fn one_hot(out: &mut [f32], class: usize) {
    out.fill(0.0);
    out[class] = 1.0;
}

/// One of `parts` equal shares of a return of 1.
pub(super) fn share(parts: usize) -> f32 {
    (1.0 / parts as f64) as f32
}
