//! RepeatFirst: name the suit of the first card, again and again.

use super::deck::{CARDS, Deck, Feature};
use super::picture::{ASKED, IN_SIGHT};
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Cards are dealt one by one; always name the suit of the first. Reward ±1/(cards − 1).
pub(super) struct RepeatFirst {
    decks: usize,
    dealt: usize,
}

impl RepeatFirst {
    pub fn new(decks: usize) -> Self {
        Self { decks, dealt: 0 }
    }
}

impl Task for RepeatFirst {
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
        let part = share(deck.len() - 1);
        let reward = if action == deck.dealt(0) { part } else { -part };
        one_hot(seen, deck.dealt(self.dealt));
        self.dealt += 1;
        Step { reward, terminated: self.dealt == deck.len(), truncated: false }
    }

    fn picture(&self, deck: &Deck) -> Grid {
        deck.picture([(self.dealt.checked_sub(1), IN_SIGHT), (Some(0), ASKED)])
    }
}
