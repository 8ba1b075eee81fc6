//! Actions and their encoding as vectors.

use rand::RngExt;

use crate::{Rng, Space};

/// One action, of the kind of the environment's action space.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Index of a choice.
    Discrete(usize),
    /// Index of each choice.
    MultiDiscrete(Vec<usize>),
    /// Bits.
    MultiBinary(Vec<bool>),
    /// Numbers in `[-1, 1]`; the environment rescales to its true bounds.
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

    /// Draws uniformly from the space.
    ///
    /// # Panics
    /// When a count of the space is zero, which [`Space::validate`] refuses.
    pub fn random(space: &Space, rng: &mut Rng) -> Self {
        match space {
            Space::Discrete { n } => Action::Discrete(rng.random_range(0..*n)),
            Space::MultiDiscrete { nvec } => {
                Action::MultiDiscrete(nvec.iter().map(|n| rng.random_range(0..*n)).collect())
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

    /// The numbers from -1 to 1, one per entry, checked against a box.
    ///
    /// # Errors
    /// When the action is of another kind or width, or a number is out of range.
    pub fn numbers(&self, space: &Space) -> Result<&[f32], ActionError> {
        match (self, space) {
            (Action::Continuous(a), Space::Box(_))
                if a.len() == space.width() && a.iter().all(|x| (-1.0..=1.0).contains(x)) =>
            {
                Ok(a)
            }
            _ => Err(self.error(space)),
        }
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
                out.copy_from_slice(self.numbers(space)?);
                true
            }
            _ => false,
        };
        if legal { Ok(()) } else { Err(self.error(space)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(action: Action, space: Space, expected: Option<&[f32]>) {
        let mut out = vec![9.0; space.width()];
        let result = action.encode(&space, &mut out);
        match expected {
            Some(values) => {
                assert_eq!(result, Ok(()), "{action:?} in {space}");
                assert_eq!(out, values, "{action:?} in {space}");
            }
            None => {
                let error = result.expect_err("an illegal action");
                assert_eq!(
                    format!("{:?}", error.action),
                    format!("{action:?}"),
                    "NaN is not equal to itself"
                );
                assert!(error.to_string().contains(&space.to_string()));
            }
        }
    }

    #[test]
    fn encode_writes_the_vector_form_or_refuses() {
        let two_three = || Space::MultiDiscrete { nvec: vec![2, 3] };
        let bits = || Space::MultiBinary { n: 2 };
        let pair = || Space::box_f32(&[2], -5.0, 5.0);
        check(Action::Discrete(2), Space::Discrete { n: 3 }, Some(&[0.0, 0.0, 1.0]));
        check(Action::Discrete(3), Space::Discrete { n: 3 }, None);
        check(Action::Discrete(0), pair(), None);
        check(Action::MultiDiscrete(vec![1, 2]), two_three(), Some(&[0.0, 1.0, 0.0, 0.0, 1.0]));
        check(Action::MultiDiscrete(vec![1, 3]), two_three(), None);
        check(Action::MultiDiscrete(vec![1]), two_three(), None);
        check(Action::MultiBinary(vec![true, false]), bits(), Some(&[1.0, 0.0]));
        check(Action::MultiBinary(vec![true]), bits(), None);
        check(Action::Continuous(vec![-1.0, 0.5]), pair(), Some(&[-1.0, 0.5]));
        check(Action::Continuous(vec![-1.5, 0.5]), pair(), None);
        check(Action::Continuous(vec![f32::NAN, 0.5]), pair(), None);
        check(Action::Continuous(vec![0.5]), pair(), None);
    }

    #[test]
    fn zero_and_random_actions_are_legal() {
        let mut rng = crate::rng(1, crate::Role::Exploration, 0, 0);
        for space in [
            Space::Discrete { n: 300 },
            Space::MultiDiscrete { nvec: vec![2, 7] },
            Space::MultiBinary { n: 4 },
            Space::box_f32(&[2, 2], 0.0, 1.0),
        ] {
            let mut out = vec![0.0; space.width()];
            assert_eq!(Action::zero(&space).encode(&space, &mut out), Ok(()));
            for _ in 0..50 {
                assert_eq!(Action::random(&space, &mut rng).encode(&space, &mut out), Ok(()));
            }
        }
    }

    #[test]
    fn numbers_accepts_only_numbers_of_the_box() {
        let space = Space::box_f32(&[2], -5.0, 5.0);
        let numbers = |values: &[f32]| Action::Continuous(values.to_vec());
        assert_eq!(numbers(&[-1.0, 0.5]).numbers(&space), Ok(&[-1.0, 0.5][..]));
        for bad in [numbers(&[0.5]), numbers(&[0.0, 1.5]), numbers(&[f32::NAN, 0.0]), Action::Discrete(0)] {
            assert!(bad.numbers(&space).is_err(), "{bad:?}");
        }
        assert!(numbers(&[0.0, 0.0]).numbers(&Space::Discrete { n: 2 }).is_err());
    }

    #[test]
    fn choice_accepts_only_choices() {
        let space = Space::Discrete { n: 3 };
        assert_eq!(Action::Discrete(2).choice(&space), Ok(2));
        assert!(Action::Discrete(3).choice(&space).is_err());
        assert!(Action::MultiDiscrete(vec![1]).choice(&space).is_err());
    }
}
