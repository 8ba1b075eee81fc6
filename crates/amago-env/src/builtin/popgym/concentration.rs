//! Concentration: turn up pairs of equal cards.

use super::deck::{CARDS, Deck, Feature};
use super::picture::{self, FOUND, IN_SIGHT};
use super::task::{Task, bits, one_hot, share};
use crate::render::Grid;
use crate::{Rng, Space, Step};

/// Cards lie face down; turn up two at a time. A pair of equal colour (or rank) stays up.
///
/// Observation: for each place a one-hot of what lies there, the last entry for "face down". It is
/// taken before the two cards are turned back. Reward 1/(cards/2) for a pair, −2/time limit for
/// two that differ or twice the same place. Turning up a card that is up already ends the turn with
/// −1/time limit for each card in play. Ends when all cards are up. The time limit is twice the number
/// of cards `n` (the package writes `ceil(2n − n/(2n − 1))`, which is the same).
pub(super) struct Concentration {
    decks: usize,
    pub feature: Feature,
    up: Vec<bool>,
    /// How many of them are up.
    ups: usize,
    /// Where the first card of this turn was turned up.
    first: Option<usize>,
    /// Places of the last turn, shown once more before they count as face down.
    shown: [Option<usize>; 2],
    time: usize,
}

impl Concentration {
    pub fn new(decks: usize, feature: Feature) -> Self {
        let up = vec![false; decks * CARDS];
        Self { decks, feature, up, ups: 0, first: None, shown: [None; 2], time: 0 }
    }

    /// The tile of one place in the observation.
    fn tile<'a>(&self, place: usize, seen: &'a mut [f32]) -> &'a mut [f32] {
        let width = self.feature.count() + 1;
        &mut seen[place * width..][..width]
    }

    /// Resolves the turn, if the card at `place` ends it. Gives the reward.
    fn resolve(&mut self, deck: &Deck, place: usize) -> f32 {
        let failure = |cards: usize| (cards as f64 * (-1.0 / self.horizon() as f64)) as f32;
        let Some(first) = self.first else {
            if self.up[place] {
                return failure(1);
            }
            self.first = Some(place);
            return 0.0;
        };
        let pair = !self.up[place] && first != place && deck.at(first) == deck.at(place);
        let reward = if pair { share(deck.len() / 2) } else { failure(2) };
        if pair {
            self.up[first] = true;
            self.up[place] = true;
            self.ups += 2;
        }
        self.first = None;
        self.shown = [Some(first), Some(place)];
        reward
    }
}

impl Task for Concentration {
    type Hidden = Deck;
    type Noise = ();
    type Action = usize;

    fn bounds(&self) -> Vec<(f32, f32)> {
        bits((self.feature.count() + 1) * self.up.len())
    }

    fn action_space(&self) -> Space {
        Space::Discrete { n: self.up.len() }
    }

    fn horizon(&self) -> usize {
        2 * self.up.len()
    }

    fn hidden(&self) -> Deck {
        Deck::new(self.decks, self.feature)
    }

    fn draw(&self, deck: &mut Deck, rng: &mut Rng) {
        deck.shuffle(rng);
    }

    fn noise(&self, _rng: &mut Rng) {}

    fn begin(&mut self, _deck: &Deck, _noise: (), seen: &mut [f32]) {
        self.up.fill(false);
        self.ups = 0;
        self.first = None;
        self.shown = [None; 2];
        self.time = 0;
        for place in 0..self.up.len() {
            one_hot(self.tile(place, seen), self.feature.count());
        }
    }

    fn step(&mut self, deck: &Deck, action: usize, _noise: (), seen: &mut [f32]) -> Step {
        for place in std::mem::take(&mut self.shown).into_iter().flatten() {
            if !self.up[place] {
                one_hot(self.tile(place, seen), self.feature.count());
            }
        }
        one_hot(self.tile(action, seen), deck.at(action));
        let reward = self.resolve(deck, action);
        self.time += 1;
        Step { reward, terminated: self.ups == deck.len(), truncated: self.time >= self.horizon() }
    }

    fn picture(&self, deck: &Deck) -> Grid {
        let up = (0..self.up.len()).filter(|place| self.up[*place]).map(|place| (place, FOUND));
        let shown = self.shown.iter().copied().chain([self.first]).flatten();
        picture::cards(&deck.symbols(), up.chain(shown.map(|place| (place, IN_SIGHT))))
    }
}
