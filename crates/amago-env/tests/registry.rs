//! Built-in environments by name.

use amago_env::builtin::{
    FrozenLakeOptions, KeyToDoorOptions, MazeRunnerOptions, MultiDomainOptions, PointRobotOptions,
    PopGymOptions, TMazeActiveOptions, TMazePassiveOptions, WindOptions,
};
use amago_env::{EnvError, conformance, registry};
use toml::Table;

fn table(text: &str) -> Table {
    text.parse().expect("a TOML table")
}

fn refused(id: &str, options: &str) -> String {
    match registry::make(id, &table(options)) {
        Ok(_) => panic!("{id} accepts {options}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn documented_options_are_the_real_ones() {
    let defaults = |id| match id {
        "meta-frozen-lake" => Table::try_from(FrozenLakeOptions::default()),
        "dark-key-to-door" => Table::try_from(KeyToDoorOptions::default()),
        "tmaze-passive" => Table::try_from(TMazePassiveOptions::default()),
        "tmaze-active" => Table::try_from(TMazeActiveOptions::default()),
        "mazerunner" => Table::try_from(MazeRunnerOptions::default()),
        "wind" => Table::try_from(WindOptions::default()),
        "point-robot" => Table::try_from(PointRobotOptions::default()),
        "multi-domain-popgym" => Table::try_from(MultiDomainOptions::default()),
        id if id.starts_with("popgym-") => Table::try_from(PopGymOptions::default()),
        other => panic!("{other} is new: add it here"),
    };
    assert_eq!(registry::specs().len(), 8 + 42);
    for spec in registry::specs() {
        let mut fields = defaults(spec.id).expect("options are plain TOML");
        fields.insert("k_shot".to_owned(), 1.into());
        assert!(!spec.summary.is_empty());
        // The default texts are TOML that the environment takes.
        let text: String = spec.options().iter().map(|o| format!("{} = {}\n", o.name, o.default)).collect();
        assert_eq!(table(&text), fields, "{}", spec.id);
        assert!(registry::make(spec.id, &table(&text)).is_ok());
        assert!(spec.options().iter().all(|o| o.doc.ends_with('.')), "{:?}", spec.options());
    }
}

/// What is listed are the comments on the fields, also where a field has a type of its own, in the order of the struct.
#[test]
fn options_are_documented_by_their_fields() {
    let options = |id| registry::specs().iter().find(|spec| spec.id == id).expect("known").options();
    let names: Vec<_> = options("meta-frozen-lake").into_iter().map(|option| option.name).collect();
    let [first, .., last, k_shot] = &names[..] else { panic!("{names:?}") };
    assert_eq!([first, last, k_shot], ["size", "horizon", "k_shot"]);
    for (id, name, default, doc) in [
        (
            "meta-frozen-lake",
            "slip_chance",
            "0.0",
            "Probability that the agent slips: its move becomes standing still.",
        ),
        (
            "meta-frozen-lake",
            "show_k_progress",
            "true",
            "Whether the observation tells which attempt it is. Without, a policy can be tested with more attempts than \
             it was trained with.",
        ),
        ("dark-key-to-door", "key_location", "\"random\"", "Where the key lies: \"random\" or [x, y]."),
        (
            "point-robot",
            "reward",
            "\"sparse\"",
            "What is paid: \"sparse\", `1 - d` within the radius, `d` being the distance to the goal; \"indicator\", 1 \
             within the radius; or \"dense\", `-d`.",
        ),
    ] {
        let option = options(id).into_iter().find(|option| option.name == name).expect("an option");
        assert_eq!((option.default.as_str(), option.doc.as_str()), (default, doc));
    }
}

#[test]
fn unknown_names_are_explained() {
    let Err(EnvError::UnknownEnv { id, hint }) = registry::make("meta-frozenlake", &Table::new()) else {
        panic!("an unknown environment was made");
    };
    assert_eq!((id.as_str(), hint.as_str()), ("meta-frozenlake", "; did you mean \"meta-frozen-lake\"?"));
    let part = refused("cartpole", "");
    assert!(
        part.contains("did you mean") && part.contains("OnlyCartpoleEasy-v0") && part.len() < 200,
        "{part}"
    );
    assert!(refused("tmaze", "").ends_with("did you mean \"tmaze-active\" or \"tmaze-passive\"?"));
    assert!(refused("chess", "").ends_with("there is no environment \"chess\"; `amago envs` lists all"));
}

#[test]
fn bad_options_are_explained() {
    for (id, options, parts) in [
        ("meta-frozen-lake", "sice = 5", ["sice is no option", "did you mean \"size\"?"]),
        ("meta-frozen-lake", "size = \"big\"", ["size cannot be", "\"big\""]),
        ("meta-frozen-lake", "horizon = 9\nsize = -3", ["size cannot be", "-3"]),
        ("meta-frozen-lake", "size = 1", ["size must be from 2", "meta-frozen-lake"]),
        ("meta-frozen-lake", "k_episodes = 0", ["k_episodes", "at least 1"]),
        ("meta-frozen-lake", "slip_chance = 1.5", ["slip_chance", "1.5"]),
        ("meta-frozen-lake", "slip_chance = nan", ["slip_chance", "NaN"]),
        ("dark-key-to-door", "key_location = \"here\"", ["key_location cannot be", "\"random\" or [x, y]"]),
        ("dark-key-to-door", "key_location = [1, 2, 3]", ["key_location cannot be", "\"random\" or [x, y]"]),
        ("dark-key-to-door", "goal_location = [9, 0]", ["goal_location", "size 9"]),
        ("dark-key-to-door", "size = 0", ["size", "at least 1"]),
        (
            "tmaze-passive",
            "oracle_length = 1",
            ["oracle_length is no option", "known options are corridor_length"],
        ),
        ("tmaze-passive", "penalty = 0.5", ["penalty", "not be above 0"]),
        ("tmaze-active", "corridor_length = 0", ["corridor_length", "at least 1"]),
        ("multi-domain-popgym", "warmup_episodes = 0", ["warmup_episodes", "from 1"]),
        ("popgym-HigherLowerEasy-v0", "truncated = true", ["no option", "truncated_is_done"]),
        ("tmaze-active", "oracle_length = 0", ["oracle_length", "at least 1"]),
        ("mazerunner", "maze_dim = 5", ["maze_dim", "from 7"]),
        ("mazerunner", "maze_dim = 7\nnum_goals = 14", ["num_goals", "from 1 to 13"]),
        ("mazerunner", "time_limit = 0", ["time_limit", "at least 1"]),
        ("wind", "horizon = 0", ["horizon", "at least 1"]),
        ("wind", "wind_max = -0.1", ["wind_max", "-0.1"]),
        ("point-robot", "goal_radius = nan", ["goal_radius", "NaN"]),
        ("point-robot", "reward = \"good\"", ["reward cannot be", "sparse"]),
        ("wind", "k_shot = 0", ["k_shot", "at least 1"]),
        ("wind", "k_shot = 1.5", ["k_shot", "1.5"]),
        ("wind", "kshot = 2", ["kshot is no option", "did you mean \"k_shot\"?"]),
    ] {
        let error = refused(id, options);
        for part in parts {
            assert!(error.contains(part), "{id} {options}: \"{error}\" lacks \"{part}\"");
        }
    }
}

#[test]
fn every_environment_conforms() {
    let variants = [
        ("meta-frozen-lake", ""),
        (
            "meta-frozen-lake",
            "hard_mode = true\nrecover_mode = true\nslip_chance = 0.2\nsize = 3\nhorizon = 100",
        ),
        ("meta-frozen-lake", "hard_mode = true\nk_episodes = 2\nsize = 2"),
        ("dark-key-to-door", ""),
        ("dark-key-to-door", "dark = false\nrandomize_actions = true\nsize = 3\nstart_location = [0, 2]"),
        ("tmaze-passive", ""),
        ("tmaze-active", "corridor_length = 3\npenalty = -0.25\noracle_length = 2"),
        ("multi-domain-popgym", ""),
        ("popgym-MultiarmedBanditEasy-v0", "truncated_is_done = false"),
        ("mazerunner", ""),
        ("mazerunner", "maze_dim = 8\nnum_goals = 1\nrandomized_action_space = true\ntime_limit = 60"),
        ("wind", ""),
        ("wind", "goal_radius = 0.5\nhorizon = 30"),
        ("point-robot", ""),
        ("point-robot", "horizon = 60\nreward = \"indicator\"\nrandom_start = true\nk_shot = 2"),
        ("point-robot", "reward = \"dense\""),
        ("meta-frozen-lake", "k_shot = 3\nk_episodes = 1\nslip_chance = 0.3\nhorizon = 50"),
        ("dark-key-to-door", "k_shot = 2\nmeta_rollout_horizon = 60"),
        ("tmaze-passive", "k_shot = 4"),
        ("mazerunner", "k_shot = 2\ntime_limit = 40"),
    ];
    let popgym = registry::specs().iter().map(|spec| spec.id).filter(|id| id.starts_with("popgym-"));
    for (id, options) in variants.into_iter().chain(popgym.map(|id| (id, ""))) {
        let options = table(options);
        let make = || registry::make(id, &options);
        let report = conformance::check(&make, &conformance::CheckOptions::default())
            .unwrap_or_else(|e| panic!("{id} {options}: {e}"));
        assert_eq!((report.episodes, report.finished), (10, 10), "{id}");
        assert!(report.varies_with_seed, "{id}");
        assert!(report.longest <= make().expect("made before").spec().horizon.expect("all have one"));
    }
}
