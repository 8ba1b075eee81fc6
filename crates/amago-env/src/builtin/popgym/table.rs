//! All tasks with their settings.

use super::autoencode::Autoencode;
use super::battleship::Battleship;
use super::cart_pole::CartPole;
use super::cart_pole::Sensor::{Position, Velocity};
use super::concentration::Concentration;
use super::count_recall::CountRecall;
use super::deck::Feature;
use super::higher_lower::HigherLower;
use super::mine_sweeper::MineSweeper;
use super::multiarmed_bandit::MultiarmedBandit;
use super::pendulum::Pendulum;
use super::repeat_first::RepeatFirst;
use super::repeat_previous::RepeatPrevious;
use super::task::{Game, boxed};

/// One task.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Its id in the package.
    pub id: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    pub(super) game: fn() -> Box<dyn Game>,
}

const fn entry(id: &'static str, summary: &'static str, game: fn() -> Box<dyn Game>) -> Entry {
    Entry { id, summary, game }
}

const BACKWARDS: &str = "see a deck of cards, then name its suits backwards";
const PREVIOUS: &str = "name the suit of the card dealt some turns ago";
const FIRST: &str = "name the suit of the first card, again and again";
const COUNT: &str = "say how often a card was dealt so far";
const POSITION_CART: &str = "balance a pole without seeing velocities";
const VELOCITY_CART: &str = "balance a pole seeing velocities only";
const NOISY_CART: &str = "balance a pole without seeing velocities, through noise";
const PENDULUM: &str = "swing a pendulum up without seeing its speed";
const NOISY_PENDULUM: &str = "swing a pendulum up without seeing its speed, through noise";
const BANDIT: &str = "find the arm that pays most often";
const HIGHER: &str = "guess whether the next card is higher or lower";
const SHIPS: &str = "sink hidden ships, told only of hits and misses";
const PAIRS: &str = "turn up pairs of equal cards";
const MINES: &str = "uncover a board without its mines, shown only one count at a time";

/// Every task, family by family, easy to hard.
pub(crate) static TASKS: [Entry; 42] = [
    entry("popgym-AutoencodeEasy-v0", BACKWARDS, || boxed(Autoencode::new(1))),
    entry("popgym-AutoencodeMedium-v0", BACKWARDS, || boxed(Autoencode::new(2))),
    entry("popgym-AutoencodeHard-v0", BACKWARDS, || boxed(Autoencode::new(3))),
    entry("popgym-RepeatPreviousEasy-v0", PREVIOUS, || boxed(RepeatPrevious::new(1, 4))),
    entry("popgym-RepeatPreviousMedium-v0", PREVIOUS, || boxed(RepeatPrevious::new(2, 32))),
    entry("popgym-RepeatPreviousHard-v0", PREVIOUS, || boxed(RepeatPrevious::new(3, 64))),
    entry("popgym-RepeatFirstEasy-v0", FIRST, || boxed(RepeatFirst::new(1))),
    entry("popgym-RepeatFirstMedium-v0", FIRST, || boxed(RepeatFirst::new(8))),
    entry("popgym-RepeatFirstHard-v0", FIRST, || boxed(RepeatFirst::new(16))),
    entry("popgym-CountRecallEasy-v0", COUNT, || boxed(CountRecall::new(1, Feature::Colors))),
    entry("popgym-CountRecallMedium-v0", COUNT, || boxed(CountRecall::new(2, Feature::Suits))),
    entry("popgym-CountRecallHard-v0", COUNT, || boxed(CountRecall::new(4, Feature::Ranks))),
    entry("popgym-PositionOnlyCartPoleEasy-v0", POSITION_CART, || boxed(CartPole::new(Position, 0.0, 200))),
    entry("popgym-PositionOnlyCartPoleMedium-v0", POSITION_CART, || boxed(CartPole::new(Position, 0.0, 400))),
    entry("popgym-PositionOnlyCartPoleHard-v0", POSITION_CART, || boxed(CartPole::new(Position, 0.0, 600))),
    entry("popgym-VelocityOnlyCartpoleEasy-v0", VELOCITY_CART, || boxed(CartPole::new(Velocity, 0.0, 200))),
    entry("popgym-VelocityOnlyCartpoleMedium-v0", VELOCITY_CART, || boxed(CartPole::new(Velocity, 0.0, 400))),
    entry("popgym-VelocityOnlyCartpoleHard-v0", VELOCITY_CART, || boxed(CartPole::new(Velocity, 0.0, 600))),
    entry("popgym-NoisyPositionOnlyCartPoleEasy-v0", NOISY_CART, || boxed(CartPole::new(Position, 0.1, 200))),
    entry("popgym-NoisyPositionOnlyCartPoleMedium-v0", NOISY_CART, || {
        boxed(CartPole::new(Position, 0.2, 200))
    }),
    entry("popgym-NoisyPositionOnlyCartPoleHard-v0", NOISY_CART, || boxed(CartPole::new(Position, 0.3, 200))),
    entry("popgym-PositionOnlyPendulumEasy-v0", PENDULUM, || boxed(Pendulum::new(0.0, 200))),
    entry("popgym-PositionOnlyPendulumMedium-v0", PENDULUM, || boxed(Pendulum::new(0.0, 150))),
    entry("popgym-PositionOnlyPendulumHard-v0", PENDULUM, || boxed(Pendulum::new(0.0, 100))),
    entry("popgym-NoisyPositionOnlyPendulumEasy-v0", NOISY_PENDULUM, || boxed(Pendulum::new(0.1, 200))),
    entry("popgym-NoisyPositionOnlyPendulumMedium-v0", NOISY_PENDULUM, || boxed(Pendulum::new(0.2, 200))),
    entry("popgym-NoisyPositionOnlyPendulumHard-v0", NOISY_PENDULUM, || boxed(Pendulum::new(0.3, 200))),
    entry("popgym-MultiarmedBanditEasy-v0", BANDIT, || boxed(MultiarmedBandit::new(10, 200))),
    entry("popgym-MultiarmedBanditMedium-v0", BANDIT, || boxed(MultiarmedBandit::new(20, 400))),
    entry("popgym-MultiarmedBanditHard-v0", BANDIT, || boxed(MultiarmedBandit::new(30, 600))),
    entry("popgym-HigherLowerEasy-v0", HIGHER, || boxed(HigherLower::new(1))),
    entry("popgym-HigherLowerMedium-v0", HIGHER, || boxed(HigherLower::new(2))),
    entry("popgym-HigherLowerHard-v0", HIGHER, || boxed(HigherLower::new(3))),
    entry("popgym-BattleshipEasy-v0", SHIPS, || boxed(Battleship::new(8))),
    entry("popgym-BattleshipMedium-v0", SHIPS, || boxed(Battleship::new(10))),
    entry("popgym-BattleshipHard-v0", SHIPS, || boxed(Battleship::new(12))),
    entry("popgym-ConcentrationEasy-v0", PAIRS, || boxed(Concentration::new(1, Feature::Colors))),
    entry("popgym-ConcentrationMedium-v0", PAIRS, || boxed(Concentration::new(2, Feature::Colors))),
    entry("popgym-ConcentrationHard-v0", PAIRS, || boxed(Concentration::new(1, Feature::Ranks))),
    entry("popgym-MineSweeperEasy-v0", MINES, || boxed(MineSweeper::new(4, 2))),
    entry("popgym-MineSweeperMedium-v0", MINES, || boxed(MineSweeper::new(6, 6))),
    entry("popgym-MineSweeperHard-v0", MINES, || boxed(MineSweeper::new(8, 10))),
];
