//! Actions and their encoding as vectors.

use rand::RngExt;

use crate::{Rng, Space};

/// One action, of the kind of the environment's action space.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Action {
    /// Index of a choice.
    Discrete(usize),
    /// Index of each choice.
    MultiDiscrete(Vec<usize>),
    /// Bits.
    MultiBinary(Vec<bool>),
    /// Numbers in `[-1, 1]`; [`Action::numbers`] gives them in the true bounds of the space.
    Continuous(Vec<f32>),
}

/// An action of another kind or size than the space.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the action {action:?} does not belong to the action space {space}")]
pub struct ActionError {
    /// The offending action.
    pub action: Action,
    /// The space it was meant for.
    pub space: String,
}

impl Action {
    /// The all-zero action of a space, as a buffer to fill.
    pub fn zero(space: &Space) -> Self {
        match space {
            Space::Discrete { .. } => Action::Discrete(0),
            Space::MultiDiscrete { nvec } => Action::MultiDiscrete(vec![0; nvec.len()]),
            Space::MultiBinary { n } => Action::MultiBinary(vec![false; *n]),
            Space::Box(_) => Action::Continuous(vec![0.0; space.width()]),
        }
    }

    /// Draws uniformly from the space; of discrete choices only those that a mask allows
    /// ([`crate::Observation::action_mask`]), where there is one.
    ///
    /// # Panics
    /// When a count of the space is zero, which [`Space::validate`] refuses.
    pub fn random(space: &Space, mask: Option<&[f32]>, rng: &mut Rng) -> Self {
        match space {
            Space::Discrete { n } => Action::Discrete(random_choice(*n, 0, mask, rng)),
            Space::MultiDiscrete { nvec } => {
                let mut start = 0;
                let choices = nvec.iter().map(|n| {
                    let choice = random_choice(*n, start, mask, rng);
                    start += n;
                    choice
                });
                Action::MultiDiscrete(choices.collect())
            }
            Space::MultiBinary { n } => Action::MultiBinary((0..*n).map(|_| rng.random()).collect()),
            Space::Box(_) => {
                Action::Continuous((0..space.width()).map(|_| rng.random_range(-1.0..=1.0)).collect())
            }
        }
    }

    /// The index of a choice, checked against a discrete space.
    ///
    /// # Errors
    /// When the action is not one of the space's choices.
    pub fn choice(&self, space: &Space) -> Result<usize, ActionError> {
        match (self, space) {
            (Action::Discrete(a), Space::Discrete { n }) if a < n => Ok(*a),
            _ => Err(self.error(space)),
        }
    }

    /// The numbers from -1 to 1, one per entry, checked against a box: a policy's own units.
    ///
    /// # Errors
    /// When the action is of another kind or width, or a number is out of range.
    pub fn unit_numbers(&self, space: &Space) -> Result<&[f32], ActionError> {
        match (self, space) {
            (Action::Continuous(a), Space::Box(_)) if a.len() == space.width() && in_unit_range(a) => Ok(a),
            _ => Err(self.error(space)),
        }
    }

    /// The index of each choice, checked against a multi-discrete space.
    ///
    /// # Errors
    /// When the action is not of the space.
    pub fn choices(&self, space: &Space) -> Result<&[usize], ActionError> {
        match (self, space) {
            (Action::MultiDiscrete(a), Space::MultiDiscrete { nvec })
                if a.len() == nvec.len() && a.iter().zip(nvec).all(|(a, n)| a < n) =>
            {
                Ok(a)
            }
            _ => Err(self.error(space)),
        }
    }

    /// The bits, checked against a multi-binary space.
    ///
    /// # Errors
    /// When the action is not of the space.
    pub fn bits(&self, space: &Space) -> Result<&[bool], ActionError> {
        match (self, space) {
            (Action::MultiBinary(bits), Space::MultiBinary { n }) if bits.len() == *n => Ok(bits),
            _ => Err(self.error(space)),
        }
    }

