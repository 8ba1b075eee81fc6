//! Autoencode: see a deck, then name its suits backwards.

use super::deck::{CARDS, Deck, Feature};
use super::picture::{ASKED, IN_SIGHT};
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Watch a deck card by card, then name the suits from the last card to the first.
///
/// Observation: two entries for playing and watching, four for a suit. The observation with the last
/// card already says "playing". Afterwards the suit shown is always spades: the package shows card 0
/// of a sorted deck. Reward ±1/cards for each suit named.
pub(super) struct Autoencode {
    decks: usize,
    /// Cards seen and not yet named.
    held: usize,
    watching: bool,
}

impl Autoencode {
    pub fn new(decks: usize) -> Self {
        Self { decks, held: 0, watching: true }
    }

    fn observe(&self, suit: usize, seen: &mut [f32]) {
        let (mode, suits) = seen.split_at_mut(2);
        one_hot(mode, usize::from(self.watching));
        one_hot(suits, suit);
    }
}

impl Task for Autoencode {
    type Hidden = Deck;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(2 + Feature::Suits.count())
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: Feature::Suits.count() }
    }

    fn horizon(&self) -> usize {
        2 * self.decks * CARDS - 1
    }

    fn hidden(&self) -> Deck {
        Deck::new(self.decks, Feature::Suits)
    }

    fn draw(&self, deck: &mut Deck, rng: &mut Rng) {
        deck.shuffle(rng);
    }

    fn noise(&self, _rng: &mut Rng) {}

    fn begin(&mut self, deck: &Deck, _noise: (), seen: &mut [f32]) {
        self.held = 1;
        self.watching = true;
        self.observe(deck.dealt(0), seen);
    }

    fn step(&mut self, deck: &Deck, action: usize, _noise: (), seen: &mut [f32]) -> Step {
        if self.watching {
            self.held += 1;
            self.watching = self.held < deck.len();
            self.observe(deck.dealt(self.held - 1), seen);
            return Step::default();
        }
        self.held -= 1;
        let part = share(deck.len());
        let reward = if action == deck.dealt(self.held) { part } else { -part };
        self.observe(0, seen);
        Step { reward, terminated: self.held == 0, truncated: false }
    }

    fn picture(&self, deck: &Deck) -> Grid {
        let mark = if self.watching { IN_SIGHT } else { ASKED };
        deck.picture([(self.held.checked_sub(1), mark)])
    }
}
