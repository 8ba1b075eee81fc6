//! Scripted episodes of MazeRunner, and what all its mazes have in common.

#[path = "support/play.rs"]
mod play;

use amago_env::builtin::{MazeRunner, MazeRunnerOptions, MazeTask};
use amago_env::{Env, Step};
use play::Play;

/// West, north, east, south, stay.
const MOVES: [(isize, isize); 5] = [(0, -1), (-1, 0), (0, 1), (1, 0), (0, 0)];
const MAZE: [&str; 7] = [
    "#######", //
    "#...#.#", //
    "#.....#", //
    "#.#.#.#", //
    "#.#.#.#", //
    "#.#.#.#", //
    "#######",
];

fn options(num_goals: usize, time_limit: usize) -> MazeRunnerOptions {
    MazeRunnerOptions { maze_dim: 7, num_goals, time_limit, ..MazeRunnerOptions::default() }
}

fn task(goals: &[(usize, usize)]) -> MazeTask {
    let walls = MAZE.iter().flat_map(|row| row.bytes().map(|c| c == b'#')).collect();
    MazeTask { side: 7, walls, goals: goals.to_vec(), moves: MOVES }
}

fn start(options: MazeRunnerOptions, goals: &[(usize, usize)]) -> (Play<MazeRunner>, Vec<f32>) {
    let mut play = Play::new(MazeRunner::new(options).expect("legal options"));
    let seen = play.reset_to(|env, obs| env.reset_to(task(goals), obs));
    (play, seen)
}

fn step(reward: f32, terminated: bool, truncated: bool) -> Step {
    Step { reward, terminated, truncated }
}

#[test]
fn goals_count_in_their_order_only() {
    let (mut play, seen) = start(options(2, 20), &[(2, 3), (5, 3)]);
    let sevenths = |values: [f32; 6]| values.map(|x| x / 7.0);
    // achieved, goals, obs: place, distances to the west, north, east and south, time.
    assert_eq!(seen[..6], [5.0, 3.0, 2.0, 3.0, 5.0, 3.0]);
    assert_eq!(seen[6..12], sevenths([5.0, 3.0, 0.0, 4.0, 0.0, 0.0]));
    assert_eq!(seen[12], 0.0);
    // The second goal is the start: standing there means nothing before the first is reached.
    assert_eq!(play.step(4).1, step(0.0, false, false));
    assert_eq!(play.step(0).1, step(0.0, false, false), "a wall");
    assert_eq!(play.step(1).1, step(0.0, false, false));
    assert_eq!(play.step(1).1, step(0.0, false, false));
    let (seen, last) = play.step(1);
    assert_eq!(last, step(1.0, false, false));
    assert_eq!(seen[..6], [2.0, 3.0, -1.0, -1.0, 5.0, 3.0]);
    assert_eq!(seen[6..12], sevenths([2.0, 3.0, 2.0, 1.0, 2.0, 3.0]));
    assert_eq!(seen[12], 5.0 / 20.0);
    for _ in 0..2 {
        assert_eq!(play.step(3).1, step(0.0, false, false));
    }
    let (seen, last) = play.step(3);
    assert_eq!(last, step(1.0, true, false));
    assert_eq!(seen[..6], [5.0, 3.0, -1.0, -1.0, -1.0, -1.0]);
    assert_eq!(play.metrics(), [("goals reached".to_owned(), 2.0)]);
    assert_eq!(play.env.success(), Some(true));
}

#[test]
fn the_time_limit_terminates_and_truncates() {
    let (mut play, _) = start(options(1, 2), &[(1, 5)]);
    assert_eq!(play.step(4).1, step(0.0, false, false));
    let (seen, last) = play.step(4);
    assert_eq!((seen[10], last), (1.0, step(0.0, true, true)));
    assert_eq!(play.env.success(), Some(false));
}

#[test]
fn unusable_mazes_are_refused() {
    let mut play = Play::new(MazeRunner::new(options(1, 5)).expect("legal options"));
    let mut refuse = |edit: &dyn Fn(&mut MazeTask), part: &str| {
        let mut task = task(&[(2, 2)]);
        edit(&mut task);
        let mut obs = amago_env::Observation::new(&play.env.spec().observation_space);
        let error = play.env.reset_to(task, &mut obs).expect_err("unusable").to_string();
        assert!(error.contains(part), "\"{error}\" lacks \"{part}\"");
    };
    refuse(&|t| t.side = 9, "7 by 7");
    refuse(&|t| t.goals.clear(), "num_goals = 1 goals, not 0");
    refuse(&|t| t.walls[3] = false, "gap");
    refuse(&|t| t.goals[0] = (3, 2), "in a wall");
    refuse(&|t| t.goals[0] = (7, 0), "in a wall");
    refuse(&|t| t.moves[0] = (0, -2), "longer");
}

/// What the agent can see from the start of a random maze, and where its goals lie.
#[test]
fn random_mazes_have_an_open_start_and_distinct_goals() {
    let mut play = Play::new(MazeRunner::new(MazeRunnerOptions::default()).expect("legal options"));
    let mut layouts = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let seen = play.reset(seed);
        assert_eq!(seen[..2], [9.0, 5.0]);
        let goals: std::collections::BTreeSet<_> =
            seen[2..8].chunks(2).map(|g| (g[0] as usize, g[1] as usize)).collect();
        assert_eq!(goals.len(), 3, "seed {seed}: goals share a place");
        let text = play.env.render_text().expect("it can be drawn");
        let rows: Vec<Vec<char>> =
            text.lines().map(|l| l.split(' ').flat_map(str::chars).collect()).collect();
        assert_eq!((rows.len(), rows[0].len()), (11, 11));
        // Goals are drawn where they are observed, never in a wall or at the start.
        for (i, goal) in seen[2..8].chunks(2).enumerate() {
            let symbol = rows[goal[0] as usize][goal[1] as usize];
            assert_eq!(symbol, char::from(b'0' + i as u8), "seed {seed}\n{text}");
        }
        let wall = |row: usize, column: usize| rows[row][column] == '#';
        assert!((0..11).all(|i| wall(0, i) && wall(10, i) && wall(i, 0) && wall(i, 10)), "{text}");
        assert!((1..10).all(|column| !wall(6, column)), "{text}");
        for row in 7..10 {
            assert!((1..10).all(|c| wall(row, c) == (c == 4 || c == 6)), "{text}");
        }
        layouts.insert(rows[1..6].concat().into_iter().map(|c| c == '#').collect::<Vec<_>>());
    }
    assert!(layouts.len() > 45, "{} different mazes of 50", layouts.len());
}

#[test]
fn rewired_actions_still_reach_the_same_places() {
    let rewired = MazeRunnerOptions { randomized_action_space: true, ..MazeRunnerOptions::default() };
    let mut play = Play::new(MazeRunner::new(rewired).expect("legal options"));
    let mut meanings = std::collections::BTreeSet::new();
    for seed in 0..30 {
        // In the corridor of the start there is nothing to the west, east and south.
        let mut rows: Vec<_> = (0..5)
            .map(|action| {
                play.reset(seed);
                play.step(action).0[0] as usize
            })
            .collect();
        meanings.insert(rows.clone());
        rows.sort_unstable();
        assert_eq!(rows, [8, 9, 9, 9, 9]);
    }
    assert_eq!(meanings.len(), 5, "each action goes north in some maze");
}
