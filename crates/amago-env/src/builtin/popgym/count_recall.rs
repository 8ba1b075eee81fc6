//! CountRecall: how often was this card dealt so far?

use super::deck::{CARDS, Deck, Feature};
use super::picture::{self, ASKED, IN_SIGHT};
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Two decks are dealt side by side: a card to count, and a card to ask about. The answer is how
/// often the asked card was dealt, the one in sight included. Reward ±1/(cards − 1).
///
/// Observation: one-hot of the dealt card, then of the asked one.
pub(super) struct CountRecall {
    decks: usize,
    pub feature: Feature,
    counts: [usize; 13],
    asked: usize,
    dealt: usize,
}

/// The order of both decks.
#[derive(Debug)]
pub(super) struct Decks {
    pub values: Deck,
    pub queries: Deck,
}

impl CountRecall {
    pub fn new(decks: usize, feature: Feature) -> Self {
        Self { decks, feature, counts: [0; 13], asked: 0, dealt: 0 }
    }

    fn deal(&mut self, hidden: &Decks, seen: &mut [f32]) {
        let value = hidden.values.dealt(self.dealt);
        self.asked = hidden.queries.dealt(self.dealt);
        self.dealt += 1;
        self.counts[value] += 1;
        let (values, queries) = seen.split_at_mut(self.feature.count());
        one_hot(values, value);
        one_hot(queries, self.asked);
    }
}

impl Task for CountRecall {
    type Hidden = Decks;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits(2 * self.feature.count())
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: self.decks * CARDS / self.feature.count() + 1 }
    }

    fn horizon(&self) -> usize {
        self.decks * CARDS - 1
    }

    fn hidden(&self) -> Decks {
        let deck = || Deck::new(self.decks, self.feature);
        Decks { values: deck(), queries: deck() }
    }

    fn draw(&self, hidden: &mut Decks, rng: &mut Rng) {
        hidden.values.shuffle(rng);
        hidden.queries.shuffle(rng);
    }

    fn noise(&self, _rng: &mut Rng) {}

    fn begin(&mut self, hidden: &Decks, _noise: (), seen: &mut [f32]) {
        self.counts = [0; 13];
        self.dealt = 0;
        self.deal(hidden, seen);
    }

    fn step(&mut self, hidden: &Decks, action: usize, _noise: (), seen: &mut [f32]) -> Step {
        let right = action == self.counts[self.asked];
        self.deal(hidden, seen);
        let cards = hidden.values.len();
        let part = share(cards - 1);
        let reward = if right { part } else { -part };
        Step { reward, terminated: self.dealt == cards, truncated: false }
    }

    fn picture(&self, hidden: &Decks) -> Grid {
        let dealt = |deck: &Deck| deck.symbols().into_iter().rev();
        let symbols: Vec<char> = dealt(&hidden.values).chain(dealt(&hidden.queries)).collect();
        let turn = self.dealt.saturating_sub(1);
        picture::cards(&symbols, [(turn, IN_SIGHT), (hidden.values.len() + turn, ASKED)].into_iter())
    }
}
