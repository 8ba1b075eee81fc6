//! The actions of a running episode, in as few bytes as they need.

use crate::guard::guard;
use crate::{Action, Env, Space};

/// After so many steps of an episode the environment is asked whether it saves its state itself.
const ASK_AFTER: usize = 256;

/// Actions of one episode from its start, one after the other: the numbers of choices seven bits to a byte,
/// lowest first, with the top bit set where more follow (LEB128), eight bits to a byte, or numbers as four bytes
/// each. A discrete choice of up to 128 options takes one byte.
///
/// Without a saved state an episode is resumed by playing all of its actions again, so they grow with it. Where
/// the environment has one, they are dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct ActionLog {
    bytes: Vec<u8>,
    steps: usize,
    kept: bool,
    /// The environment saves its state, so that the actions are of no use.
    dropped: bool,
}

impl ActionLog {
    /// Forgets everything; whether anything is to be kept from now on.
    pub fn begin(&mut self, kept: bool) {
        self.bytes.clear();
        (self.steps, self.kept, self.dropped) = (0, kept, false);
    }

    /// Whether anything is kept.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Adds an action that the environment has accepted.
    pub fn push(&mut self, action: &Action, env: &dyn Env) {
        if !self.kept || self.dropped {
            return;
        }
        encode(action, &mut self.bytes);
        self.steps += 1;
        if self.steps == ASK_AFTER && guard(|| Ok(env.save_state().is_some())).unwrap_or(false) {
            self.drop_all();
        }
    }

    /// The environment went on from its own state: what was done before is not known.
    pub fn drop_all(&mut self) {
        self.bytes = Vec::new();
        self.dropped = true;
    }

    /// The whole episode, if it is known.
    pub fn bytes(&self) -> Option<&[u8]> {
        (self.kept && !self.dropped).then_some(&self.bytes)
    }
}

/// Appends an action.
pub(super) fn encode(action: &Action, out: &mut Vec<u8>) {
    match action {
        Action::Discrete(choice) => number(*choice, out),
        Action::MultiDiscrete(choices) => choices.iter().for_each(|choice| number(*choice, out)),
        Action::MultiBinary(bits) => out.extend(bits.chunks(8).map(|bits| {
            bits.iter().enumerate().fold(0, |byte, (place, bit)| byte | (u8::from(*bit) << place))
        })),
        Action::Continuous(numbers) => out.extend(numbers.iter().flat_map(|x| x.to_le_bytes())),
    }
}

/// Takes the next action of a space off the front; absent where the bytes end before it does.
pub(super) fn decode(space: &Space, bytes: &mut &[u8]) -> Option<Action> {
    let mut take = |n: usize| {
        let (front, rest) = bytes.split_at_checked(n)?;
        *bytes = rest;
        Some(front)
    };
    let mut choice = || {
        let mut value = 0usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = take(1)?[0];
            value |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    Some(match space {
        Space::Discrete { .. } => Action::Discrete(choice()?),
        Space::MultiDiscrete { nvec } => {
            Action::MultiDiscrete(nvec.iter().map(|_| choice()).collect::<Option<_>>()?)
        }
        Space::MultiBinary { n } => {
            let bits = take(n.div_ceil(8))?;
            Action::MultiBinary((0..*n).map(|i| (bits[i / 8] >> (i % 8)) & 1 == 1).collect())
        }
        Space::Box(_) => {
            let numbers = take(space.width().checked_mul(4)?)?.chunks_exact(4);
            Action::Continuous(numbers.map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect())
        }
    })
}

fn number(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_come_back_from_few_bytes() {
        let spaces = [
            (Space::Discrete { n: 128 }, 1, Action::Discrete(127)),
            (Space::Discrete { n: usize::MAX }, 10, Action::Discrete(usize::MAX - 1)),
            (Space::MultiDiscrete { nvec: vec![3, 1000] }, 3, Action::MultiDiscrete(vec![2, 999])),
            (
                Space::MultiBinary { n: 9 },
                2,
                Action::MultiBinary(vec![true, false, false, true, true, false, false, true, true]),
            ),
            (Space::box_f32(&[2], -1.0, 1.0), 8, Action::Continuous(vec![-0.25, 1.0])),
        ];
        for (space, size, action) in spaces {
            let mut bytes = Vec::new();
            encode(&action, &mut bytes);
            assert_eq!(bytes.len(), size, "{action:?}");
            encode(&Action::zero(&space), &mut bytes);
            let mut rest = &bytes[..];
            assert_eq!(decode(&space, &mut rest), Some(action.clone()));
            assert_eq!(decode(&space, &mut rest), Some(Action::zero(&space)));
            assert_eq!((decode(&space, &mut rest), rest), (None, &[][..]), "{space}");
            assert_eq!(decode(&space, &mut &bytes[..size - 1]), None, "{space}: cut off");
        }
        assert_eq!(decode(&Space::Discrete { n: 2 }, &mut &[0xff; 12][..]), None, "a number without an end");
    }
}
