//! Replays recorded episodes of the package: `xtask/popgym/record.py` makes them.

use std::any::Any;
use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::autoencode::Autoencode;
use super::battleship::Battleship;
use super::cart_pole::{CartPole, State};
use super::concentration::Concentration;
use super::count_recall::{CountRecall, Decks};
use super::deck::{Deck, Feature};
use super::higher_lower::HigherLower;
use super::mine_sweeper::{Field, MineSweeper};
use super::multiarmed_bandit::MultiarmedBandit;
use super::pendulum::Pendulum;
use super::repeat_first::RepeatFirst;
use super::repeat_previous::RepeatPrevious;
use super::task::{Round, Task};
use super::{Entry, TASKS};
use crate::Step;

const TOLERANCE: f64 = 1e-6;
/// Fewest episodes of every task.
const EPISODES: usize = 20;
/// Steps between the recorded states of a pole or pendulum.
const STATE_EVERY: usize = 50;

#[derive(Deserialize)]
struct Trace {
    task: String,
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Episode {
    hidden: Vec<f64>,
    noise: Vec<Vec<f64>>,
    actions: Vec<f64>,
    observations: Vec<Vec<f64>>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    #[serde(default)]
    states: Vec<Vec<f64>>,
}

/// How a task takes what was recorded.
trait Recorded: Task {
    fn hidden_from(&self, values: &[f64]) -> Self::Hidden;
    fn noise_from(values: &[f64]) -> Self::Noise;
    fn action_from(value: f64) -> Self::Action;

    /// The state, where errors of rounding grow.
    fn state(&mut self) -> Vec<&mut f64> {
        Vec::new()
    }
}

fn deck(feature: Feature, cards: &[f64]) -> Deck {
    Deck::stacked(feature, cards.iter().map(|card| *card as usize))
}

fn pair(values: &[f64]) -> [f32; 2] {
    match values {
        [] => [0.0; 2],
        [a, b] => [*a as f32, *b as f32],
        _ => panic!("{} numbers of noise", values.len()),
    }
}

macro_rules! recorded {
    ($task:ty, |$this:ident, $values:ident| $hidden:expr) => {
        impl Recorded for $task {
            fn hidden_from(&self, $values: &[f64]) -> Self::Hidden {
                let $this = self;
                $hidden
            }
            fn noise_from(_values: &[f64]) {}
            fn action_from(value: f64) -> usize {
                value as usize
            }
        }
    };
}

recorded!(Autoencode, |_task, cards| deck(Feature::Suits, cards));
recorded!(RepeatPrevious, |_task, cards| deck(Feature::Suits, cards));
recorded!(RepeatFirst, |_task, cards| deck(Feature::Suits, cards));
recorded!(HigherLower, |_task, cards| deck(Feature::Ranks, cards));
recorded!(Concentration, |task, cards| deck(task.feature, cards));
recorded!(CountRecall, |task, cards| {
    let (values, queries) = cards.split_at(cards.len() / 2);
    Decks { values: deck(task.feature, values), queries: deck(task.feature, queries) }
});
recorded!(Battleship, |_task, board| board.iter().map(|tile| *tile != 0.0).collect());
recorded!(MineSweeper, |task, board| {
    let mut field = Field::clear(task.side);
    for (tile, mine) in board.iter().enumerate() {
        assert!(*mine == 0.0 || field.lay(tile, task.side));
    }
    field
});

impl Recorded for MultiarmedBandit {
    fn hidden_from(&self, chances: &[f64]) -> Vec<f32> {
        chances.iter().map(|chance| *chance as f32).collect()
    }

    fn noise_from(values: &[f64]) -> f32 {
        match values {
            [] => 0.0,
            [luck] => *luck as f32,
            _ => panic!("{} numbers of noise", values.len()),
        }
    }

    fn action_from(value: f64) -> usize {
        value as usize
    }
}

impl Recorded for CartPole {
    fn hidden_from(&self, values: &[f64]) -> State {
        values.try_into().expect("four numbers")
    }

    fn noise_from(values: &[f64]) -> [f32; 2] {
        pair(values)
    }

    fn action_from(value: f64) -> usize {
        value as usize
    }

    fn state(&mut self) -> Vec<&mut f64> {
        self.state.iter_mut().collect()
    }
}

impl Recorded for Pendulum {
    fn hidden_from(&self, values: &[f64]) -> [f64; 2] {
        values.try_into().expect("two numbers")
    }

    fn noise_from(values: &[f64]) -> [f32; 2] {
        pair(values)
    }

