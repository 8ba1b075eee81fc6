//! HigherLower: is the next card higher or lower?

use std::cmp::Ordering;

use super::deck::{CARDS, Deck, Feature};
use super::picture::IN_SIGHT;
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Guess whether the rank of the next card is higher (action 0) or lower (action 1) than that of the
/// card in sight. Ace is lowest. Reward ±1/cards, and 0 when the ranks are equal.
pub(super) struct HigherLower {
    decks: usize,
    dealt: usize,
}

impl HigherLower {
    pub fn new(decks: usize) -> Self {
        Self { decks, dealt: 0 }
    }
}

impl Task for HigherLower {
    type Hidden = Deck;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(Feature::Ranks.count())
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: 2 }
    }

    fn horizon(&self) -> usize {
        self.decks * CARDS - 1
    }

    fn hidden(&self) -> Deck {
        Deck::new(self.decks, Feature::Ranks)
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
        let (now, next) = (deck.dealt(self.dealt - 1), deck.dealt(self.dealt));
        let part = share(deck.len());
        let reward = match next.cmp(&now) {
            Ordering::Equal => 0.0,
            order if (order == Ordering::Greater) == (action == 0) => part,
            _ => -part,
        };
        one_hot(seen, next);
        self.dealt += 1;
        Step { reward, terminated: self.dealt == deck.len(), truncated: false }
    }

    fn picture(&self, deck: &Deck) -> Grid {
        deck.picture([(self.dealt.checked_sub(1), IN_SIGHT)])
    }
}
