//! What the built-in environments look like.

#[path = "support/play.rs"]
mod play;

use amago_env::builtin::{
    FrozenLake, FrozenLakeOptions, KeyToDoor, KeyToDoorOptions, KeyToDoorTask, LakeTask, TMazeActive,
    TMazeActiveOptions, Wind, WindOptions,
};
use amago_env::{Action, Env, Observation, registry};
use play::Play;

fn text<E: Env>(play: &Play<E>) -> String {
    play.env.render_text().expect("it can be drawn")
}

#[test]
fn a_lake_shows_holes_goal_and_agent() {
    let options = FrozenLakeOptions { size: 3, ..FrozenLakeOptions::default() };
    let mut play = Play::new(FrozenLake::new(options).expect("legal options"));
    let lake = LakeTask::new(&["FFH", "HFF", "FFF"], false).expect("a legal layout");
    play.reset_to(|env, obs| env.reset_to(lake, 0, obs));
    assert_eq!(text(&play), "A . H\nH . .\n. . G\n");
    play.step(3);
    play.step(1);
    assert_eq!(text(&play), ". . H\nH A .\n. . G\n");
}

#[test]
fn a_room_shows_the_key_until_it_is_taken() {
    let options = KeyToDoorOptions { size: 3, ..KeyToDoorOptions::default() };
    let mut play = Play::new(KeyToDoor::new(options).expect("legal options"));
    let moves = [(0, -1), (-1, 0), (0, 1), (1, 0), (0, 0)];
    let task = KeyToDoorTask { start: (0, 0), key: (0, 1), door: (2, 2), moves };
    play.reset_to(|env, obs| env.reset_to(task, obs));
    assert_eq!(text(&play), "A K .\n. . .\n. . D\n");
    play.step(2);
    play.step(2);
    assert_eq!(text(&play), ". . A\n. . .\n. . D\n");
}

#[test]
fn a_corridor_shows_its_sign_and_both_arms() {
    let options = TMazeActiveOptions { corridor_length: 2, ..TMazeActiveOptions::default() };
    let mut play = Play::new(TMazeActive::new(options).expect("legal options"));
    play.reset_to(|env, obs| env.reset_to(true, obs));
    assert_eq!(text(&play), "# # # G\n^ A . .\n# # # .\n");
    play.reset_to(|env, obs| env.reset_to(false, obs));
    assert_eq!(text(&play), "# # # .\nv A . .\n# # # G\n");
    let long = TMazeActiveOptions { corridor_length: 1 << 40, ..TMazeActiveOptions::default() };
    let mut play = Play::new(TMazeActive::new(long).expect("legal options"));
    play.reset(0);
    assert_eq!(play.env.render().expect("it can be drawn").width, 100 * 8);
}

#[test]
fn the_wind_carries_the_agent_to_the_edge_of_its_drawing() {
    let mut play = Play::new(Wind::new(WindOptions::default()).expect("legal options"));
    play.reset_to(|env, obs| env.reset_to([0.08, 0.0], obs));
    let place = |play: &Play<Wind>, symbol: char| {
        text(play).lines().enumerate().find_map(|(row, line)| Some((row, line.find(symbol)? / 2)))
    };
    // 41 cells for -2 to 2: the middle is cell 20, the goal at (0, 1) ten cells above it.
    assert_eq!((place(&play, 'A'), place(&play, 'G')), (Some((20, 20)), Some((10, 20))));
    for _ in 0..50 {
        play.act(&Action::Continuous(vec![1.0, 0.0]));
    }
    assert_eq!(place(&play, 'A'), Some((20, 40)));
}

#[test]
fn images_and_text_have_the_same_shape() {
    let ids = ["meta-frozen-lake", "dark-key-to-door", "tmaze-passive", "tmaze-active", "mazerunner", "wind"];
    for id in ids.into_iter().chain(["point-robot"]) {
        for options in ["", "k_shot = 2"] {
            let mut env = registry::make(id, &options.parse().expect("a table")).expect("legal options");
            env.reset(3, &mut Observation::new(env.observation_space())).expect("resets");
            let (frame, text) = (env.render().expect("an image"), env.render_text().expect("text"));
            assert_eq!(frame.rgb.len(), 3 * frame.width * frame.height, "{id}");
            assert_eq!(frame.height / 8, text.lines().count(), "{id}");
            let widths = text.lines().map(|line| line.split(' ').count());
            assert!(widths.clone().all(|n| n * 8 == frame.width), "{id}: {widths:?}");
            assert!(text.contains('A'), "{id}\n{text}");
        }
    }
}