    /// Torques of at most 2 were recorded.
    fn action_from(value: f64) -> f32 {
        value as f32 / 2.0
    }

    fn state(&mut self) -> Vec<&mut f64> {
        vec![&mut self.theta, &mut self.speed]
    }
}

/// Largest difference so far.
struct Worst(f64);

impl Worst {
    fn compare(&mut self, got: f32, expected: f64, place: &str) {
        let difference = f64::from((got - expected as f32).abs());
        assert!(difference <= TOLERANCE, "{place}: {got}, recorded {expected}");
        self.0 = self.0.max(difference);
    }
}

/// Compares with a recorded state and goes on from it.
fn correct(state: &mut [&mut f64], recorded: &[f64], place: &str) {
    assert_eq!(state.len(), recorded.len(), "{place}");
    for (got, expected) in state.iter_mut().zip(recorded) {
        assert!((**got - expected).abs() <= TOLERANCE, "{place}: state {got}, recorded {expected}");
        **got = *expected;
    }
}

fn replay<T: Recorded>(entry: &Entry, episode: &Episode, worst: &mut Worst) {
    let round = ((entry.game)() as Box<dyn Any>).downcast::<Round<T>>().expect("of this family");
    let mut task = round.task;
    let hidden = task.hidden_from(&episode.hidden);
    let mut seen = vec![9.0; task.bounds().len()];
    task.begin(&hidden, T::noise_from(&episode.noise[0]), &mut seen);
    let steps = episode.actions.len();
    assert!(steps > 0 && steps <= task.horizon());
    for time in 0..=steps {
        let place = format!("{} step {time}", entry.id);
        assert_eq!(seen.len(), episode.observations[time].len(), "{place}");
        for (got, expected) in seen.iter().zip(&episode.observations[time]) {
            worst.compare(*got, *expected, &place);
        }
        if time == steps {
            break;
        }
        let noise = T::noise_from(&episode.noise[time + 1]);
        let step = task.step(&hidden, T::action_from(episode.actions[time]), noise, &mut seen);
        worst.compare(step.reward, episode.rewards[time], &place);
        let flags = Step {
            reward: step.reward,
            terminated: episode.terminated[time],
            truncated: episode.truncated[time],
        };
        assert_eq!(step, flags, "{place}");
        assert_eq!(step.done(), time + 1 == steps, "{place}");
        if !episode.states.is_empty() && (time + 1) % STATE_EVERY == 0 {
            correct(&mut task.state(), &episode.states[time / STATE_EVERY], &place);
        }
    }
}

type Replay = fn(&Entry, &Episode, &mut Worst);

fn replay_of(family: &str) -> Replay {
    match family {
        "Autoencode" => replay::<Autoencode>,
        "RepeatPrevious" => replay::<RepeatPrevious>,
        "RepeatFirst" => replay::<RepeatFirst>,
        "CountRecall" => replay::<CountRecall>,
        "PositionOnlyCartPole" | "VelocityOnlyCartpole" | "NoisyPositionOnlyCartPole" => replay::<CartPole>,
        "PositionOnlyPendulum" | "NoisyPositionOnlyPendulum" => replay::<Pendulum>,
        "MultiarmedBandit" => replay::<MultiarmedBandit>,
        "HigherLower" => replay::<HigherLower>,
        "Battleship" => replay::<Battleship>,
        "Concentration" => replay::<Concentration>,
        "MineSweeper" => replay::<MineSweeper>,
        other => panic!("no family {other}"),
    }
}

/// The name without size, prefix and version.
fn family(id: &str) -> &str {
    let name =
        id.strip_prefix("popgym-").and_then(|id| id.strip_suffix("-v0")).expect("an id of the package");
    ["Easy", "Medium", "Hard"].iter().find_map(|size| name.strip_suffix(size)).expect("a size")
}

#[test]
fn recorded_episodes_are_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/popgym/traces");
    for entry in &TASKS {
        let path = folder.join(format!("{}.json.gz", entry.id));
        let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let trace: Trace = serde_json::from_reader(std::io::BufReader::new(GzDecoder::new(file)))
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(trace.task, entry.id);
        assert!(trace.episodes.len() >= EPISODES, "{}: {} episodes", entry.id, trace.episodes.len());
        let mut worst = Worst(0.0);
        for episode in &trace.episodes {
            replay_of(family(entry.id))(entry, episode, &mut worst);
        }
        let steps: usize = trace.episodes.iter().map(|episode| episode.actions.len()).sum();
        println!("{}: {steps} steps, largest difference {:e}", entry.id, worst.0);
    }
}
