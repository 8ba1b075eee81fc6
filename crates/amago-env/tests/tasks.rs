//! Several environments as one.

use amago_env::conformance::{CheckOptions, check};
use amago_env::tasks::{Joint, Part, Tasks};
use amago_env::vector::VecEnv;
use amago_env::watchdog::Watchdog;
use amago_env::{
    Action, BoxSpace, Column, DictSpace, Dtype, Env, EnvError, Observation, Role, Space, Step, TaskSpec,
    registry, stream_seed,
};

fn make(id: &str, options: &str) -> Box<dyn Env> {
    registry::make(id, &options.parse().expect("a table")).expect("legal options")
}

/// Tasks by id, options, weight and scale of rewards.
fn tasks(of: &[(&str, &str, f64, f32)], pad: bool) -> Tasks {
    let parts: Vec<Part> = of
        .iter()
        .enumerate()
        .map(|(i, (id, options, weight, reward_scale))| Part {
            name: format!("task {i}"),
            env: make(id, options),
            weight: *weight,
            reward_scale: *reward_scale,
        })
        .collect();
    let specs: Vec<(&str, &TaskSpec)> = parts.iter().map(|p| (p.name.as_str(), p.env.spec())).collect();
    let joint = Joint::new(&specs, pad).expect("spaces that go together");
    Tasks::new(parts, joint)
}

const MAZE: &str = "corridor_length = 3\ngoal_reward = 0.3";

#[test]
fn weights_are_shares_of_the_episodes_and_the_seed_decides() {
    let of = [
        ("tmaze-passive", MAZE, 3.0, 1.0),
        ("tmaze-active", MAZE, 1.0, 1.0),
        ("tmaze-passive", "", 4.0, 1.0),
    ];
    let (mut env, mut again) = (tasks(&of, false), tasks(&of, false));
    let mut obs = Observation::new(&env.spec().observation_space);
    let mut counts = [0_usize; 3];
    for episode in 0..4000 {
        let seed = stream_seed(0, Role::TrainEnv, 3, episode);
        env.reset(seed, &mut obs).expect("resets");
        again.reset(seed, &mut obs).expect("resets");
        assert_eq!(env.task(), again.task());
        let number: usize = env.task()["task ".len()..].parse().expect("a number");
        counts[number] += 1;
    }
    // Five standard deviations of a binomial are at most 158.
    for (count, expected) in counts.into_iter().zip([1500_usize, 500, 2000]) {
        assert!(count.abs_diff(expected) < 158, "{counts:?}");
    }
}

/// The same seed, the same episode, but for what is paid; behind a thread, too.
#[test]
fn an_episode_is_that_of_the_plain_environment_and_its_return_is_not_scaled() {
    let options = "horizon = 9\ngoal_radius = 10.0";
    let mut plain = make("point-robot", options);
    let scaled: Box<dyn Env> = Box::new(tasks(&[("point-robot", options, 1.0, 0.01)], false));
    let mut scaled = Watchdog::new(scaled, std::time::Duration::from_secs(60));
    let space = plain.spec().observation_space.clone();
    let (mut left, mut right) = (Observation::new(&space), Observation::new(&space));
    for seed in 0..8 {
        plain.reset(seed, &mut left).expect("resets");
        scaled.reset(seed, &mut right).expect("resets");
        let mut sum = 0.0;
        loop {
            assert_eq!(left, right);
            let action = Action::Continuous(vec![0.5, -0.25]);
            let a = plain.step(&action, &mut left).expect("legal");
            let b = scaled.step(&action, &mut right).expect("legal");
            sum += f64::from(a.reward);
            assert_eq!(b, Step { reward: a.reward * 0.01, ..a });
            if a.done() {
                break;
            }
        }
        assert!(sum != 0.0, "it pays everywhere");
        assert_eq!((scaled.episode_return(), plain.episode_return()), (Some(sum), None));
    }
}

#[test]
fn a_vector_tells_returns_without_the_scale() {
    let env: Box<dyn Env> = Box::new(tasks(&[("wind", "goal_radius = 10.0", 1.0, 1000.0)], false));
    let mut envs = VecEnv::new(vec![env], 0, Role::EvalEnv).expect("a vector").with_max_episode_steps(7);
    envs.reset_all().expect("resets");
    let mut paid = 0.0;
    let stats = loop {
        let result = &envs.step(&[Action::Continuous(vec![0.0, 0.0])]).expect("steps")[0];
        paid += f64::from(result.step.reward);
        if let Some(stats) = result.episode.clone() {
            break stats;
        }
    };
    assert!(paid > 0.0);
    assert_eq!((stats.episode_return, stats.task.as_str()), (paid / 1000.0, "task 0"));
}

