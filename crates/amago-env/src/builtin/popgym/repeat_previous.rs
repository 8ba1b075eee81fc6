//! RepeatPrevious: name the suit of the card dealt some turns ago.

use super::deck::{CARDS, Deck, Feature};
use super::picture::{ASKED, IN_SIGHT};
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Cards are dealt one by one; name the suit of the card `k - 1` turns before the one in sight.
///
/// Reward ±1/(cards − k), and 0 before `k` cards are dealt.
pub(super) struct RepeatPrevious {
    decks: usize,
    k: usize,
    dealt: usize,
}

impl RepeatPrevious {
    pub fn new(decks: usize, k: usize) -> Self {
        Self { decks, k, dealt: 0 }
    }
}

impl Task for RepeatPrevious {
    type Hidden = Deck;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(Feature::Suits.count())
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: Feature::Suits.count() }
    }

    fn horizon(&self) -> usize {
        self.decks * CARDS - 1
    }

    fn hidden(&self) -> Deck {
        Deck::new(self.decks, Feature::Suits)
    }

    fn draw(&self, deck: &mut Deck, rng: &mut Rng) {
        deck.shuffle(rng);
    }

    fn noise(&self, _rng: &mut Rng) {}

    fn begin(&mut self, deck: &Deck, _noise: (), seen: &mut [f32]) {
        self.dealt = 1;
        one_hot(seen, deck.dealt(0));
    }

    fn step(&mut self, deck: &Deck, action: usize, _noise: (), seen: &mut [f32]) -> Step {
        let part = share(deck.len() - self.k);
        let reward = match self.dealt.checked_sub(self.k) {
            None => 0.0,
            Some(turn) if action == deck.dealt(turn) => part,
            Some(_) => -part,
        };
        one_hot(seen, deck.dealt(self.dealt));
        self.dealt += 1;
        Step { reward, terminated: self.dealt == deck.len(), truncated: false }
    }

    fn picture(&self, deck: &Deck) -> Grid {
        deck.picture([(self.dealt.checked_sub(1), IN_SIGHT), (self.dealt.checked_sub(self.k), ASKED)])
    }
}
