//! What the built-in environments look like.

#[path = "support/play.rs"]
mod play;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use amago_env::builtin::{
    FrozenLake, FrozenLakeOptions, KeyToDoor, KeyToDoorOptions, KeyToDoorTask, LakeTask, TMazeActive,
    TMazeActiveOptions, Wind, WindOptions,
};
use amago_env::film::Filmed;
use amago_env::render::Frame;
use amago_env::{Action, Env, Observation, Role, Step, registry, rng};
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

/// Draws a state and checks the drawing by itself.
fn drawing(env: &dyn Env) -> (Frame, String) {
    let (frame, text) = (env.render().expect("an image"), env.render_text().expect("text"));
    let name = env.task();
    assert!(frame.width > 0 && frame.height > 0, "{name}");
    assert_eq!(frame.rgb.len(), 3 * frame.width * frame.height, "{name}");
    // A cell is a square of eight pixels, or a character and a space.
    assert_eq!(frame.height / 8, text.lines().count(), "{name}");
    assert!(text.lines().all(|line| line.len() <= 2 * frame.width / 8), "{name}\n{text}");
    (frame, text)
}

#[test]
fn every_environment_is_drawn_and_changes() {
    for (spec, options) in registry::specs().iter().flat_map(|s| [(s, ""), (s, "k_shot = 2")]) {
        let what = format!("{} {options}", spec.id);
        let mut env = registry::make(spec.id, &options.parse().expect("a table")).expect("legal options");
        drawing(env.as_ref());
        let mut obs = Observation::new(&env.spec().observation_space);
        env.reset(3, &mut obs).expect("a reset");
        let (first, begin) = drawing(env.as_ref());
        let pixels: BTreeSet<&[u8]> = first.rgb.chunks_exact(3).collect();
        assert!(pixels.len() > 1 && !begin.trim().is_empty(), "{what}: nothing to see");
        let mut choices = rng(3, Role::Policy, 0, 0);
        let mut changed = (false, false);
        for _ in 0..50 {
            let action = Action::random(&env.spec().action_space, obs.action_mask(), &mut choices);
            let done = env.step(&action, &mut obs).expect("a step").done();
            let (frame, text) = drawing(env.as_ref());
            assert_eq!((frame.width, frame.height), (first.width, first.height), "{what}");
            changed = (changed.0 || frame != first, changed.1 || text != begin);
            if done {
                break;
            }
        }
        assert_eq!(changed, (true, true), "{what} stays the same:\n{begin}");
    }
}

#[test]
fn a_film_shows_each_state_that_is_played_and_no_other() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let table = "corridor_length = 1".parse().expect("a table");
    let env = registry::make("tmaze-passive", &table).expect("legal options");
    let plain = registry::make("tmaze-passive", &table).expect("legal options");
    let env = Filmed::new(env, move |env: &dyn Env, step: Option<Step>| {
        log.lock().expect("one thread").push((env.render_text(), step));
        Ok(())
    });
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut expected = Vec::new();
    let (mut env, mut plain): (Box<dyn Env>, _) = (Box::new(env), plain);
    for seed in 0..3 {
        env.reset(seed, &mut obs).expect("a reset");
        plain.reset(seed, &mut obs).expect("a reset");
        // The last episode is not played.
        let mut done = seed == 2;
        if !done {
            expected.push((plain.render_text(), None));
        }
        while !done {
            let step = env.step(&Action::Discrete(0), &mut obs).expect("a step");
            assert_eq!(step, plain.step(&Action::Discrete(0), &mut obs).expect("a step"));
            expected.push((plain.render_text(), Some(step)));
            done = step.done();
        }
    }
    assert!(expected.len() >= 6);
    assert_eq!(*seen.lock().expect("one thread"), expected);
}