#[test]
fn other_widths_are_refused_by_both_spaces_and_padded_where_that_is_wanted() {
    let [lake, maze, wind] =
        ["meta-frozen-lake", "tmaze-passive", "wind"].map(|id| make(id, "").spec().clone());
    let named = [("lake", &lake), ("maze", &maze)];
    let refused = Joint::new(&named, false).expect_err("other widths").to_string();
    for part in ["task \"maze\"", "action space Discrete(4)", "task \"lake\" has Discrete(5)", "need padding"]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let wide = TaskSpec { action_space: maze.action_space.clone(), ..lake.clone() };
    let refused =
        Joint::new(&[("lake", &wide), ("maze", &maze)], false).expect_err("other widths").to_string();
    for part in ["observation space {observation: Box(-1, 1, [2])}", "{observation: Box(0, 1, [4])}"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let joint = Joint::new(&named, true).expect("they can be padded");
    assert_eq!(joint.action_space(), &Space::Discrete { n: 5 });
    let seen = joint.observation_space().to_string();
    assert_eq!(seen, "{action_mask: MultiBinary(5), observation: Box(-1, 1, [4])}");
    let never = Joint::new(&[("lake", &lake), ("wind", &wind)], true).expect_err("numbers and choices");
    let never = never.to_string();
    for part in ["Discrete(5)", "Box(-0.1, 0.1, [2])", "cannot be padded"] {
        assert!(never.contains(part), "{part}: {never}");
    }
}

#[test]
fn padded_entries_are_zero_and_padded_options_are_forbidden() {
    let of = [("meta-frozen-lake", "size = 3", 1.0, 1.0), ("tmaze-passive", MAZE, 1.0, 1.0)];
    let mut env = tasks(&of, true);
    let mut obs = Observation::new(&env.spec().observation_space);
    let (mut lakes, mut mazes) = (0, 0);
    for seed in 0..40 {
        env.reset(seed, &mut obs).expect("resets");
        let mask = obs.action_mask().expect("a mask").to_vec();
        let Column::F32(values) = obs.columns()[1].clone() else { panic!("numbers") };
        match env.task() {
            "task 0" => {
                assert_eq!(mask, [1.0; 5]);
                lakes += 1;
            }
            _ => {
                assert_eq!((mask, &values[2..]), (vec![1.0, 1.0, 1.0, 1.0, 0.0], &[0.0, 0.0][..]));
                let mut plain = make("tmaze-passive", MAZE);
                let mut alone = Observation::new(&plain.spec().observation_space);
                plain.reset(seed, &mut alone).expect("resets");
                assert_eq!(alone.columns(), [Column::F32(values[..2].to_vec())]);
                assert!(env.step(&Action::Discrete(4), &mut obs).is_err(), "the maze has four actions");
                mazes += 1;
            }
        }
    }
    assert!(lakes > 10 && mazes > 10, "{lakes} {mazes}");
}

#[test]
fn the_contract_holds_with_padding_and_without() {
    for (of, pad) in [
        (&[("tmaze-passive", MAZE, 3.0, 100.0), ("tmaze-active", MAZE, 1.0, 1.0)][..], false),
        (
            &[
                ("meta-frozen-lake", "size = 2", 1.0, 1.0),
                ("tmaze-passive", "corridor_length = 3\nk_shot = 2", 2.0, 0.5),
            ],
            true,
        ),
        (&[("popgym-MineSweeperEasy-v0", "", 1.0, 1.0), ("popgym-CountRecallEasy-v0", "", 1.0, 1.0)], true),
        (&[("wind", "horizon = 5", 3.0, 1.0), ("point-robot", "horizon = 7", 1.0, 3.0)], false),
    ] {
        let made = || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(tasks(of, pad))) };
        let report = check(&made, &CheckOptions::default()).unwrap_or_else(|e| panic!("{of:?}: {e}"));
        assert!(report.finished > 0 && report.varies_with_seed, "{of:?}: {report:?}");
    }
}

/// An image of some size that is the same everywhere, and two choices, of which the second may be missing.
struct Picture(TaskSpec, u8);

impl Picture {
    fn new(shape: [usize; 3], value: u8, action_space: Space) -> Self {
        let len = shape.iter().product();
        let image =
            BoxSpace { shape: shape.to_vec(), low: vec![0.0; len], high: vec![255.0; len], dtype: Dtype::U8 };
        Self(TaskSpec::new("picture", Space::Box(image), action_space), value)
    }
}

impl Env for Picture {
    fn spec(&self) -> &TaskSpec {
        &self.0
    }
    fn reset(&mut self, _: u64, obs: &mut Observation) -> Result<(), EnvError> {
        obs.bytes_mut(DictSpace::SINGLE)?.fill(self.1);
        Ok(())
    }
    fn step(&mut self, action: &Action, obs: &mut Observation) -> Result<Step, EnvError> {
        match &self.0.action_space {
            space @ Space::Discrete { .. } => drop(action.choice(space)?),
            space => drop(action.choices(space)?),
        }
        self.reset(0, obs)?;
        Ok(Step { terminated: true, ..Step::default() })
    }
}

#[test]
fn images_grow_and_missing_choices_have_one_option() {
    let small = || Picture::new([2, 1, 2], 9, Space::Discrete { n: 3 });
    let large = || Picture::new([1, 3, 2], 7, Space::MultiDiscrete { nvec: vec![2, 4] });
    let (a, b) = (small(), large());
    let joint = Joint::new(&[("small", a.spec()), ("large", b.spec())], true).expect("they can be padded");
    assert_eq!(joint.observation_space().0[DictSpace::SINGLE].image_shape(), Some([2, 3, 2]));
    assert_eq!(joint.action_space(), &Space::MultiDiscrete { nvec: vec![3, 4] });
    let play = |name: &str, env: Box<dyn Env>, action: Vec<usize>| {
        let part = Part { name: name.to_owned(), env, weight: 1.0, reward_scale: 1.0 };
        let mut tasks = Tasks::new(vec![part], joint.clone());
        let mut obs = Observation::new(&tasks.spec().observation_space);
        tasks.reset(0, &mut obs).expect("resets");
        assert!(tasks.step(&Action::MultiDiscrete(action), &mut obs).expect("legal").terminated);
        let Column::U8(bytes) = obs.columns()[1].clone() else { panic!("bytes") };
        (obs.action_mask().expect("a mask").to_vec(), bytes)
    };
    let (mask, bytes) = play("small", Box::new(small()), vec![2, 0]);
    assert_eq!(mask, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(bytes, [9, 9, 0, 0, 0, 0, 9, 9, 0, 0, 0, 0]);
    let (mask, bytes) = play("large", Box::new(large()), vec![1, 3]);
    assert_eq!(mask, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(bytes, [7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0]);
}
