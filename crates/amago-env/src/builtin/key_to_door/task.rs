//! Where things are in the room of dark key-to-door.

use rand::RngExt;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KeyToDoorOptions;
use crate::Rng;

/// A place in the room: `"random"` or `[x, y]` in a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "LocationForm", into = "LocationForm")]
pub enum Location {
    /// Drawn uniformly for every episode; two things may share a place.
    Random,
    /// Always here.
    At(usize, usize),
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a location is \"random\" or [x, y]")]
enum LocationForm {
    Word(String),
    At([usize; 2]),
}

impl TryFrom<LocationForm> for Location {
    type Error = String;

    fn try_from(form: LocationForm) -> Result<Self, String> {
        match form {
            LocationForm::At([x, y]) => Ok(Location::At(x, y)),
            LocationForm::Word(word) if word == "random" => Ok(Location::Random),
            LocationForm::Word(word) => Err(format!("a location is \"random\" or [x, y], not \"{word}\"")),
        }
    }
}

impl From<Location> for LocationForm {
    fn from(location: Location) -> Self {
        match location {
            Location::Random => LocationForm::Word("random".to_owned()),
            Location::At(x, y) => LocationForm::At([x, y]),
        }
    }
}

impl Location {
    pub(super) fn draw(self, size: usize, rng: &mut Rng) -> (usize, usize) {
        match self {
            Location::Random => (rng.random_range(0..size), rng.random_range(0..size)),
            Location::At(x, y) => (x, y),
        }
    }
}

/// y-1, x-1, y+1, x+1, stay.
pub(super) const MOVES: [(isize, isize); 5] = [(0, -1), (-1, 0), (0, 1), (1, 0), (0, 0)];

/// The hidden part of one episode of [`super::KeyToDoor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyToDoorTask {
    /// Where each trial begins, `(x, y)`.
    pub start: (usize, usize),
    /// Where the key lies.
    pub key: (usize, usize),
    /// Where the door is.
    pub door: (usize, usize),
    /// Direction of each action.
    pub moves: [(isize, isize); 5],
}

impl KeyToDoorTask {
    pub(super) fn draw(options: &KeyToDoorOptions, rng: &mut Rng) -> Self {
        let size = options.size;
        let mut task = Self {
            start: options.start_location.draw(size, rng),
            key: options.key_location.draw(size, rng),
            door: options.goal_location.draw(size, rng),
            moves: MOVES,
        };
        if options.randomize_actions {
            task.moves.shuffle(rng);
        }
        task
    }
}
