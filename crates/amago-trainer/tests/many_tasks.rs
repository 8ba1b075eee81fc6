//! Many tasks in one run.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use amago_env::Observation;
use amago_trainer::{Episodes, Plan, Play, Silent, StopFlag, evaluate};
use support::{Recorder, TINY, lines, load, train};

/// The tiny run without its environment, with tasks.
fn with_tasks(tasks: &str, overrides: &[&str]) -> Result<Plan, amago_trainer::TrainError> {
    let start = TINY.find("[env]").expect("it has one");
    let end = TINY.find("[exploration]").expect("it has one");
    let text = format!("{}{}{tasks}", &TINY[..start], &TINY[end..]);
    // At least one episode of each.
    let overrides = [&["eval.episodes=3"], overrides].concat();
    Plan::new(load(&text, &overrides)?)
}

/// Two mazes whose rewards are a hundred apart, and a third that is not trained on.
const SCALES: &str = r#"
[[tasks]]
name = "near"
id = "tmaze-passive"
options = { corridor_length = 2 }
weight = 3
[[tasks]]
id = "tmaze-passive"
options = { corridor_length = 3 }
reward_scale = 100
reference = { low = -1, high = 3 }
[[eval.tasks]]
name = "near"
id = "tmaze-passive"
options = { corridor_length = 2 }
[[eval.tasks]]
id = "tmaze-passive"
options = { corridor_length = 3 }
reward_scale = 100
reference = { low = -1, high = 3 }
[[eval.tasks]]
name = "held out"
id = "tmaze-passive"
options = { corridor_length = 4 }
"#;

