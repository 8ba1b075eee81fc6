//! Every kind of space, `info`, pictures.

use amago_env::{Action, Column, DictSpace, Observation, Step};
use amago_gym::{Gym, GymConfig};

use super::{config, of_file, play};

fn words() -> Vec<String> {
    ["go", "to", "the", "red", "Ball", "wait", "."].map(str::to_owned).to_vec()
}

fn spaces(action: &str) -> GymConfig {
    let kwargs = format!("action = \"{action}\"").parse().expect("a table");
    GymConfig { kwargs, text_vocabulary: words(), text_length: 5, ..config() }
}

fn column<'a>(obs: &'a Observation, space: &DictSpace, key: &str) -> &'a Column {
    &obs.columns()[space.index(key).unwrap_or_else(|| panic!("no key {key}"))]
}

fn one_hot(column: &Column) -> Vec<usize> {
    let Column::F32(values) = column else { panic!("bytes") };
    (0..values.len()).filter(|i| values[*i] == 1.0).collect()
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn every_space_arrives() {
    let gym = of_file("Spaces", spaces("discrete"));
    let space = &gym.spec().observation_space;
    let expected = "{box: Box(-1, 100, [2, 2]), deep/bits: MultiBinary(3), deep/text: MultiDiscrete([8, 8, 8, 8, 8]), \
         frames: Box(0, 255, [4, 3, 6], u8), gray: Box(0, 255, [4, 3, 1], u8), image: Box(0, 255, [4, 3, 3], u8), \
         one: Box(-inf, inf, [1]), tuple/0: Discrete(100), tuple/1: MultiDiscrete([50, 60])}";
    assert_eq!(space.to_string(), expected);
    let seen = play(&mut *gym.env().expect("made"), 1, 10);
    assert_eq!(seen.len(), 5);
    for (t, (_, obs)) in seen.iter().enumerate() {
        obs.check(space).expect("in its space");
        let get = |key| column(obs, space, key);
        assert_eq!(get("box"), &Column::F32(vec![t as f32, 1.0, 2.0, 3.0]));
        assert_eq!(get("image"), &Column::U8(vec![t as u8; 36]));
        assert_eq!(get("gray"), &Column::U8((0..12).collect()));
        assert_eq!(get("one"), &Column::F32(vec![t as f32 / 2.0]));
        assert_eq!(one_hot(get("tuple/0")), [t]);
        assert_eq!(one_hot(get("tuple/1")), [t, 50 + t + 1]);
        assert_eq!(get("deep/bits"), &Column::F32(vec![(t & 1) as f32, (t >> 1 & 1) as f32, 1.0]));
        // "wait ." and three places without a word; then "go to the red ball".
        let text = if t == 0 { [6, 8 + 7, 16, 24, 32] } else { [1, 8 + 2, 16 + 3, 24 + 4, 32 + 5] };
        assert_eq!(one_hot(get("deep/text")), text);
        // Frame, row, column, colour become row, column, and colours of all frames.
        let frames: Vec<u8> =
            (0..72u8).map(|i| 36 * (i % 6 / 3) + 9 * (i / 18) + 3 * (i / 6 % 3) + i % 3).collect();
        assert_eq!(get("frames"), &Column::U8(frames));
    }
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn every_action_arrives() {
    let cases = [
        ("discrete", Action::Discrete(2), 12.0),
        ("multi_discrete", Action::MultiDiscrete(vec![2, 3]), 5.0),
        ("multi_binary", Action::MultiBinary(vec![true, false, true]), 2.0),
        ("box", Action::Continuous(vec![0.5, -1.0]), 1.0),
        ("box", Action::Continuous(vec![0.0, 1.0]), 10.0),
        ("whole", Action::Continuous(vec![1.0, -1.0]), 255.0),
        ("whole", Action::Continuous(vec![0.0, -1.0]), 128.0),
    ];
    for (kind, action, sum) in cases {
        let gym = of_file("Spaces", spaces(kind));
        let mut env = gym.env().expect("made");
        let mut obs = Observation::new(&env.spec().observation_space);
        env.reset(0, &mut obs).expect("a reset");
        assert_eq!(env.step(&action, &mut obs).expect("a step").reward, sum, "{kind}");
    }
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn spaces_that_cannot_be_used_are_refused_by_name() {
    let refused = |config: GymConfig| {
        let error = Gym::with_config("tests.python.envs:Spaces", config).expect_err("refused").to_string();
        assert!(error.starts_with("environment \"gym:tests.python.envs:Spaces\": "), "{error}");
        error
    };
    let error = refused(spaces("dict"));
    assert!(error.contains("the action space Dict('a': Discrete(2)) cannot be used"), "{error}");
    let error = refused(spaces("endless"));
    assert!(error.contains("infinite bound"), "{error}");
    let error = refused(GymConfig { text_vocabulary: vec![], ..spaces("discrete") });
    assert!(
        error.ends_with("the observation \"deep/text\" is text: text_vocabulary must list its words"),
        "{error}"
    );
    let error = refused(GymConfig { action_mask: true, ..spaces("box") });
    assert!(error.ends_with("action_mask is for discrete choices only"), "{error}");
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn text_that_does_not_fit_is_a_fault() {
    for (change, expected) in [
        (
            GymConfig { text_length: 4, ..spaces("discrete") },
            "has 5 words, text_length allows 4: 'go to the Red ball'",
        ),
        (
            GymConfig { text_vocabulary: words()[1..].to_vec(), ..spaces("discrete") },
            "has the word \"go\", which is not in text_vocabulary: 'go to the Red ball'",
        ),
    ] {
        let mut env = of_file("Spaces", change).env().expect("made");
        let mut obs = Observation::new(&env.spec().observation_space);
        env.reset(0, &mut obs).expect("a reset");
        let error = env.step(&Action::Discrete(0), &mut obs).expect_err("a fault").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn info_gives_masks_metrics_and_success() {
    let config = GymConfig {
        action_mask: true,
        metrics: ["time", "deep/half", "missing"].map(str::to_owned).to_vec(),
        ..spaces("discrete")
    };
    let gym = of_file("Spaces", config.clone());
    let mut env = gym.env().expect("made");
    let seen = play(&mut *env, 1, 10);
    for (t, (_, obs)) in seen.iter().enumerate() {
        assert_eq!(obs.action_mask().expect("a mask"), [1.0, (t % 2) as f32, 1.0]);
    }
    let mut metrics = Vec::new();
    env.metrics(&mut |name, value| metrics.push((name.to_owned(), value)));
    assert_eq!(metrics, [("time".to_owned(), 4.0), ("deep/half".to_owned(), 2.0)]);
    assert_eq!(env.success(), Some(false));
    let once = |config: GymConfig| {
        let mut env = of_file("Spaces", config).env().expect("made");
        play(&mut *env, 1, 10);
        env.success()
    };
    assert_eq!(once(GymConfig { success_once: true, ..config.clone() }), Some(true));
    assert_eq!(once(GymConfig { success_key: "deep/half".to_owned(), ..config.clone() }), Some(true));
    assert_eq!(once(GymConfig { success_key: "none".to_owned(), ..config }), None);
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn resets_have_options_and_states_are_drawn() {
    let config =
        GymConfig { reset_options: "time = 2".parse().expect("a table"), render: true, ..spaces("discrete") };
    let mut env = of_file("Spaces", config).env().expect("made");
    assert_eq!(env.render(), None, "not reset yet");
    let seen = play(&mut *env, 1, 10);
    assert_eq!(seen.len(), 3, "it began at 2 and ends at 4");
    let frame = env.render().expect("a picture");
    assert_eq!((frame.width, frame.height, frame.rgb), (5, 2, vec![4; 30]));
}

#[test]
#[ignore = "needs Python with gymnasium: AMAGO_TEST_PYTHON"]
fn what_is_printed_stays_out_of_the_replies() {
    let gym = Gym::with_config("CartPole-v1", super::wrapped("Noisy")).expect("made");
    let quiet = Gym::with_config("CartPole-v1", config()).expect("made");
    let episode = |gym: &Gym| -> Vec<(Step, Observation)> { play(&mut *gym.env().expect("made"), 5, 20) };
    assert_eq!(episode(&gym), episode(&quiet));
}
