//! Decks of cards.
//!
//! Card `i` of a sorted deck has colour `i mod 2`, suit `i mod 4` (spades, diamonds, clubs, hearts)
//! and rank `(i mod 52) / 4`, ace first.

use rand::seq::SliceRandom;

use super::picture;
use crate::Rng;
use crate::render::{Cell, Grid};

/// Cards in one deck.
pub(super) const CARDS: usize = 52;

/// What of a card a task looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    Colors,
    Suits,
    Ranks,
}

impl Feature {
    /// Number of different values.
    pub fn count(self) -> usize {
        match self {
            Feature::Colors => 2,
            Feature::Suits => 4,
            Feature::Ranks => 13,
        }
    }

    fn of(self, card: usize) -> u8 {
        let value = match self {
            Feature::Colors | Feature::Suits => card % self.count(),
            Feature::Ranks => card % CARDS / 4,
        };
        value as u8
    }

    fn symbol(self, value: u8) -> char {
        let symbols = match self {
            Feature::Colors => "BR",
            Feature::Suits => "SDCH",
            Feature::Ranks => "A23456789TJQK",
        };
        symbols.chars().nth(usize::from(value)).unwrap_or(' ')
    }
}

/// One feature of every card of some decks put together.
#[derive(Debug)]
pub(super) struct Deck {
    feature: Feature,
    sorted: Vec<u8>,
    order: Vec<u8>,
}

impl Deck {
    /// Sorted decks.
    pub fn new(decks: usize, feature: Feature) -> Self {
        Self::stacked(feature, 0..decks * CARDS)
    }

    /// Cards in a given order.
    pub fn stacked(feature: Feature, cards: impl Iterator<Item = usize>) -> Self {
        let order: Vec<u8> = cards.map(|card| feature.of(card)).collect();
        Self { feature, sorted: order.clone(), order }
    }

    /// Shuffles the cards, whatever their order was.
    pub fn shuffle(&mut self, rng: &mut Rng) {
        self.order.copy_from_slice(&self.sorted);
        self.order.shuffle(rng);
    }

    /// Number of cards.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Feature of the card at a place.
    pub fn at(&self, place: usize) -> usize {
        usize::from(self.order[place])
    }

    /// Feature of the card dealt in turn `turn`, from 0. Cards are dealt from the end.
    pub fn dealt(&self, turn: usize) -> usize {
        self.at(self.len() - 1 - turn)
    }

    /// A sign for each place.
    pub fn symbols(&self) -> Vec<char> {
        self.order.iter().map(|value| self.feature.symbol(*value)).collect()
    }

    /// The cards in the order they are dealt in, with marks below some turns.
    pub fn picture(&self, marks: impl IntoIterator<Item = (Option<usize>, Cell)>) -> Grid {
        let mut symbols = self.symbols();
        symbols.reverse();
        picture::cards(&symbols, marks.into_iter().filter_map(|(turn, mark)| Some((turn?, mark))))
    }
}