    /// The numbers in the true bounds of a box: -1 becomes the lower bound and 1 the upper one.
    ///
    /// # Errors
    /// When the action is not of the space.
    pub fn numbers(&self, space: &Space) -> Result<Vec<f32>, ActionError> {
        let (numbers, Space::Box(b)) = (self.unit_numbers(space)?, space) else {
            return Err(self.error(space));
        };
        let bounds = b.low.iter().zip(&b.high);
        Ok(numbers.iter().zip(bounds).map(|(x, (low, high))| rescale(*x, *low, *high)).collect())
    }

    fn error(&self, space: &Space) -> ActionError {
        ActionError { action: self.clone(), space: space.to_string() }
    }

    /// Writes the vector form (one-hot, 0/1 or numbers), `Space::width` entries.
    ///
    /// # Errors
    /// When the action is not in the space.
    ///
    /// # Panics
    /// When `out` is not as wide as the space.
    pub fn encode(&self, space: &Space, out: &mut [f32]) -> Result<(), ActionError> {
        assert_eq!(out.len(), space.width(), "encode: wrong buffer width");
        out.fill(0.0);
        let legal = match (self, space) {
            (Action::Discrete(a), Space::Discrete { n }) if a < n => {
                out[*a] = 1.0;
                true
            }
            (Action::MultiDiscrete(a), Space::MultiDiscrete { nvec }) if a.len() == nvec.len() => {
                let mut start = 0;
                a.iter().zip(nvec).all(|(a, n)| {
                    let ok = a < n;
                    if ok {
                        out[start + a] = 1.0;
                    }
                    start += n;
                    ok
                })
            }
            (Action::MultiBinary(bits), Space::MultiBinary { n }) if bits.len() == *n => {
                out.iter_mut().zip(bits).for_each(|(o, b)| *o = f32::from(*b));
                true
            }
            (Action::Continuous(_), Space::Box(_)) => {
                out.copy_from_slice(self.unit_numbers(space)?);
                true
            }
            _ => false,
        };
        if legal { Ok(()) } else { Err(self.error(space)) }
    }

    /// The action that a vector stands for: the largest entry of each choice, bits above one half,
    /// numbers kept in `[-1, 1]`. The inverse of [`Action::encode`].
    ///
    /// # Panics
    /// When `vector` is not as wide as the space.
    pub fn decode(space: &Space, vector: &[f32]) -> Self {
        assert_eq!(vector.len(), space.width(), "decode: wrong vector width");
        let largest = |part: &[f32]| {
            part.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(choice, _)| choice)
        };
        match space {
            Space::Discrete { .. } => Action::Discrete(largest(vector)),
            Space::MultiDiscrete { nvec } => {
                let mut rest = vector;
                let choices = nvec.iter().map(|n| {
                    let (part, tail) = rest.split_at(*n);
                    rest = tail;
                    largest(part)
                });
                Action::MultiDiscrete(choices.collect())
            }
            Space::MultiBinary { .. } => Action::MultiBinary(vector.iter().map(|x| *x > 0.5).collect()),
            Space::Box(_) => Action::Continuous(vector.iter().map(|x| x.clamp(-1.0, 1.0)).collect()),
        }
    }
}

fn in_unit_range(numbers: &[f32]) -> bool {
    numbers.iter().all(|x| (-1.0..=1.0).contains(x))
}

/// In double precision, where the width of any finite bounds is finite.
fn rescale(x: f32, low: f32, high: f32) -> f32 {
    let (from, to) = (f64::from(low), f64::from(high));
    ((from + (f64::from(x) + 1.0) / 2.0 * (to - from)) as f32).clamp(low, high)
}

/// One of `n` choices, uniform over those that the mask's entries from `start` on allow; over all
/// where these allow none.
pub(crate) fn random_choice(n: usize, start: usize, mask: Option<&[f32]>, rng: &mut Rng) -> usize {
    let allowed = |choice: &usize| mask.is_none_or(|m| m[start + choice] > 0.5);
    match (0..n).filter(allowed).count() {
        0 => rng.random_range(0..n),
        // As many draws as without a mask.
        count => (0..n).filter(allowed).nth(rng.random_range(0..count)).expect("fewer than there are"),
    }
}