fn refused(tasks: &str, overrides: &[&str], parts: &[&str]) {
    let error = with_tasks(tasks, overrides).map(drop).expect_err("it cannot be used").to_string();
    for part in parts {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

/// Names of the tasks that each of the first actors plays in thirty episodes.
fn played(plan: &Plan, actors: usize) -> Vec<BTreeMap<String, usize>> {
    let envs = plan.make_envs(actors).expect("they can be made");
    let play = |mut env: Box<dyn amago_env::Env>| {
        let mut obs = Observation::new(&env.spec().observation_space);
        let mut found = BTreeMap::new();
        for seed in 0..200 {
            env.reset(seed, &mut obs).expect("resets");
            *found.entry(env.task().to_owned()).or_default() += 1;
        }
        found
    };
    envs.into_iter().map(play).collect()
}

#[test]
fn actors_draw_a_task_for_each_episode_or_have_one() {
    let plan = with_tasks(SCALES, &[]).expect("a legal plan");
    for found in played(&plan, 2) {
        // Three to one: 150 of 200, with a standard deviation of 6.
        assert!(found["near"].abs_diff(150) < 30 && found.len() == 2, "{found:?}");
    }
    let bound = SCALES.replace("weight = 3", "actors = 2");
    let plan = with_tasks(&bound, &["train.parallel_actors=3"]).expect("a legal plan");
    let names = |found: &BTreeMap<String, usize>| found.keys().cloned().collect::<Vec<_>>();
    let found: Vec<_> = played(&plan, 3).iter().map(names).collect();
    assert_eq!(found, [["near"], ["near"], ["tmaze-passive"]]);
    refused(&bound, &[], &["tasks.actors are 2", "train.parallel_actors is 2", "none is left"]);
    refused(&bound, &["train.parallel_actors=1"], &["tasks.actors are 2", "train.parallel_actors is 1"]);
    let all = bound.replacen("reward_scale", "actors = 1\nreward_scale", 1);
    refused(&all, &["train.parallel_actors=4"], &["tasks.actors are 3", "the others have no task"]);
}

#[test]
fn what_cannot_be_is_named() {
    refused("", &[], &["env.id is missing", "[[tasks]]"]);
    refused(SCALES, &["env.id=wind"], &["env and tasks exclude each other"]);
    refused(SCALES, &["eval.episodes=2"], &["eval.episodes = 2", "number of tasks, 3"]);
    let changed = |from: &str, to: &str| SCALES.replacen(from, to, 1);
    let three = ["eval.episodes=3"];
    refused(&changed("weight = 3", "weight = 0"), &three, &["tasks[0].weight = 0 must be above 0"]);
    refused(&changed("reward_scale = 100", "reward_scale = 0"), &three, &["tasks[1].reward_scale = 0"]);
    refused(&changed("high = 3", "high = -1"), &three, &["tasks[1].reference.high = -1"]);
    refused(
        &changed("corridor_length = 2", "corridor_size = 2"),
        &three,
        &["tasks[0].options.corridor_size"],
    );
    refused(
        &changed("tmaze-passive", "tmaze-pasive"),
        &three,
        &["tasks[0].id = \"tmaze-pasive\"", "tmaze-passive"],
    );
    refused(&changed("weight", "wait"), &three, &["tasks[0]", "wait"]);
    let held_out = SCALES.replace("corridor_length = 4", "corridor_length = 4, k_shot = 2");
    refused(
        &held_out,
        &three,
        &["\"held out\"", "attempt: Box(0, 1, [2])", "\"near\" has {observation", "train.pad_tasks"],
    );
    let padded = with_tasks(&held_out, &["train.pad_tasks=true", three[0]]).expect("they are padded");
    let space = padded.observation_space.to_string();
    assert_eq!(space, "{attempt: Box(0, 1, [2]), observation: Box(-1, 1, [2])}");
}

#[test]
fn evaluations_play_each_task_as_often() {
    let plan = with_tasks(SCALES, &["eval.episodes=3"]).expect("a legal plan");
    for (count, expected) in [(3, [1, 1, 1]), (100, [33, 34, 33]), (200, [66, 67, 67])] {
        let episodes = Episodes { count, ..Episodes::of(&plan) };
        let report =
            evaluate(&plan, &Play::Random, &episodes, &StopFlag::default(), &mut Silent).expect("plays");
        let found: BTreeMap<&str, usize> =
            report.tasks.iter().map(|(n, t)| (n.as_str(), t.episodes)).collect();
        let names: Vec<&str> = found.keys().copied().collect();
        assert_eq!(names, ["held out", "near", "tmaze-passive"]);
        let mut shares: Vec<usize> = found.values().copied().collect();
        shares.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(shares, expected);
    }
}

#[test]
fn metrics_tell_every_task_and_the_mean_in_the_tasks_own_units() {
    let settings = ["eval.episodes=30", "train.timesteps_per_epoch=60", "train.env_timeout=60"];
    let plan = with_tasks(SCALES, &settings).expect("a legal plan");
    let dir = tempfile::tempdir().expect("a folder");
    let outcome = train(&plan, &dir.path().join("run"), &mut Recorder::default()).expect("it runs");
    let told = lines(&dir.path().join("run"));
    let last = told.last().expect("an epoch");
    let names = |part: &str| -> BTreeSet<String> {
        last[part]["tasks"].as_object().expect("tasks").keys().cloned().collect()
    };
    let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(names("rollout"), set(&["near", "tmaze-passive"]));
    assert_eq!(names("eval"), set(&["held out", "near", "tmaze-passive"]));
    let tasks = &last["eval"]["tasks"];
    let number = |task: &str, name: &str| tasks[task][name].as_f64().expect("a number");
    let mut sum = 0.0;
    for task in ["held out", "near", "tmaze-passive"] {
        assert_eq!(tasks[task]["episodes"], 10);
        // A maze pays one at most, whatever is learned from.
        assert!((0.0..=1.0).contains(&number(task, "return_mean")), "{tasks}");
        sum += number(task, "return_mean");
    }
    assert!(last["rollout"]["tasks"]["tmaze-passive"]["return_mean"].as_f64() <= Some(1.0), "{last}");
    let mean = last["eval"]["task_mean"]["return_mean"].as_f64().expect("a mean");
    assert!((mean - sum / 3.0).abs() < 1e-12 && last["eval"]["task_mean"]["episodes"] == 30);
    let score = (number("tmaze-passive", "return_mean") + 1.0) / 4.0;
    assert_eq!(number("tmaze-passive", "score"), score);
    assert!(
        tasks["near"]["score"].is_null() && last["eval"]["task_mean"]["score"].is_null(),
        "not all have one"
    );
    assert_eq!(outcome.eval.expect("an evaluation").tasks.len(), 3);
    // What is learned from is scaled: the replay of a run that never fails holds rewards of one hundred.
    let rewards = &last["batch"]["reward"];
    assert!(rewards.is_null() || rewards["max"].as_f64() <= Some(100.0), "{rewards}");
}

#[test]
fn one_task_alone_has_neither_a_wrapper_nor_a_mean() {
    let plan = Plan::new(support::tiny(&[])).expect("a legal plan");
    let episodes = Episodes { count: 4, ..Episodes::of(&plan) };
    let report = evaluate(&plan, &Play::Random, &episodes, &StopFlag::default(), &mut Silent).expect("plays");
    assert_eq!((report.task_mean, report.tasks.len()), (None, 1));
}
